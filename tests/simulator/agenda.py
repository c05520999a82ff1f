"""Virtual time, and threads that run one at a time: whoever waits hands over, and the agenda says whose turn it is.

So code that calls a server and waits can be stopped, overtaken or killed at each of its calls, always the same way.
"""

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Any

_LOOK_AFTER = 8


class Dead(BaseException):
    """The process was killed at this very point."""


class Agenda:
    """What happens next. Times in seconds of virtual time; at equal times what was entered first comes first."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._entries: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    def at(self, when_s: float, act: Callable[[], object]) -> None:
        """Do something then."""
        heapq.heappush(self._entries, (when_s, next(self._numbers), act))

    def after(self, delay_s: float, act: Callable[[], object]) -> None:
        """Do something so much later."""
        self.at(self.now_s + delay_s, act)

    def run_until(self, is_so: Callable[[], bool], deadline_s: float) -> bool:
        """Do what comes next until it is so; False where the deadline passed, or nothing was left to do. Looks now and then."""
        entries = self._entries
        while not is_so():
            for _ in range(_LOOK_AFTER):
                if not entries or entries[0][0] > deadline_s:
                    return is_so()
                when_s, _, act = heapq.heappop(entries)
                if when_s > self.now_s:
                    self.now_s = when_s
                act()
        return True

    def passes_alone(self, delay_s: float) -> bool:
        """Let so much time pass at once, if nothing else would happen in it."""
        until_s = self.now_s + delay_s
        if self._entries and self._entries[0][0] <= until_s:
            return False
        self.now_s = until_s
        return True


class Hand(threading.Thread):
    """A thread that works only between `go_on` and its next pause; kept for later work."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="simulated")
        self.job: Callable[[], object] | None = None
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self.start()

    @classmethod
    def take(cls, job: Callable[[], object]) -> "Hand":
        """A hand that will do this at its first `go_on`. The job must not raise."""
        hand = _idle.pop() if _idle else cls()
        hand.job = job
        return hand

    def run(self) -> None:
        while True:
            self._go.acquire()
            assert self.job is not None
            self.job()
            self.job = None
            _idle.append(self)
            self._back.release()

    def go_on(self) -> None:
        """Let it work until it pauses or is done; of the main thread alone."""
        if self.job is not None:
            self._go.release()
            self._back.acquire()

    def hand_over(self) -> None:
        """Pause until somebody lets it go on; of its own thread alone."""
        self._back.release()
        self._go.acquire()


_idle: list[Hand] = []


def current_hand() -> Any:
    """The hand that is working now; None in the main thread."""
    thread = threading.current_thread()
    return thread if isinstance(thread, Hand) else None
