"""Looks after what was sent and has no commit event: collects the facts on which `resending.decide` rests."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from b2stream.errors import Retryable
from b2stream.programs.gateway import metrics
from b2stream.programs.gateway.cluster import LogFacts
from b2stream.programs.gateway.journal.journal import Attempt, Journal, now_us
from b2stream.programs.gateway.resending import LONGEST_PAUSE_S, Act, Decision, Facts, decide

LOOK_EVERY_S = 1.0
ASK_EVERY_S = 60.0
SHOUT_EVERY_S = 900.0
_SET_BACK_S = 60.0  # clocks that are right are set back by less

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Outstanding:
    """`ask` gives the facts of the log; it is called once a minute at most, and only while something is outstanding."""

    journal: Journal
    ask: Callable[[], LogFacts]
    shout_after_s: float
    clock_us: Callable[[], int] = now_us
    monotonic: Callable[[], float] = time.monotonic
    _facts: LogFacts | None = None
    _of: frozenset[str] = frozenset()  # the attempts that were outstanding when the facts were asked for
    _looked_at: float = field(default=float("-inf"))
    _asked_at: float = field(default=float("-inf"))
    _shouted_at: float = field(default=float("-inf"))

    def due(self) -> list[tuple[Attempt, str]]:
        """Attempts to send again, each with the cause. Shouts about those that wait too long."""
        if self.monotonic() - self._looked_at < LOOK_EVERY_S:
            return []
        self._looked_at = self.monotonic()
        attempts = [attempt for attempt in self.journal.outstanding() if attempt.state == "closed"]
        self._refresh(attempts)
        decisions = [(attempt, decide(self._facts_of(attempt), self.shout_after_s)) for attempt in attempts]
        self._report(decisions)
        return [(attempt, decision.why) for attempt, decision in decisions if decision.act is Act.SEND]

    def _refresh(self, attempts: list[Attempt]) -> None:
        if not attempts or self.monotonic() - self._asked_at < ASK_EVERY_S:
            return
        self._asked_at = self.monotonic()
        try:
            self._facts = self.ask()
        except Retryable as error:
            log.warning("what became of the log is not known: %s", error)
            self._facts = None
            return
        # Facts are older than what is sent after them: its close would seem to lie behind the end of the log.
        self._of = frozenset(attempt.attempt for attempt in attempts)
        for attempt in attempts:
            if _is_passed(attempt, self._facts) and attempt.passed_at_us is None:
                self.journal.passed(attempt.attempt)

    def _facts_of(self, attempt: Attempt) -> Facts:
        now = self.clock_us()
        known = self._facts if attempt.attempt in self._of else None
        passed = known is not None and _is_passed(attempt, known)
        return Facts(
            committed=attempt.committed_at_us is not None,
            refused=attempt.refused_reason is not None,
            retry=attempt.retry,
            tries=attempt.tries,
            waiting_s=_since(attempt.closed_at_us, now) or 0.0,
            lost_for_s=_since(attempt.lost_at_us, now),
            topic_id_then=attempt.topic_id,
            topic_id_now=known.topic_id if known else None,
            close_offset=attempt.close_offset,
            log_start=known.start if known else None,
            log_end=known.end if known else None,
            passed_for_s=_since(attempt.passed_at_us, now) if passed else None,
        )

    def _report(self, decisions: list[tuple[Attempt, Decision]]) -> None:
        now = self.clock_us()
        waiting = [_since(a.closed_at_us, now) or 0.0 for a, d in decisions if d.act is not Act.REFUSED]
        late = [attempt for attempt, decision in decisions if decision.act is Act.SHOUT]
        metrics.UNFINISHED.set(len(waiting))
        metrics.OLDEST_S.set(max(waiting, default=0.0))
        metrics.REFUSED.set(len(decisions) - len(waiting))
        metrics.LATE.set(len(late))
        if late and self.monotonic() - self._shouted_at >= SHOUT_EVERY_S:
            self._shouted_at = self.monotonic()
            facts = {"files": len(late), "oldest": late[0].name, "waiting_s": round(max(waiting))}
            log.warning("files wait for their commit event longer than they should", extra={"facts": facts})


def _is_passed(attempt: Attempt, facts: LogFacts) -> bool:
    """Whether the processors' committed offset lies behind this close, in the same topic."""
    return (
        facts.processed_to is not None
        and attempt.close_offset is not None
        and attempt.topic_id == facts.topic_id
        and facts.processed_to > attempt.close_offset
    )


def _since(instant_us: int | None, now: int) -> float | None:
    """Seconds since an instant. One that lies ahead was noted by a clock that was wrong then: it counts as long ago, else a computer
    that once believed in 2100 would not send again before that."""
    if instant_us is None:
        return None
    since_s = (now - instant_us) / 1e6
    return LONGEST_PAUSE_S if since_s < -_SET_BACK_S else max(0.0, since_s)
