"""When a gateway sends again: a pure decision over facts (the edge that collects them is `outstanding.py`).

A batch without a commit event is sent again only when (a) an abandonment, or a letter that is not poison, names its attempt, waiting
twice as long each time, up to a day; (b) the topic is another one, or the log no longer holds its close; (c) the processors are past
its close for more than an hour. Waiting alone is shouted about, never resent: a centre that is down for a week must not become a flood.
"""

from dataclasses import dataclass
from enum import Enum

FIRST_PAUSE_S = 60.0
LONGEST_PAUSE_S = 86_400.0
PASSED_S = 3_600.0


class Act(Enum):
    """What to do about an attempt."""

    DONE = "done"  # committed
    REFUSED = "refused"  # waits for another content, or for someone who says `gateway retry`
    WAIT = "wait"
    SHOUT = "shout"  # waits longer than it should
    SEND = "send"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the latest attempt of a file. None means unknown, and nothing is done because of something unknown."""

    committed: bool = False
    refused: bool = False
    retry: bool = False  # someone asked for it
    tries: int = 0  # how often this content was sent again before
    waiting_s: float = 0.0  # since its close was acknowledged
    lost_for_s: float | None = None  # since an abandonment or a letter that is not poison named it
    topic_id_then: str | None = None
    topic_id_now: str | None = None
    close_offset: int | None = None
    log_start: int | None = None
    log_end: int | None = None
    passed_for_s: float | None = None  # since the processors' committed offset was first seen behind its close


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why in a few words that stand in logs and metrics."""

    act: Act
    why: str = ""


def decide(facts: Facts, shout_after_s: float) -> Decision:
    """The decision for one attempt whose close is acknowledged."""
    if facts.committed:
        return Decision(Act.DONE)
    if facts.retry:
        return Decision(Act.SEND, "asked")
    if facts.refused:
        return Decision(Act.REFUSED)
    if _topic_changed(facts):
        return Decision(Act.SEND, "topic_changed")
    if _outside_log(facts):
        return Decision(Act.SEND, "outside_log")
    if facts.lost_for_s is not None and facts.lost_for_s >= pause_s(facts.tries):
        return Decision(Act.SEND, "lost")
    if facts.passed_for_s is not None and facts.passed_for_s > PASSED_S:
        return Decision(Act.SEND, "passed")
    if facts.waiting_s > shout_after_s:
        return Decision(Act.SHOUT, "no commit event yet")
    return Decision(Act.WAIT)


def pause_s(tries: int) -> float:
    """How long to wait after a loss: a minute, then twice as long each time, up to a day."""
    return float(min(FIRST_PAUSE_S * 2.0 ** min(tries, 30), LONGEST_PAUSE_S))


def _topic_changed(facts: Facts) -> bool:
    return None not in (facts.topic_id_then, facts.topic_id_now) and facts.topic_id_then != facts.topic_id_now


def _outside_log(facts: Facts) -> bool:
    if facts.close_offset is None or facts.log_start is None or facts.log_end is None:
        return False
    return not facts.log_start <= facts.close_offset < facts.log_end
