"""What the servers in memory (object store, PID service) can be told: to fail at a call, to be away, to let a test step in."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from b2stream.errors import Retryable


@dataclass(slots=True)
class Failure:
    """The next `times` calls raise `error`; `done`: after they were carried out, so that only the reply is lost."""

    error: Exception
    done: bool = False
    times: int = 1


class Scripted:
    """A server in memory. `available` switches it off, `before_call(call, about)` steps in before each call, `calls` lists them.

    Safe to use from several threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.RLock()
        self._failures: dict[str, list[Failure]] = {}
        self.available = True
        self.calls: list[tuple[str, str]] = []
        self.before_call: Callable[[str, str], None] | None = None

    def _script(self, call: str, failure: Failure) -> None:
        """Let calls of the method named `call` fail so; further scripts queue up behind."""
        if not callable(getattr(self, call, None)):
            raise ValueError(f"{type(self).__name__} has no method {call!r}")
        with self._lock:
            self._failures.setdefault(call, []).append(failure)

    def _enter(self, call: str, about: str) -> Failure | None:
        """Count the call; the scripted failure, if it is one that shows only after the work."""
        if self.before_call is not None:
            self.before_call(call, about)
        with self._lock:
            self.calls.append((call, about))
            if not self.available:
                raise Retryable(f"{self._name} does not answer")
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


def leave(failure: Failure | None) -> None:
    """The end of a call: the work is done, and the reply may be lost."""
    if failure is not None:
        raise failure.error
