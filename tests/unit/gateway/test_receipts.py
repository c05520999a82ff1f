"""What comes back is matched by the close that it answers and remembered with the position, whatever is in the topics."""

from dataclasses import replace

import pytest

from b2stream.batches.manifest import batch_of
from b2stream.contracts import schemas
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed, CoverageStarted
from b2stream.errors import Retryable
from b2stream.programs.gateway.receipts import CHECK_EVERY_S
from tests.unit.gateway.events import commit_of, letter_of, repeat_of, replica_of, value_of
from tests.unit.gateway.stands import STATION, Stand
from tests.unit.gateway.topics_in_memory import COMMITS, EVENTS, LETTERS, REPLICAS, Topics, outcome, reader


def test_a_file_is_sent_then_committed_then_replicated(stand: Stand, topics: Topics, sent: BatchClosed) -> None:
    assert outcome(stand) == "sent"
    topics.put(COMMITS, value_of(commit_of(sent)))
    reader(stand, topics).poll()
    assert outcome(stand) == "committed"
    topics.put(REPLICAS, value_of(replica_of(sent)))
    reader(stand, topics).poll()
    (attempt,) = stand.start().journal.batches()
    assert attempt.outcome == "replicated"
    assert attempt.path == commit_of(sent).path
    assert attempt.second_url == replica_of(sent).url


def test_a_replica_event_alone_tells_both(stand: Stand, topics: Topics, sent: BatchClosed) -> None:
    topics.put(REPLICAS, value_of(replica_of(sent)))
    reader(stand, topics).poll()
    assert outcome(stand) == "replicated"


@pytest.mark.parametrize(("copies", "found"), [(1, "replicated"), (2, "committed"), (None, "committed")])
def test_a_commit_under_a_policy_of_one_copy_is_all_that_has_to_come(
    stand: Stand, topics: Topics, sent: BatchClosed, copies: int | None, found: str
) -> None:
    topics.put(COMMITS, value_of(commit_of(sent, copies)))
    reader(stand, topics).poll()
    assert outcome(stand) == found
    topics.put(COMMITS, value_of(commit_of(sent, copies)))  # announced twice
    reader(stand, topics).poll()
    assert outcome(stand) == found


def test_a_batch_that_was_announced_before_its_policy_was_known_is_done_once_it_is_announced_again(
    stand: Stand, topics: Topics, sent: BatchClosed
) -> None:
    for copies in (None, 1):
        topics.put(COMMITS, value_of(commit_of(sent, copies)))
        reader(stand, topics).poll()
    assert outcome(stand) == "replicated"


def test_a_second_copy_that_comes_though_one_was_enough_has_its_receipt(
    stand: Stand, topics: Topics, sent: BatchClosed
) -> None:
    topics.put(COMMITS, value_of(commit_of(sent, 1)))
    topics.put(REPLICAS, value_of(replica_of(sent)))
    reader(stand, topics).poll()
    (attempt,) = stand.start().journal.batches()
    assert (attempt.outcome, attempt.second_url) == ("replicated", replica_of(sent).url)


@pytest.mark.parametrize("by", ["attempt", "batch"])
def test_a_poison_letter_refuses_and_another_one_loses(
    stand: Stand, topics: Topics, sent: BatchClosed, by: str
) -> None:
    topics.put(LETTERS, b"", letter=letter_of(sent, "abandoned", poison=False, by=by))
    reader(stand, topics).poll()
    assert outcome(stand) == "lost"
    topics.put(LETTERS, b"", letter=letter_of(sent, "bad_block", poison=True, by=by))
    reader(stand, topics).poll()
    (attempt,) = stand.start().journal.batches()
    assert (attempt.outcome, attempt.refused_reason, attempt.refused_detail) == ("refused", "bad_block", "in words")


@pytest.mark.parametrize("order", [("bad_block", "hole"), ("hole", "bad_block")])
def test_poison_wins_over_the_hole_that_it_left(
    stand: Stand, topics: Topics, sent: BatchClosed, order: tuple[str, str]
) -> None:
    for reason in order:
        topics.put(LETTERS, b"", letter=letter_of(sent, reason, poison=reason == "bad_block"))
        reader(stand, topics).poll()
    (attempt,) = stand.start().journal.batches()
    assert (attempt.outcome, attempt.refused_reason) == ("refused", "bad_block")


def test_a_commit_event_outweighs_letters(stand: Stand, topics: Topics, sent: BatchClosed) -> None:
    topics.put(LETTERS, b"", letter=letter_of(sent, "bad_block", poison=True))
    topics.put(COMMITS, value_of(commit_of(sent)))
    reader(stand, topics).poll()
    assert outcome(stand) == "committed"


@pytest.fixture
def changed_back(stand: Stand) -> list[BatchClosed]:
    """A file that was sent, corrected, and changed back before any receipt came."""
    gateway = stand.start()
    for content in (b"first", b"other", b"first"):
        stand.write("a.bin", content)
        gateway.step()
    closes = stand.log.closes()
    assert batch_of(closes[0]) == batch_of(closes[2])
    return closes


def test_I1_the_commit_event_of_an_earlier_sending_is_no_receipt_of_a_later_one(
    stand: Stand, topics: Topics, changed_back: list[BatchClosed]
) -> None:
    first, other, again = changed_back
    topics.put(COMMITS, value_of(commit_of(first)))
    topics.put(REPLICAS, value_of(replica_of(first)))
    topics.put(COMMITS, value_of(commit_of(other)))
    reader(stand, topics).poll()
    assert outcome(stand) == "sent"
    topics.put(EVENTS, value_of(repeat_of(again)))
    topics.put(COMMITS, value_of(commit_of(first)))  # announced once more, as a repeat is
    reader(stand, topics).poll()
    assert outcome(stand) == "replicated", "the copies are those of the content, whichever close brought it"
    assert [attempt.outcome for attempt in stand.start().journal.batches()] == ["committed", "replicated"]


def test_a_commit_event_after_the_third_sending_is_not_its_receipt_either(
    stand: Stand, topics: Topics, changed_back: list[BatchClosed]
) -> None:
    topics.put(EVENTS, value_of(repeat_of(replace(changed_back[2], attempt="f" * 32))))
    topics.put(COMMITS, value_of(commit_of(changed_back[0])))
    reader(stand, topics).poll()
    assert outcome(stand) == "sent"
    assert [attempt.name for attempt in stand.start().journal.outstanding()] == ["a.bin"]


def test_events_that_answer_no_close_are_passed_over(stand: Stand, topics: Topics, sent: BatchClosed) -> None:
    started = CoverageStarted(group=STATION, topic_id="t", partition=0, offset=0, append_time_us=None)
    topics.put(EVENTS, value_of(started))
    for close in ("no JSON", "[]", "{}"):
        topics.put(EVENTS, value_of(replace(repeat_of(sent), close=close)))
    topics.put(EVENTS, value_of(repeat_of(sent)))
    reader(stand, topics).poll()
    assert outcome(stand) == "committed"


def test_other_stations_other_batches_and_damaged_messages_are_passed_over(
    stand: Stand, topics: Topics, sent: BatchClosed
) -> None:
    topics.put(COMMITS, b"not avro at all", station="XX-Oth")
    topics.put(COMMITS, b"not avro at all")
    topics.put(COMMITS, value_of(replica_of(sent)))  # the wrong record
    topics.put(COMMITS, value_of(replace(commit_of(sent), batch="f" * 64)))
    topics.put(LETTERS, b"no headers of a letter")
    topics.put(LETTERS, b"", letter=replace(letter_of(sent, "bad_block", poison=True), attempt="f" * 32))
    reader(stand, topics).poll()
    assert outcome(stand) == "sent"
    topics.put(COMMITS, value_of(commit_of(sent)))
    reader(stand, topics).poll()
    assert outcome(stand) == "committed"


def test_reading_goes_on_where_it_stood_and_begins_anew_in_another_topic_of_the_same_name(
    stand: Stand, topics: Topics, sent: BatchClosed
) -> None:
    topics.put(COMMITS, b"x", station="XX-Oth")
    topics.put(COMMITS, value_of(commit_of(sent)))
    reader(stand, topics).poll()
    reader(stand, topics).poll()
    topics.ids[COMMITS] = "second"
    reader(stand, topics).poll()
    assert [offset for topic, offset in topics.opened if topic == COMMITS] == [None, 2, None]


def test_a_position_that_the_log_no_longer_holds_leads_back_to_its_beginning(
    stand: Stand, topics: Topics, sent: BatchClosed
) -> None:
    topics.put(COMMITS, value_of(commit_of(sent)))
    reader(stand, topics).poll()
    topics.lost.add(COMMITS)
    again = reader(stand, topics)
    again.poll()
    assert again.poll() == 1
    assert topics.opened[-1] == (COMMITS, None)


def test_a_topic_that_is_recreated_while_reading_is_read_from_its_beginning(
    stand: Stand, topics: Topics, sent: BatchClosed
) -> None:
    receipts = reader(stand, topics)
    now = 0.0
    receipts.monotonic = lambda: now
    topics.put(COMMITS, b"x", station="XX-Oth")
    receipts.poll()
    topics.ids[COMMITS], topics.messages[COMMITS] = "second", []
    topics.put(COMMITS, value_of(commit_of(sent)))
    assert receipts.poll() == 0
    now = CHECK_EVERY_S + 1
    assert receipts.poll() == 1
    assert outcome(stand) == "committed"


def test_I1_a_schema_registry_that_does_not_answer_costs_no_receipt(
    stand: Stand, topics: Topics, sent: BatchClosed
) -> None:
    """The consumer is past the message already; what it said must be read once more."""
    answers: list[str] = []

    def text_by_id(number: int) -> str:
        if not answers:
            raise Retryable("the registry is away")
        return answers[0]

    receipts = reader(stand, topics)
    receipts.framing = Framing(text_by_id=text_by_id)
    schema = schemas.current("BatchCommitted")
    topics.put(COMMITS, Framing(id_of=lambda _: 7).frame(schema, commit_of(sent).to_body()))
    with pytest.raises(Retryable):
        receipts.poll()
    assert receipts.journal.outcomes()["a.bin"] == "sent"
    answers.append(schema.text)
    receipts.poll()
    assert receipts.journal.outcomes()["a.bin"] == "committed"
