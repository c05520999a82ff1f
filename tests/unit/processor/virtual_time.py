"""An event loop whose clock moves only when nothing is left to do: a quarter of an hour takes a millisecond, always the same way."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class NothingLeft(AssertionError):
    """Everybody waits for something that will never come."""


class _Selector(selectors.BaseSelector):
    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = self._real.select(0)
        if not events and timeout is None:
            raise NothingLeft("no task can go on and no timer is set")
        if not events and timeout:
            self.now_s += timeout
        return events

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def get_map(self) -> Any:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time is virtual; there are no threads and no network."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s


class Dead(BaseException):
    """The process was killed at this very point."""


class SteppingExecutor(Executor):
    """Runs what it is given in the loop itself, `latency_s` of virtual time later; once `is_dead`, nothing any more."""

    def __init__(self, latency_s: float = 0.01) -> None:
        self.latency_s = latency_s
        self.is_dead = False
        self.most_at_once = 0
        self._at_once = 0

    def submit(self, fn: Callable[..., Answer], /, *args: Any, **kwargs: Any) -> "Future[Answer]":
        future: Future[Answer] = Future()
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)

        def work() -> None:
            self._at_once -= 1
            if self.is_dead:
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:
                future.set_exception(error)
            except Dead:
                return

        asyncio.get_running_loop().call_later(self.latency_s, work)
        return future


class VirtualClock:
    """The clock of code that sleeps in a thread: sleeping moves it, and takes no time."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def run(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a test in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
