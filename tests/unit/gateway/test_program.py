"""What a gateway publishes: each content once, corrections as replacements, and what was begun is finished."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from b2stream.batches.manifest import batch_of
from b2stream.contracts.records import BatchClosed, Relation
from b2stream.errors import Retryable
from b2stream.programs.gateway import snapshot as snapshots
from b2stream.programs.gateway.cluster import LogFacts
from b2stream.programs.gateway.journal.journal import Journal, ReceiptWriter
from b2stream.programs.gateway.outstanding import Outstanding
from tests.unit.gateway.events import write_commit
from tests.unit.gateway.stands import TOPIC_ID, Log, Stand, judge, toa5


def commit(journal: Journal, close: BatchClosed) -> None:
    journal.write_receipts(lambda writer: write_commit(writer, close))


def refuse(journal: Journal, attempt: str, *, poison: bool = True) -> None:
    def apply(writer: ReceiptWriter) -> None:
        writer.letter(attempt, "", "bad_block" if poison else "abandoned", "detail", poison=poison)

    journal.write_receipts(apply)


def test_I3_every_file_arrives_byte_for_byte_and_row_for_row(stand: Stand) -> None:
    contents = {"met.dat": toa5(200), "blob.bin": os.urandom(20_000), "empty.csv": b""}
    for name, content in contents.items():
        stand.write(name, content)
    stand.start().step()
    batches = judge(stand.log).values()
    assert {batch.close.name: batch.raw for batch in batches} == contents
    assert {batch.close.name: batch.close.rows for batch in batches} == {"met.dat": 200, "blob.bin": 0, "empty.csv": 0}


def test_a_close_comes_after_all_blocks_of_its_attempt(stand: Stand) -> None:
    stand.write("met.dat", toa5(300))
    stand.start().step()
    (close,) = stand.log.closes()
    assert close.count > 1
    assert len(stand.log.messages) == close.count + 1


def test_a_file_that_is_there_unchanged_or_sent_again_unchanged_is_not_published_again(stand: Stand) -> None:
    path = stand.write("met.dat", toa5(5))
    gateway = stand.start()
    gateway.step()
    gateway.step()
    path.unlink()
    gateway.step()
    stand.write("met.dat", toa5(5))
    gateway.step()
    stand.start().step()
    assert len(stand.log.closes()) == 1


def test_another_content_replaces_the_latest_one_of_its_name(stand: Stand) -> None:
    gateway = stand.start()
    for first in (1.0, 2.0, 3.0):
        stand.write("met.dat", toa5(5, first))
        gateway.step()
    one, two, three = stand.log.closes()
    assert one.relation is None
    assert two.relation == Relation("replaces", batch_of(one))
    assert three.relation == Relation("replaces", batch_of(two))
    assert [close.series_number for close in (one, two, three)] == [0, 1, 2]
    judge(stand.log)


def test_going_back_to_an_older_content_is_published_again_and_waits_for_a_receipt_of_its_own(stand: Stand) -> None:
    gateway = stand.start()
    for first in (1.0, 2.0, 1.0):
        stand.write("met.dat", toa5(5, first))
        gateway.step()
        commit(gateway.journal, stand.log.closes()[-1])
        if len(stand.log.closes()) < 3:
            assert gateway.journal.outcomes() == {"met.dat": "committed"}
    one, two, three = stand.log.closes()
    assert batch_of(three) == batch_of(one)
    assert three.series_number == 2
    assert three.relation == Relation("replaces", batch_of(two))


def test_what_was_refused_is_not_what_a_new_content_replaces(stand: Stand) -> None:
    gateway = stand.start()
    for first in (1.0, 2.0, 3.0):
        stand.write("met.dat", toa5(5, first))
        gateway.step()
        if first == 2.0:
            refuse(gateway.journal, stand.log.closes()[-1].attempt)
    one, _, three = stand.log.closes()
    assert three.relation == Relation("replaces", batch_of(one))


def test_a_file_that_changes_while_it_is_published_starts_a_new_attempt_that_supersedes(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots.take, "__defaults__", (1000,))  # files above 1000 bytes stay on disk
    path = stand.write("large.bin", b"a" * 30_000)

    def change() -> None:
        if len(stand.log.messages) == 3:
            path.write_bytes(b"b" * 30_000)

    stand.log.before_append = change
    gateway = stand.start()
    gateway.step()
    assert stand.log.closes() == []
    gateway.step()
    (close,) = stand.log.closes()
    first = "0" * 31 + "1"
    assert close.supersedes == (first,)
    assert stand.log.bodies(first), "the first attempt had published blocks"
    (batch,) = judge(stand.log).values()
    assert batch.raw == b"b" * 30_000


def test_an_attempt_that_was_begun_goes_on_with_the_same_cuts_whatever_the_setting_is_by_now(stand: Stand) -> None:
    stand.write("met.dat", toa5(300))
    stand.log.before_append = _kill_at_second(stand)
    with pytest.raises(KeyboardInterrupt):
        stand.start().step()
    stand.log.before_append = lambda: None
    stand.block_bytes = 100_000
    stand.start().step()
    (close,) = stand.log.closes()
    assert close.attempt == "0" * 31 + "1"
    assert close.count > 3
    assert close.supersedes == ()
    judge(stand.log)


def test_an_attempt_that_was_begun_is_superseded_if_its_file_changed_meanwhile(stand: Stand) -> None:
    stand.write("met.dat", toa5(300))
    stand.log.before_append = _kill_at_second(stand)
    with pytest.raises(KeyboardInterrupt):
        stand.start().step()
    stand.log.before_append = lambda: None
    stand.write("met.dat", toa5(301))
    stand.start().step()
    (close,) = stand.log.closes()
    assert close.supersedes == ("0" * 31 + "1",)
    assert close.relation is None, "the first content was never published"
    assert close.series_number == 0


@pytest.mark.parametrize("then", ["same", "changed", "gone"])
def test_a_close_that_may_have_been_published_is_published_as_it_was_whatever_became_of_the_file(
    stand: Stand, then: str
) -> None:
    path = stand.write("met.dat", toa5(50))
    gateway = stand.start()
    gateway.topic_id = _killed
    with pytest.raises(KeyboardInterrupt):
        gateway.step()
    assert stand.log.closes() == []
    if then == "changed":
        stand.write("met.dat", toa5(60))
    elif then == "gone":
        path.unlink()
    stand.start().step()
    closes = stand.log.closes()
    assert (closes[0].rows, closes[0].series_number, closes[0].attempt) == (50, 0, "0" * 31 + "1")
    assert [close.rows for close in closes] == ([50, 60] if then == "changed" else [50])
    judge(stand.log)


def _killed() -> str:
    raise KeyboardInterrupt


def test_a_file_that_cannot_be_read_does_not_keep_the_others_waiting(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.write("a.bin", b"1")
    bad = stand.write("b.bin", b"2")
    stand.write("c.bin", b"3")
    really_open = open

    def refusing(path: Path, *arguments: object) -> object:
        if path == bad:
            raise PermissionError(13, "Permission denied")
        return really_open(path, *arguments)  # type: ignore[call-overload]

    monkeypatch.setattr(snapshots, "open", refusing, raising=False)
    gateway = stand.start()
    gateway.step()
    assert {close.name for close in stand.log.closes()} == {"a.bin", "c.bin"}
    assert list(gateway.unreadable) == ["b.bin"]
    assert gateway.all_taken()
    monkeypatch.undo()
    gateway.step()
    assert {close.name for close in stand.log.closes()} == {"a.bin", "b.bin", "c.bin"}
    assert gateway.unreadable == {}


def test_kafka_failing_in_the_middle_is_gone_on_from_in_the_next_round(stand: Stand) -> None:
    stand.write("met.dat", toa5(300))
    failures = iter([None, None, Retryable("broken"), *[None] * 100])

    def fail() -> None:
        if error := next(failures):
            raise error

    stand.log.before_append = fail
    gateway = stand.start()
    with pytest.raises(Retryable):
        gateway.step()
    gateway.step()
    assert len(stand.log.closes()) == 1
    judge(stand.log)


def test_a_name_with_every_odd_character_goes_through(stand: Stand) -> None:
    name = "odd 'name' \"with\" 100% ~ and Ü\u2603.dat"
    stand.write(name, b"content")
    gateway = stand.start()
    gateway.step()
    gateway.step()
    (close,) = stand.log.closes()
    assert close.name == name


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes there only")
def test_a_name_that_is_no_text_goes_through(stand: Stand) -> None:
    (stand.folder / os.fsdecode(b"caf\xe9.dat")).write_bytes(b"content")
    gateway = stand.start()
    gateway.step()
    gateway.step()
    (close,) = stand.log.closes()
    assert close.name == "caf\\udce9.dat"


def test_a_file_that_vanishes_before_it_was_whole_in_the_log_is_reported(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    path = stand.write("met.dat", toa5(300))
    stand.log.before_append = _kill_at_second(stand)
    with pytest.raises(KeyboardInterrupt):
        stand.start().step()
    path.unlink()
    gateway = stand.start()
    gateway.outstanding = Outstanding(gateway.journal, lambda: LogFacts(TOPIC_ID, 0, 9, None), 3600.0)
    gateway.step()
    gateway.step()
    assert gateway.gone == {"met.dat"}
    assert caplog.text.count("not in the folder any more") == 1
    assert stand.log.closes() == []


def _kill_at_second(stand: Stand) -> Callable[[], None]:
    def kill() -> None:
        if len(stand.log.messages) == 2:
            raise KeyboardInterrupt

    return kill


def test_I12_without_its_journal_a_gateway_publishes_the_same_batches_again(stand: Stand) -> None:
    """The processor knows them by their batch ids, and nothing is archived twice."""
    for name, content in (("met.dat", toa5(50)), ("blob.bin", b"content")):
        stand.write(name, content)
    stand.start().step()
    batches = set(judge(stand.log))
    stand.close()
    for path in stand.journal_path.parent.glob("journal.sqlite*"):
        path.unlink()
    before = len(stand.log.messages)
    stand.start().step()
    again = Log(stand.log.messages[before:])
    assert set(judge(again)) == batches
