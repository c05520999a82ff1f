"""What was published counts as told once Kafka has acknowledged it. A producer never gives up by itself, so who waits for one does."""

import threading
import time
from concurrent.futures import Future, wait
from typing import Any

from b2stream.errors import Retryable

WITHIN_S = 120.0
"""So long a cluster may take to acknowledge: longer than the election of a leader, or the restart of a broker."""
LAST_S = 5.0
"""So long a program that is stopping still waits; `Producer.close` flushes for as long again."""
_LOOK_S = 0.2


def wait_for(
    published: "Future[Any]", about: str, within_s: float = WITHIN_S, stopping: threading.Event | None = None
) -> None:
    """Wait for the acknowledgement of an event about this object; once `stopping` is set, not for long. Raises Retryable, Poison."""
    started_s = time.monotonic()
    ends_s, is_hurried = started_s + within_s, False
    while not wait([published], min(_LOOK_S, max(0.0, ends_s - time.monotonic()))).done:
        now_s = time.monotonic()
        if stopping is not None and stopping.is_set() and not is_hurried:
            ends_s, is_hurried = min(ends_s, now_s + LAST_S), True
        if now_s >= ends_s:
            raise Retryable(f"Kafka did not acknowledge the event about {about} within {now_s - started_s:.0f} s")
    published.result()
