"""What the replicator says of itself while it works: metrics, readiness, and log lines that do not repeat every second."""

import logging
import time

from b2stream.errors import Retryable, Stuck
from b2stream.monitoring import Health
from b2stream.programs.replicator import metrics
from b2stream.programs.replicator.schedule import LONGEST_STUCK_PAUSE_S, Schedule, Work

SAY_AGAIN_S = 60.0

log = logging.getLogger("b2stream.replicator")


class Reporter:
    """Speaks for one replicator; `centre` is the second centre's name."""

    def __init__(self, health: Health, centre: str) -> None:
        self._health = health
        self._centre = centre
        self._said_at_s: dict[str, float] = {}
        self._away = False

    def failed(self, work: Work, error: Retryable | Stuck, pause_s: float) -> None:
        """A try failed and is repeated: said at once where it is news, then once in a while."""
        metrics.FAILURES.labels(error.reason).inc()
        message = work.message
        facts = {
            "batch": work.key,
            "partition": message.partition,
            "offset": message.offset,
            "tries": work.tries,
            "pause_s": round(pause_s, 1),
            "reason": error.reason,
        }
        if isinstance(error, Stuck):  # a person has to do something: each batch is named, also later on
            if work.tries == 1 or pause_s >= LONGEST_STUCK_PAUSE_S / 2:
                log.error("a batch is refused, others go on: %s", error, extra={"facts": facts})
        elif self._is_news("retryable"):
            log.warning("a copy is tried again: %s", error, extra={"facts": facts})

    def report(self, schedule: Schedule, copies: int, lag_events: int, now_s: float) -> None:
        """Set the gauges; say when a centre goes away and when it is back."""
        metrics.LAG_EVENTS.set(lag_events)
        metrics.WAITING_BATCHES.set(schedule.waiting)
        metrics.REFUSED_BATCHES.set(len(schedule.refused))
        metrics.COPIES_RUNNING.set(copies)
        oldest_us = schedule.oldest_us()
        metrics.OLDEST_UNREPLICATED_SECONDS.set(0.0 if oldest_us is None else max(time.time() - oldest_us / 1e6, 0.0))
        refuses = schedule.refuses_everything(now_s)
        away = schedule.away or refuses
        metrics.CENTRE_AWAY.set(away)
        if away:
            why = "refuses every batch" if refuses else "or the first centre does not answer"
            self._health.not_ready(f"{self._centre} {why}; {lag_events} commit events wait")
            if self._is_news("away"):
                log.error(
                    "%s %s; nothing is lost, the lag grows", self._centre, why, extra={"facts": {"lag": lag_events}}
                )
        else:
            self._health.ready()
            if self._away:
                log.warning("%s takes copies again", self._centre, extra={"facts": {"lag": lag_events}})
                self._said_at_s.clear()
        self._away = away

    def _is_news(self, what: str) -> bool:
        now_s = time.monotonic()
        if now_s - self._said_at_s.get(what, -SAY_AGAIN_S) < SAY_AGAIN_S:
            return False
        self._said_at_s[what] = now_s
        return True
