"""A PID service in memory: for unit tests and dry runs. It obeys the rules that a real Handle server showed in recordings.

It can be told to fail: `fail` scripts one call, `available` switches it off, `before_call` lets a test step in between two calls.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from b2stream.errors import Retryable
from b2stream.handles.service import HandleRecord


@dataclass(slots=True)
class _Failure:
    error: Exception
    done: bool
    times: int


class MemoryHandles:
    """A `HandleService` whose records are a dictionary. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._records: dict[str, HandleRecord] = {}
        self._failures: dict[str, list[_Failure]] = {}
        self.available = True
        self.calls: list[tuple[str, str]] = []
        self.before_call: Callable[[str, str], None] | None = None

    # What tests may ask of it -----------------------------------------------------------------------------------------

    def fail(self, call: str, error: Exception, *, done: bool = False, times: int = 1) -> None:
        """Let the next `times` calls of the method named `call` raise `error`. `done`: after it was carried out."""
        if not callable(getattr(self, call, None)):
            raise ValueError(f"a PID service has no method {call!r}")
        with self._lock:
            self._failures.setdefault(call, []).append(_Failure(error, done, times))

    def records(self) -> dict[str, HandleRecord]:
        """All records by handle."""
        with self._lock:
            return {record.handle: record for record in self._records.values()}

    # The interface ----------------------------------------------------------------------------------------------------

    def create(self, record: HandleRecord) -> bool:
        failure = self._enter("create", record.handle)
        with self._lock:
            made = record.handle.casefold() not in self._records
            if made:
                self._records[record.handle.casefold()] = record
        _leave(failure)
        return made

    def rewrite(self, record: HandleRecord) -> None:
        failure = self._enter("rewrite", record.handle)
        with self._lock:
            self._records[record.handle.casefold()] = record
        _leave(failure)

    def read(self, handle: str) -> HandleRecord | None:
        failure = self._enter("read", handle)
        with self._lock:
            found = self._records.get(handle.casefold())
        _leave(failure)
        return replace(found, handle=handle) if found else None

    def delete(self, handle: str) -> None:
        failure = self._enter("delete", handle)
        with self._lock:
            self._records.pop(handle.casefold(), None)
        _leave(failure)

    def list(self, prefix: str) -> Iterator[str]:
        failure = self._enter("list", prefix)
        with self._lock:
            found = [record.handle for record in self._records.values()]
        yield from (handle.upper() for handle in found if handle.casefold().startswith(f"{prefix}/".casefold()))
        _leave(failure)

    def close(self) -> None:
        """Nothing to close."""

    def _enter(self, call: str, about: str) -> _Failure | None:
        if self.before_call is not None:
            self.before_call(call, about)
        with self._lock:
            self.calls.append((call, about))
            if not self.available:
                raise Retryable("the Handle server does not answer")
            waiting = self._failures.get(call)
            if not waiting:
                return None
            failure = waiting[0]
            failure.times -= 1
            if failure.times <= 0:
                waiting.pop(0)
        if not failure.done:
            raise failure.error
        return failure


def _leave(failure: _Failure | None) -> None:
    if failure is not None:
        raise failure.error
