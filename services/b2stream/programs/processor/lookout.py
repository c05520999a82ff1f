"""What a processor says of itself while it works: how far behind it is, what troubles it, and whether Faust still does its part."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from b2stream.contracts import topics
from b2stream.errors import Fatal
from b2stream.monitoring import Health
from b2stream.programs.processor import metrics
from b2stream.programs.processor.parts import Parts
from b2stream.programs.processor.stalls import Stalls

_log = logging.getLogger(__name__)

_SHOUT_EVERY_S = 60.0
_SHOUT_AT_PART_OF_RETENTION = 0.5


class Lookout:
    """Looks once a second or so. Who asks Kafka tells it `ends`, and whether the cluster `keeps_offsets`.

    `outage_ready_s`: for so long a centre may be away before the program is not ready.
    """

    def __init__(self, health: Health, outage_ready_s: float) -> None:
        self.ends: Mapping[int, int] = {}
        """By partition, where the log ends; empty while Kafka does not answer."""
        self.keeps_offsets = True
        self._health = health
        self._outage_ready_s = outage_ready_s
        self._stalls = Stalls()
        self._is_handling = False
        self._shouted_s = -_SHOUT_EVERY_S

    @contextmanager
    def handling(self) -> Iterator[None]:
        """A message came, and is being handled until this ends."""
        self._is_handling = True
        self._stalls.took_a_message()
        try:
            yield
        finally:
            self._is_handling = False

    def complaints(self, parts: Parts) -> Iterator[Fatal]:
        """Why this program cannot go on: Faust stopped, or stands still."""
        if (reason := parts.source.crashed()) is not None:
            yield Fatal(f"Faust stopped: {reason!r}")
        owned = parts.processor.partitions.items()
        is_behind = any(self.ends.get(number, 0) > partition.next_offset for number, partition in owned)
        stalled = self._stalls.look(
            is_behind=is_behind and not self._is_handling,
            is_refused=bool(self.ends) and self.keeps_offsets and parts.source.is_refused,
        )
        if stalled is not None:
            yield stalled

    def report(self, parts: Parts) -> None:
        """Set the gauges, and say what troubles the processor; loudly where the log will lose what is not archived."""
        processor = parts.processor
        self._health.troubled_by(processor.troubles(self._outage_ready_s))
        lag = 0
        for number, partition in processor.partitions.items():
            lag += max(0, self.ends.get(number, partition.next_offset) - partition.frontier.frontier())
        metrics.LAG_MESSAGES.set(lag)
        metrics.OPEN_ATTEMPTS.set(processor.open_attempts())
        oldest_us = processor.oldest_us()
        age_s = 0.0 if oldest_us is None else max(0.0, time.time() - oldest_us / 1e6)
        metrics.OLDEST_SECONDS.set(age_s)
        self._shout(age_s)

    def _shout(self, age_s: float) -> None:
        retention_s = topics.MEASUREMENTS_RETENTION_MS / 1000
        now_s = time.monotonic()
        if age_s > retention_s * _SHOUT_AT_PART_OF_RETENTION and now_s - self._shouted_s > _SHOUT_EVERY_S:
            self._shouted_s = now_s
            left_h = (retention_s - age_s) / 3600
            _log.critical("the oldest message that is not archived leaves the log in %.0f hours", left_h)
