"""What a program says of itself while it works: metrics, readiness, and log lines that do not repeat every second."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from b2stream.errors import Retryable, Stuck
from b2stream.monitoring import Health
from b2stream.outages import Outage
from b2stream.work.meters import Meters
from b2stream.work.schedule import LONGEST_STUCK_PAUSE_S, Schedule, Work

SAY_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Words:
    """How a program speaks: its name in the log, a try (`a copy`), an event of its, and what is so when it cannot work."""

    program: str
    a_try: str
    event: str
    nobody_answers: str
    all_refused: str
    back: str
    where: str = "the server"


class Reporter:
    """Speaks for one program."""

    def __init__(
        self, health: Health, meters: Meters, words: Words, outage_ready_s: float, clock_s: Callable[[], float]
    ) -> None:
        self._health = health
        self._meters = meters
        self._words = words
        self._log = logging.getLogger(f"b2stream.{words.program}")
        self._said_at_s: dict[str, float] = {}
        self._away = False
        self._clock_s = clock_s
        self._outage_ready_s = outage_ready_s
        self._outage = Outage(words.where, clock_s())

    def succeeded(self, work: Work) -> None:
        """A try got through."""
        self._outage.succeeded(work.key, self._clock_s())

    def forget(self, work: Work) -> None:
        """The work is somebody else's now."""
        self._outage.forget(work.key)

    def paused(self, is_paused: bool) -> None:
        """Reading stands still because too much waits, or it does not."""
        self._meters.standstill.pauses.set("backlog", is_paused)

    def failed(self, work: Work, error: Retryable | Stuck, pause_s: float) -> None:
        """A try failed and is repeated: said at once where it is news, then once in a while."""
        self._meters.failures.labels(error.reason).inc()
        self._outage.failed(work.key, error, self._clock_s(), is_refused=isinstance(error, Stuck))
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
                self._log.error("a batch is refused, others go on: %s", error, extra={"facts": facts})
        elif self._is_news("retryable"):
            self._log.warning("%s is tried again: %s", self._words.a_try, error, extra={"facts": facts})

    def report(self, schedule: Schedule, running: int, lag_events: int, now_s: float) -> None:
        """Set the gauges; say when a server goes away and when it is back."""
        meters, words = self._meters, self._words
        meters.lag_events.set(lag_events)
        meters.waiting.set(schedule.waiting)
        meters.refused.set(len(schedule.refused))
        meters.running.set(running)
        oldest_us = schedule.oldest_us()
        meters.oldest_seconds.set(0.0 if oldest_us is None else max(time.time() - oldest_us / 1e6, 0.0))
        outage, standstill = self._outage, meters.standstill
        standstill.stuck.set(outage.refused)
        standstill.unanswered.set(outage.unanswered)
        standstill.outage_seconds.set(outage.lasts_s(now_s))
        standstill.pauses.look()
        why_not = outage.why(now_s, self._outage_ready_s)
        self._health.troubled_by({} if why_not is None else {"centre": why_not})
        refuses = schedule.refuses_everything(now_s)
        away = schedule.away or refuses
        meters.away.set(away)
        facts = {"facts": {"lag": lag_events}}
        if away:
            why = words.all_refused if refuses else words.nobody_answers
            self._health.not_ready(f"{why}; {lag_events} {words.event}s wait")
            if self._is_news("away"):
                self._log.error("%s; nothing is lost, the lag grows", why, extra=facts)
        else:
            self._health.ready()
            if self._away:
                self._log.warning("%s", words.back, extra=facts)
                self._said_at_s.clear()
        self._away = away

    def _is_news(self, what: str) -> bool:
        now_s = self._clock_s()
        if now_s - self._said_at_s.get(what, -SAY_AGAIN_S) < SAY_AGAIN_S:
            return False
        self._said_at_s[what] = now_s
        return True
