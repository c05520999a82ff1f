"""When a gateway sends again: the table of the design, line by line."""

import itertools

import pytest

from b2stream.programs.gateway.resending import LONGEST_PAUSE_S, Act, Decision, Facts, decide, pause_s

HOUR_S = 3_600.0
WAIT, DONE, REFUSED = Decision(Act.WAIT), Decision(Act.DONE), Decision(Act.REFUSED)
SHOUT = Decision(Act.SHOUT, "no commit event yet")


def send(why: str) -> Decision:
    return Decision(Act.SEND, why)


TABLE = [
    # nothing is known but that it was sent
    (Facts(), WAIT),
    (Facts(waiting_s=HOUR_S), WAIT),
    # waiting alone is shouted about, never resent: not after a week either
    (Facts(waiting_s=HOUR_S + 1), SHOUT),
    (Facts(waiting_s=7 * 24 * HOUR_S), SHOUT),
    (
        Facts(waiting_s=7 * 24 * HOUR_S, topic_id_then="a", topic_id_now="a", close_offset=5, log_start=5, log_end=6),
        SHOUT,
    ),
    # a commit ends it, whatever else is known
    (Facts(committed=True, lost_for_s=1e9, refused=True, passed_for_s=1e9, waiting_s=1e9), DONE),
    # (a) an abandonment or a letter that is not poison names the attempt: waiting twice as long each time
    (Facts(lost_for_s=59.0), WAIT),
    (Facts(lost_for_s=60.0), send("lost")),
    (Facts(lost_for_s=119.0, tries=1), WAIT),
    (Facts(lost_for_s=120.0, tries=1), send("lost")),
    (Facts(lost_for_s=86_399.0, tries=50), WAIT),
    (Facts(lost_for_s=86_400.0, tries=50), send("lost")),
    # (b) the topic id changed, or the close lies outside log start..end
    (Facts(topic_id_then="a", topic_id_now="b"), send("topic_changed")),
    (Facts(topic_id_then="a", topic_id_now=None), WAIT),
    (Facts(close_offset=4, log_start=5, log_end=9), send("outside_log")),
    (Facts(close_offset=9, log_start=5, log_end=9), send("outside_log")),
    (Facts(close_offset=5, log_start=5, log_end=9), WAIT),
    (Facts(close_offset=8, log_start=5, log_end=9), WAIT),
    (Facts(close_offset=8), WAIT),
    # (c) the processors' committed offset passed the close more than an hour ago
    (Facts(passed_for_s=HOUR_S), WAIT),
    (Facts(passed_for_s=HOUR_S + 1), send("passed")),
    # a poison letter: refused, not sent again for any of these reasons
    (Facts(refused=True), REFUSED),
    (Facts(refused=True, lost_for_s=1e6), REFUSED),
    (Facts(refused=True, topic_id_then="a", topic_id_now="b"), REFUSED),
    (Facts(refused=True, passed_for_s=1e6, waiting_s=1e6), REFUSED),
    # unless someone says `gateway retry`
    (Facts(refused=True, retry=True), send("asked")),
    (Facts(retry=True), send("asked")),
]


@pytest.mark.parametrize(("facts", "decision"), TABLE)
def test_the_decision_for_each_line_of_the_table(facts: Facts, decision: Decision) -> None:
    assert decide(facts, HOUR_S) == decision


def test_pauses_double_up_to_a_day() -> None:
    pauses = [pause_s(tries) for tries in range(13)]
    assert pauses[:4] == [60.0, 120.0, 240.0, 480.0]
    assert all(later == min(2 * earlier, LONGEST_PAUSE_S) for earlier, later in itertools.pairwise(pauses))
    assert pauses[-1] == pause_s(10_000) == 86_400.0
