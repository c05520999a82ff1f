"""The rules for sending again, from the journal to the log: what is sent, and what is never sent."""

import logging

import pytest

from b2stream.batches.manifest import batch_of
from b2stream.errors import Retryable
from b2stream.programs.gateway.cluster import LogFacts
from b2stream.programs.gateway.journal.journal import ReceiptWriter
from b2stream.programs.gateway.outstanding import ASK_EVERY_S, Outstanding
from b2stream.programs.gateway.program import Gateway
from tests.unit.gateway.events import write_commit
from tests.unit.gateway.stands import TOPIC_ID, Stand, judge

HOUR_S = 3600.0


class World:
    """A gateway with a file sent, the facts of its log, and two clocks."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.facts: LogFacts | Retryable = LogFacts(TOPIC_ID, 0, 1000, None)
        self.asked = 0
        self.monotonic = 0.0
        self.ahead_s = 0.0
        stand.write("a.bin", b"content")
        self.gateway = self.start()
        self.gateway.step()

    def start(self) -> Gateway:
        gateway = self.stand.start()
        journal = gateway.journal
        real_clock = journal._clock
        journal._clock = lambda: real_clock() + round(self.ahead_s * 1e6)
        gateway.outstanding = Outstanding(journal, self.ask, HOUR_S, journal._clock, lambda: self.monotonic)
        return gateway

    def ask(self) -> LogFacts:
        self.asked += 1
        if isinstance(self.facts, Retryable):
            raise self.facts
        return self.facts

    def later(self, seconds: float) -> None:
        """Time passes, and the gateway goes round."""
        self.monotonic += seconds
        self.ahead_s += seconds
        self.gateway.step()

    def letter(self, *, poison: bool) -> None:
        attempt = self.stand.log.closes()[-1].attempt

        def apply(writer: ReceiptWriter) -> None:
            writer.letter(attempt, "", "reason", "detail", poison=poison)

        self.gateway.journal.write_receipts(apply)

    @property
    def sent(self) -> int:
        return len({close.attempt for close in self.stand.log.closes()})


@pytest.fixture
def world(stand: Stand) -> World:
    return World(stand)


def test_waiting_alone_is_shouted_about_and_never_resent(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(7 * 24):
            world.later(HOUR_S)
    assert world.sent == 1
    assert "longer than they should" in caplog.text


def test_a_letter_that_is_not_poison_leads_to_a_new_attempt_twice_as_late_each_time(world: World) -> None:
    pauses = []
    for number in range(1, 5):
        world.letter(poison=False)
        waited = 0
        while world.sent == number:
            world.later(5)
            waited += 5
        pauses.append(waited)
    assert pauses == [60, 120, 240, 480]
    closes = world.stand.log.closes()
    assert closes[1].supersedes == (closes[0].attempt,)
    assert [close.series_number for close in closes] == [0, 1, 2, 3, 4]
    assert len({batch_of(close) for close in closes}) == 1
    assert {close.relation for close in closes} == {None}
    judge(world.stand.log)


def test_I11_what_was_noted_by_a_clock_that_was_years_ahead_does_not_wait_for_those_years(world: World) -> None:
    years_s = 75 * 365 * 24 * HOUR_S
    world.ahead_s += years_s
    world.letter(poison=False)
    world.ahead_s -= years_s  # somebody corrects the clock
    world.later(5)
    assert world.sent == 2
    world.later(5)
    assert world.sent == 2, "once"


def test_a_clock_that_is_set_back_a_little_hurries_nothing(world: World) -> None:
    world.letter(poison=False)
    world.ahead_s -= 30
    world.later(5)
    assert world.sent == 1
    world.later(100)
    assert world.sent == 2


def test_a_poison_letter_is_final_until_the_file_changes(world: World) -> None:
    world.letter(poison=True)
    world.facts = LogFacts("another topic", 0, 0, None)
    for _ in range(50):
        world.later(HOUR_S)
    assert world.sent == 1
    world.stand.write("a.bin", b"other content")
    world.later(1)
    assert world.sent == 2
    assert world.stand.log.closes()[-1].relation is None, "it replaces nothing: the first content was refused"


def test_a_poison_letter_is_final_until_someone_asks(world: World) -> None:
    world.letter(poison=True)
    world.later(HOUR_S)
    assert world.gateway.journal.outcomes() == {"a.bin": "refused"}
    world.gateway.journal.ask_retry("a.bin")
    assert world.gateway.journal.outcomes() == {"a.bin": "sending"}
    world.later(2)
    assert world.sent == 2
    assert world.gateway.journal.outcomes() == {"a.bin": "sent"}
    world.later(HOUR_S)
    assert world.sent == 2


@pytest.mark.parametrize("first", [True, False])
def test_poison_wins_over_other_letters_of_the_same_attempt(world: World, first: bool) -> None:
    world.letter(poison=first)
    world.letter(poison=not first)
    for _ in range(50):
        world.later(HOUR_S)
    assert world.sent == 1
    assert world.gateway.journal.outcomes() == {"a.bin": "refused"}


def test_poison_that_is_read_after_the_content_was_sent_again_for_the_hole_ends_it_too(world: World) -> None:
    first = world.stand.log.closes()[0].attempt
    world.letter(poison=False)
    world.later(61)
    assert world.sent == 2

    def apply(writer: ReceiptWriter) -> None:
        writer.letter(first, "", "bad_block", "detail", poison=True)

    world.gateway.journal.write_receipts(apply)
    world.letter(poison=False)
    for _ in range(50):
        world.later(HOUR_S)
    assert world.sent == 2
    (attempt,) = world.gateway.journal.current()
    assert (attempt.outcome, attempt.refused_reason) == ("refused", "bad_block")


def test_a_poison_letter_that_is_read_once_more_does_not_refuse_what_someone_asked_for_since(world: World) -> None:
    first = world.stand.log.closes()[0].attempt
    world.letter(poison=True)
    world.gateway.journal.ask_retry("a.bin")
    world.later(2)
    world.letter(poison=False)
    world.later(61)
    assert world.sent == 3

    def apply(writer: ReceiptWriter) -> None:
        writer.letter(first, "", "reason", "detail", poison=True)

    world.gateway.journal.write_receipts(apply)
    assert world.gateway.journal.outcomes() == {"a.bin": "sent"}


def test_another_topic_of_the_same_name_gets_everything_without_a_commit(world: World) -> None:
    world.later(ASK_EVERY_S + 1)
    world.facts, world.stand.topic_id = LogFacts("topic-2", 0, 1000, None), "topic-2"
    world.later(ASK_EVERY_S + 1)
    assert world.sent == 2
    world.later(ASK_EVERY_S + 1)
    assert world.sent == 2, "the new attempt lies in the new topic"


def test_a_close_that_retention_removed_is_sent_again(world: World) -> None:
    world.facts = LogFacts(TOPIC_ID, 500, 1000, None)
    world.later(ASK_EVERY_S + 1)
    assert world.sent == 2


def test_facts_that_are_older_than_a_close_say_nothing_about_it(world: World) -> None:
    world.facts = LogFacts(TOPIC_ID, 0, 2, None)  # the log ends behind the first close
    world.later(ASK_EVERY_S + 1)
    world.stand.write("b.bin", b"its close lies behind the end that was asked for")
    for _ in range(10):
        world.later(2)
    assert world.sent == 2


def test_processors_past_a_close_for_more_than_an_hour_without_a_commit_event_get_it_again(world: World) -> None:
    world.facts = LogFacts(TOPIC_ID, 0, 1000, 1)
    world.later(ASK_EVERY_S + 1)
    world.later(2 * HOUR_S)
    assert world.sent == 1, "offset 1 is the close itself: it is not passed"
    world.facts = LogFacts(TOPIC_ID, 0, 1000, 2)
    world.later(ASK_EVERY_S + 1)
    world.later(HOUR_S - 10)
    assert world.sent == 1
    world.later(ASK_EVERY_S)
    assert world.sent == 2


def test_a_commit_event_ends_it(world: World) -> None:
    (close,) = world.stand.log.closes()
    world.gateway.journal.write_receipts(lambda writer: write_commit(writer, close))
    world.facts = LogFacts("topic-2", 0, 0, None)
    world.later(HOUR_S)
    assert world.sent == 1
    assert world.asked <= 1, "nothing is outstanding, so nobody is asked"


def test_kafka_that_does_not_answer_means_nothing_is_known(world: World) -> None:
    world.facts = Retryable("nobody")
    for _ in range(20):
        world.later(HOUR_S)
    assert world.sent == 1


def test_a_file_that_is_gone_is_reported_once_and_sent_when_it_is_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    (world.stand.folder / "a.bin").unlink()
    world.letter(poison=False)
    with caplog.at_level(logging.ERROR):
        for _ in range(20):
            world.later(60)
    assert world.sent == 1
    assert caplog.text.count("not in the folder any more") == 1
    assert world.gateway.gone == {"a.bin"}
    world.stand.write("a.bin", b"content")
    world.later(2)
    world.later(2)
    assert world.sent == 2


def test_a_lost_content_that_was_overwritten_is_not_sent_as_what_it_was(world: World) -> None:
    world.letter(poison=False)
    world.stand.write("a.bin", b"other content")
    for _ in range(20):
        world.later(60)
    assert world.sent == 2
    assert [batch.raw for batch in judge(world.stand.log).values()] == [b"content", b"other content"]


def test_the_rules_hold_across_restarts(world: World) -> None:
    world.letter(poison=False)
    world.ahead_s += 30
    world.gateway = world.start()
    world.later(2)
    assert world.sent == 1
    world.ahead_s += 30
    world.gateway = world.start()
    world.later(2)
    assert world.sent == 2
