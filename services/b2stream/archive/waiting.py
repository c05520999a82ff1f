"""The clock that waiting code is given: monotonic, and woken by a shutdown. Nothing here calls `time.sleep`."""

import threading
import time
from typing import Protocol

from b2stream.errors import Retryable


class Clock(Protocol):
    """What code that waits needs. Tests give one whose time moves only when somebody sleeps."""

    def monotonic(self) -> float:
        """Seconds; only differences mean anything."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait that long. Raises Retryable when the program is stopping."""
        ...


class StoppableClock:
    """The real clock. Setting `stopping` wakes whoever sleeps."""

    def __init__(self, stopping: threading.Event | None = None) -> None:
        self.stopping = stopping or threading.Event()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if self.stopping.wait(max(seconds, 0.0)):
            raise Retryable("the program is stopping")
