"""A PID service in memory: for unit tests and dry runs. It obeys the rules that a real Handle server showed in recordings.

It can be told to fail: `fail` scripts one call, `available` switches it off, `before_call` lets a test step in between two calls.
"""

from collections.abc import Iterator
from dataclasses import replace

from b2stream.handles.service import HandleRecord
from b2stream.scripted import Failure, Scripted, leave


class MemoryHandles(Scripted):
    """A `HandleService` whose records are a dictionary. Safe to use from several threads."""

    def __init__(self) -> None:
        super().__init__("the Handle server")
        self._records: dict[str, HandleRecord] = {}

    # What tests may ask of it -----------------------------------------------------------------------------------------

    def fail(self, call: str, error: Exception, *, done: bool = False, times: int = 1) -> None:
        """Let the next `times` calls of the method named `call` raise `error`. `done`: after it was carried out."""
        self._script(call, Failure(error, done, times))

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
        leave(failure)
        return made

    def rewrite(self, record: HandleRecord) -> None:
        failure = self._enter("rewrite", record.handle)
        with self._lock:
            self._records[record.handle.casefold()] = record
        leave(failure)

    def read(self, handle: str) -> HandleRecord | None:
        failure = self._enter("read", handle)
        with self._lock:
            found = self._records.get(handle.casefold())
        leave(failure)
        return replace(found, handle=handle) if found else None

    def delete(self, handle: str) -> None:
        failure = self._enter("delete", handle)
        with self._lock:
            self._records.pop(handle.casefold(), None)
        leave(failure)

    def list(self, prefix: str) -> Iterator[str]:
        failure = self._enter("list", prefix)
        with self._lock:
            found = [record.handle for record in self._records.values()]
        yield from (handle.upper() for handle in found if handle.casefold().startswith(f"{prefix}/".casefold()))
        leave(failure)

    def close(self) -> None:
        """Nothing to close."""
