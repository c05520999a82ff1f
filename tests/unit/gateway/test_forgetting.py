"""The journal forgets what is archived twice, and keeps what it needs: what is unchanged, what is replaced, where a chain ends."""

import json
import sqlite3

import pytest
from click.testing import CliRunner

from b2stream.batches.manifest import batch_of
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed, Relation
from b2stream.programs.gateway.cli import gateway as command
from b2stream.programs.gateway.closing import close_digest
from b2stream.programs.gateway.journal.forgetting import DAY_S, Forgetting
from b2stream.programs.gateway.journal.journal import Journal, ReceiptWriter
from b2stream.programs.gateway.program import Gateway
from tests.unit.gateway.events import replica_of, write_commit
from tests.unit.gateway.stands import Stand, toa5

KEEP_DAYS = 90.0


class Station:
    """A gateway that forgets, on a clock that goes when told to."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.ahead_us = 0
        self.start()

    def start(self) -> None:
        self.gateway: Gateway = self.stand.start()
        journal, real = self.gateway.journal, self.gateway.journal._clock
        journal._clock = lambda: real() + self.ahead_us
        journal.file.connection.execute("PRAGMA synchronous=OFF")  # no power is cut here
        self.gateway.forget = Forgetting(journal, KEEP_DAYS, lambda: self.ahead_us / 1e6).now_and_then

    @property
    def journal(self) -> Journal:
        return self.gateway.journal

    def send(self, name: str, content: bytes) -> BatchClosed:
        self.stand.write(name, content)
        self.gateway.step()
        return BatchClosed.from_framed(Framing().unframe(self.stand.log.messages[-1][0]))

    def receive(self, *closes: BatchClosed, replicas: bool = True) -> None:
        def apply(writer: ReceiptWriter) -> None:
            for close in closes:
                write_commit(writer, close)
                if replicas:
                    writer.replicated(batch_of(close), 2, replica_of(close).url)

        self.journal.write_receipts(apply)

    def letter(self, close: BatchClosed, reason: str, *, poison: bool) -> None:
        def apply(writer: ReceiptWriter) -> None:
            writer.letter(close.attempt, "", reason, "detail", poison=poison)

        self.journal.write_receipts(apply)

    def later(self, days: float) -> None:
        self.ahead_us += round(days * DAY_S * 1e6)
        self.gateway.step()

    def rows(self, table: str) -> int:
        return int(self.journal.file.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.fixture
def station(stand: Stand) -> Station:
    return Station(stand)


def test_I10_the_journal_keeps_a_short_row_per_name_of_what_is_archived_twice(station: Station) -> None:
    closes = [station.send(f"{number:03d}.dat", toa5(3, number)) for number in range(20)]
    station.receive(*closes)
    station.later(KEEP_DAYS - 1)
    assert (station.rows("attempts"), station.rows("receipts"), station.rows("archived")) == (20, 20, 0)
    station.later(2)
    assert (station.rows("attempts"), station.rows("receipts"), station.rows("archived")) == (0, 0, 20)


def test_I10_what_has_the_one_copy_that_its_policy_wants_is_forgotten_too(station: Station) -> None:
    close = station.send("met.dat", toa5(3))
    station.receive(close, replicas=False)
    station.later(KEEP_DAYS + 1)
    assert station.rows("archived") == 0, "its second copy may still come"
    station.journal.write_receipts(lambda writer: writer.only_copy(batch_of(close), 2))
    station.later(2)
    assert (station.rows("attempts"), station.rows("archived")) == (0, 1)


def test_I10_its_size_follows_the_names_and_not_the_contents(station: Station) -> None:
    """Corrections of one file for a year: as large as after the first 90 days."""
    sizes = []
    for month in range(12):
        station.receive(*(station.send("met.dat", toa5(3, 100 * month + number)) for number in range(5)))
        station.later(30)
        sizes.append(int(station.journal.file.connection.execute("PRAGMA page_count").fetchone()[0]))
        assert station.rows("attempts") <= 5 * 4
    assert sizes[-1] <= sizes[5] + 2


def test_a_row_that_stays_is_small(station: Station) -> None:
    """The figure in the documentation: about 0.6 KB for each name."""
    count = 50
    closes = [station.send(f"DE-Tst_EC_2026030{number:05d}_L01_F01.csv", b"%d" % number) for number in range(count)]
    station.receive(*closes)
    station.later(KEEP_DAYS + 1)
    names = "SELECT sum(pgsize) FROM dbstat WHERE name IN ('archived', 'files', 'sqlite_autoindex_archived_1')"
    try:
        (size_bytes,) = station.journal.file.connection.execute(names).fetchone()
    except sqlite3.OperationalError:
        pytest.skip("this SQLite has no dbstat")
    assert size_bytes / count < 800


def test_an_unchanged_file_stays_unchanged(station: Station) -> None:
    station.receive(station.send("met.dat", toa5(5)))
    station.later(KEEP_DAYS + 1)
    assert station.rows("attempts") == 0
    (station.stand.folder / "met.dat").touch()  # looks other than before
    station.start()
    station.later(1)
    assert len(station.stand.log.closes()) == 1
    assert station.gateway.is_taken("met.dat")


def test_I2_the_chain_goes_on_and_a_correction_names_what_it_replaces(station: Station) -> None:
    first = station.send("met.dat", toa5(5, 1))
    station.receive(first)
    station.later(KEEP_DAYS + 1)
    second = station.send("met.dat", toa5(5, 2))
    assert (second.series_number, second.previous) == (1, close_digest(first))
    assert second.relation == Relation("replaces", batch_of(first))
    station.receive(second)
    station.later(KEEP_DAYS + 1)
    third = station.send("met.dat", toa5(5, 1))
    assert third.relation == Relation("replaces", batch_of(second))


def test_what_is_sent_once_more_stands_as_it_stood(station: Station) -> None:
    first = station.send("met.dat", toa5(5, 1))
    second = station.send("met.dat", toa5(5, 2))
    station.receive(first, second)
    station.later(KEEP_DAYS + 1)
    content = station.journal.accepted("met.dat")
    assert content is not None
    assert (content.batch, content.relation) == (batch_of(second), Relation("replaces", batch_of(first)))


def test_I1_what_lacks_a_receipt_is_never_forgotten(station: Station) -> None:
    station.send("sent.bin", b"1")
    station.receive(station.send("committed.bin", b"2"), replicas=False)
    refused = station.send("refused.bin", b"3")
    overwritten = station.send("changed.bin", b"4")  # nothing ever answered it
    station.receive(station.send("changed.bin", b"5"))
    station.letter(refused, "bad_block", poison=True)
    station.later(10 * KEEP_DAYS)
    assert station.journal.outcomes() == {
        "sent.bin": "sent",
        "committed.bin": "committed",
        "refused.bin": "refused",
        "changed.bin": "replicated",
    }
    assert overwritten.attempt in {attempt.attempt for attempt in station.journal.batches()}
    assert [attempt.name for attempt in station.journal.outstanding()] == ["sent.bin", "refused.bin"]


def test_a_later_content_that_is_on_its_way_is_kept(station: Station) -> None:
    first = station.send("met.dat", toa5(5, 1))
    station.receive(first)
    second = station.send("met.dat", toa5(5, 2))
    station.later(KEEP_DAYS + 1)
    assert [attempt.attempt for attempt in station.journal.batches()] == [second.attempt]
    assert station.journal.outcomes() == {"met.dat": "sent"}


def test_attempts_that_a_close_superseded_go_with_it(station: Station) -> None:
    lost = station.send("a.bin", b"1")
    station.letter(lost, "abandoned", poison=False)
    station.journal.ask_retry("a.bin")
    attempt = station.journal.latest("a.bin")
    assert attempt is not None
    station.gateway._repeat(station.gateway.present["a.bin"], attempt, "asked")
    again = station.stand.log.closes()[-1]
    assert again.supersedes == (lost.attempt,)
    station.receive(again)
    station.later(KEEP_DAYS + 1)
    assert station.rows("attempts") == 0


def test_it_forgets_at_the_start_and_once_a_day(station: Station) -> None:
    asked = []

    class Counting:
        def forget(self, older_than_s: float) -> int:
            asked.append(older_than_s)
            return 0

    now = 5.0
    forgetting = Forgetting(Counting(), 90, lambda: now)
    for now in (5.0, 6.0, DAY_S, DAY_S + 5.0, DAY_S + 6.0):  # noqa: B007  # the lambda reads it
        forgetting.now_and_then()
    assert asked == [90 * DAY_S] * 2


def test_receipts_still_say_that_a_forgotten_file_is_safe_to_delete(station: Station) -> None:
    station.receive(station.send("met.dat", toa5(5)), station.send("blob.bin", b"1"))
    (before, after) = ("", "")
    for days in (1, KEEP_DAYS + 1):
        station.later(days)
        before, after = (
            after,
            CliRunner().invoke(command, ["receipts", "--journal", str(station.stand.journal_path)]).stdout,
        )
    assert before == after
    assert after.count("replicated (safe to delete)") == 2
    for words in ([], ["--all"]):
        shown = CliRunner().invoke(
            command, ["receipts", "--json", *words, "--journal", str(station.stand.journal_path)]
        )
        assert shown.exit_code == 0
        files = {each["file"]: each for each in json.loads(shown.stdout)["files"]}
        assert files["met.dat"]["safe_to_delete"]
        assert (files["met.dat"]["rows"], files["blob.bin"]["opaque_reason"]) == (5, "not_recognised")
    retried = CliRunner().invoke(command, ["retry", "met.dat", "--journal", str(station.stand.journal_path)])
    assert "nothing to send again" in retried.stdout
