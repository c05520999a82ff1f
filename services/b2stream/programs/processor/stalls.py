"""Faust that does nothing although Kafka answers: as good as crashed, and it says nothing itself."""

import time
from collections.abc import Callable

from b2stream.errors import Fatal

STALLED_AFTER_S = 45.0
"""Longer than a request to a broker that vanished is waited for, and than a rebalance takes."""


class Stalls:
    """Looked at about once a second; counts only times in which Kafka answered us without a break."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._idle_since_s: float | None = None
        self._refused_since_s: float | None = None

    def took_a_message(self) -> None:
        """Faust gave one."""
        self._idle_since_s = None

    def look(self, *, is_behind: bool, is_refused: bool) -> Fatal | None:
        """What is wrong, if it has been so for too long.

        `is_behind`: the log, as Kafka says now, has more than Faust gave, and nothing that it gave is being handled.
        `is_refused`: Kafka answers and could keep an offset, but the last one that was committed through Faust was not taken.
        """
        self._idle_since_s = self._since(self._idle_since_s, is_behind)
        self._refused_since_s = self._since(self._refused_since_s, is_refused)
        for since_s, what in (
            (self._idle_since_s, "gave no message, and the log has more"),
            (self._refused_since_s, "acknowledged nothing, and Kafka answers"),
        ):
            if since_s is not None and self._now() - since_s > STALLED_AFTER_S:
                return Fatal(f"for {STALLED_AFTER_S:.0f} s Faust {what}")
        return None

    def _since(self, since_s: float | None, is_so: bool) -> float | None:
        return (self._now() if since_s is None else since_s) if is_so else None
