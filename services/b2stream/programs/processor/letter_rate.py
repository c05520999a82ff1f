"""How fast dead letters may come (I10): a flood of poison must be noticed, and must not fill the log with letters meanwhile.

So many a minute are written at once; then reading stands still until half of that is free again, and so on. Nothing is lost
by it: what is not read stays in the log, and no offset moves past a letter that is not written.
"""

import logging
from collections.abc import Callable

from b2stream.programs.processor import metrics

_log = logging.getLogger(__name__)

_MINUTE_S = 60.0


class LetterRate:
    """Counts letters against `per_minute`. Runs in the event loop."""

    def __init__(self, per_minute: int, clock_s: Callable[[], float]) -> None:
        self._most = float(per_minute)
        self._clock_s = clock_s
        self._free = self._most
        self._counted_at_s = clock_s()
        self._is_closed = False
        self._is_tripped = False

    @property
    def is_tripped(self) -> bool:
        """From the first letter too many until a minute has passed without any."""
        self._refill()
        return self._is_tripped

    def count(self, count: int, why: str) -> None:
        """So many letters are or were to be written."""
        self._refill()
        self._free = max(self._free - count, -self._most)  # a large batch may overdraw; a minute makes up for it
        if self._free > 0:
            return
        self._is_closed = True
        if not self._is_tripped:
            self._is_tripped = True
            metrics.LETTERS_TRIPPED.set(1)
            _log.critical(
                "more than %d dead letters in a minute (processor.dead_letters_per_minute): reading stands still and goes on "
                "slowly by itself; the last one: %s",
                self._most,
                why,
            )

    def wait_s(self) -> float:
        """For how long nothing more may be read; 0 where it may."""
        self._refill()
        if self._is_closed:
            missing = self._most / 2 - self._free
            if missing > 1e-9 * self._most:
                return missing * _MINUTE_S / self._most
            self._is_closed = False
        return 0.0

    def _refill(self) -> None:
        now_s = self._clock_s()
        self._free = min(self._most, self._free + (now_s - self._counted_at_s) * self._most / _MINUTE_S)
        self._counted_at_s = now_s
        if self._is_tripped and self._free >= self._most * (1 - 1e-9):
            self._is_tripped = False
            metrics.LETTERS_TRIPPED.set(0)
            _log.warning("dead letters come slowly again; reading goes on as ever")
