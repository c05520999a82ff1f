"""What the index takes from records of the log about chains and superseded attempts."""

from dataclasses import replace

import pytest

from b2stream.contracts.canonical import canonical_json
from b2stream.contracts.records import BatchClosed, BatchRepeated
from b2stream.errors import Poison
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.log_rows import link, note_superseded, repeated_close
from tests.unit.audit.facts import digest, judged, kinds, whole_archive
from tests.unit.batches.test_history import COMMIT
from tests.unit.processor.stations import StationBatch, attempt_name

LOST, AGAIN = attempt_name(1), attempt_name(2)
CLOSE = replace(StationBatch().record(AGAIN), series_number=8, previous=digest("one before"), supersedes=(LOST,))


def repeat(close: BatchClosed) -> BatchRepeated:
    text = canonical_json({**close.to_json(), "signature": close.signature}).decode()
    return BatchRepeated(
        batch="b" * 64,
        station=close.station,
        series=close.series,
        series_number=close.series_number,
        close=text,
        topic_id="topic",
        partition=3,
        close_offset=7,
    )


def superseded(index: Index) -> dict[str, tuple[int | None, str | None, int | None]]:
    """(number, topic, partition) of the close that supersedes it, by attempt."""
    rows = index.rows("SELECT * FROM superseded")
    return {row["attempt"]: (row["by_number"], row["by_topic"], row["by_partition"]) for row in rows}


def test_a_commit_event_ends_its_own_attempt_and_those_that_it_supersedes() -> None:
    index, event = Index(), replace(COMMIT, supersedes=(LOST,), series_number=8)
    note_superseded(index, event, event)
    assert superseded(index) == {LOST: (8, event.topic_id, event.partition), event.attempt: (None, None, None)}


def test_a_repeat_ends_attempts_as_well_and_is_a_link_of_the_chain_with_its_topic() -> None:
    index, record = Index(), repeat(CLOSE)
    close = repeated_close(record)
    assert close == CLOSE
    link(index, close, "repeat", record.topic_id)
    note_superseded(index, record, close)
    assert superseded(index) == {LOST: (8, "topic", 3), AGAIN: (None, None, None)}
    (row,) = index.rows("SELECT number, previous, attempt, topic_id FROM link")
    assert tuple(row) == (8, digest("one before"), AGAIN, "topic")


def test_a_letter_of_an_attempt_that_a_repeat_supersedes_is_resolved() -> None:
    index = whole_archive(1)
    index.put("letter", [{"id": "1", "attempt": LOST, "batch": "", "station": "SE-Htm", "reason": "abandoned",
                          "detail": "silent", "poison": 0, "appended_at_us": 0}])  # fmt: skip
    assert kinds(judged(index)) == [("refused", f"SE-Htm/{LOST}", "")]
    note_superseded(index, repeat(CLOSE), CLOSE)
    assert judged(index) == []


def test_a_repeat_that_holds_no_close_is_poison() -> None:
    for text in ("{}", "[]", "no JSON"):
        with pytest.raises(Poison):
            repeated_close(replace(repeat(CLOSE), close=text))


def test_I9_a_close_that_nobody_can_tell_to_be_its_station_s_own_is_claimed_and_no_link() -> None:
    index = Index()
    link(index, CLOSE, "letter", "topic", is_its_own=False)
    assert (index.count("link"), index.count("claimed")) == (0, 1)
    link(index, CLOSE, "close", "topic")
    assert [row["source"] for row in index.rows("SELECT source FROM link")] == ["close"], "its key came later"
