"""A library's complaint is logged once in a while, not for each of its tries: aiokafka makes eighty a second while Kafka is away."""

import logging
import threading
import time
from collections.abc import Callable

EVERY_S = 10.0


class Repeats(logging.Filter):
    """Lets a complaint through once in `EVERY_S`, and says then how many like it were left out; for one logger or several."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._lock = threading.Lock()
        self._let_through_s: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged. Records are alike that have the same text before anything is put into it."""
        text, now_s = str(record.msg), self._now()
        with self._lock:
            if now_s - self._let_through_s.get(text, -EVERY_S) < EVERY_S:
                self._left_out[text] = self._left_out.get(text, 0) + 1
                return False
            self._let_through_s[text] = now_s
            left_out = self._left_out.pop(text, 0)
        if left_out:
            record.msg = f"{record.getMessage()} (and {left_out} times since it was last said)"
            record.args = None
        return True
