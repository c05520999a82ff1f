"""The journal outlives what happens to its disk and its owner, and says so where it cannot."""

import multiprocessing
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from b2stream.contracts.records import LONGEST_CLOSE_BYTES
from b2stream.errors import ConfigurationError, Fatal
from b2stream.programs.gateway.journal.journal import (
    MOST_SUPERSEDED,
    Journal,
    JournalFailed,
    JournalInUse,
    JournalLock,
)
from tests.unit.gateway.stands import STATION, Stand, toa5


def test_a_second_gateway_on_the_same_journal_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    first = JournalLock(tmp_path / "journal.sqlite")
    with pytest.raises(JournalInUse, match=r"journal\.sqlite"):
        JournalLock(tmp_path / "journal.sqlite")
    first.release()
    JournalLock(tmp_path / "journal.sqlite").release()


def hold(path: Path, held: "multiprocessing.synchronize.Event") -> None:
    lock = JournalLock(path)
    held.set()
    multiprocessing.Event().wait()
    lock.release()


def test_the_lock_of_a_killed_gateway_is_free(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    held = spawn.Event()
    other = spawn.Process(target=hold, args=(tmp_path / "journal.sqlite", held))
    other.start()
    assert held.wait(60)
    with pytest.raises(JournalInUse):
        JournalLock(tmp_path / "journal.sqlite")
    other.kill()
    other.join()
    JournalLock(tmp_path / "journal.sqlite").release()


def test_receipts_and_retry_work_beside_a_running_gateway(stand: Stand) -> None:
    stand.write("a.bin", b"content")
    gateway = stand.start()
    gateway.step()
    beside = Journal(stand.journal_path)
    assert [attempt.outcome for attempt in beside.batches()] == ["sent"]
    beside.ask_retry("a.bin")
    assert gateway.journal.outcomes() == {"a.bin": "sending"}
    beside.close_file()


def test_a_close_names_no_more_attempts_than_it_has_room_for_and_the_next_one_names_the_others(stand: Stand) -> None:
    path = stand.write("a.bin", b"content")
    gateway = stand.start()
    gateway.step()
    (sent,) = stand.log.closes()
    given_up = [f"{number:032x}" for number in range(1_000, 1_000 + MOST_SUPERSEDED + 9)]
    for attempt in given_up:
        gateway.journal.plan(replace(sent, attempt=attempt, series_number=-1), ())
        gateway.journal.give_up(attempt)
    named = []
    for content in (b"other", b"another", b"last"):
        path.write_bytes(content)
        gateway.step()
        named.append(stand.log.closes()[-1])
    assert [list(close.supersedes) for close in named] == [given_up[9:], given_up[:9], []]
    assert max(len(close.to_body()) for close in named) < LONGEST_CLOSE_BYTES // 8


def test_the_journal_of_another_station_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path / "j", STATION).close_file()
    with pytest.raises(ConfigurationError, match="station DE-Tst, not of SE-Htm"):
        Journal(tmp_path / "j", "SE-Htm")


def test_a_journal_of_another_release_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path / "j", STATION).close_file()
    with sqlite3.connect(tmp_path / "j") as db:
        db.execute("UPDATE facts SET value = '99' WHERE name = 'version'")
    db.close()
    with pytest.raises(ConfigurationError, match="version 99"):
        Journal(tmp_path / "j", STATION)


VERSION_1 = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE files (
    name TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL, modified_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL, inode TEXT NOT NULL
);
CREATE TABLE series (series TEXT PRIMARY KEY, number INTEGER NOT NULL, digest TEXT NOT NULL);
CREATE TABLE attempts (
    place INTEGER PRIMARY KEY AUTOINCREMENT, attempt TEXT NOT NULL UNIQUE, name TEXT NOT NULL, batch TEXT NOT NULL,
    state TEXT NOT NULL, close TEXT NOT NULL, cuts TEXT, tries INTEGER NOT NULL,
    superseded INTEGER NOT NULL DEFAULT 0, retry INTEGER NOT NULL DEFAULT 0,
    topic_id TEXT, close_offset INTEGER, closed_at_us INTEGER, lost_reason TEXT, lost_at_us INTEGER,
    refused_reason TEXT, refused_detail TEXT, passed_at_us INTEGER
);
CREATE TABLE receipts (
    batch TEXT PRIMARY KEY, committed_at_us INTEGER, id24 TEXT, pid TEXT, url TEXT, path TEXT,
    replicated_at_us INTEGER, second_url TEXT
);
CREATE TABLE positions (topic TEXT PRIMARY KEY, topic_id TEXT NOT NULL, next_offset INTEGER NOT NULL);
INSERT INTO facts VALUES ('version', '1'), ('station', 'DE-Tst');
"""


def test_a_journal_of_the_first_form_is_brought_up_to_date_with_its_receipts(stand: Stand) -> None:
    for name in ("replicated.bin", "sent.bin"):
        stand.write(name, name.encode())
    stand.start().step()
    made = Journal(stand.journal_path)
    rows = made.file.connection.execute(
        "SELECT attempt, name, batch, state, close, tries, closed_at_us FROM attempts"
    ).fetchall()
    made.close_file()
    old = stand.journal_path.with_name("old.sqlite")
    with sqlite3.connect(old) as db:
        db.executescript(VERSION_1)
        columns = "attempt, name, batch, state, close, tries, closed_at_us"
        db.executemany(f"INSERT INTO attempts ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", [tuple(row) for row in rows])
        batch = next(row["batch"] for row in rows if row["name"] == "replicated.bin")
        db.execute("INSERT INTO receipts VALUES (?, 1, 'id24', NULL, 'url', 'path', 2, 'second')", (batch,))
    db.close()
    for _ in range(2):
        journal = Journal(old, STATION)
        assert journal.outcomes() == {"replicated.bin": "replicated", "sent.bin": "sent"}
        assert [attempt.path for attempt in journal.batches() if attempt.name == "replicated.bin"] == ["path"]
        journal.close_file()


def test_a_file_that_is_no_journal_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"somebody's diary, and longer than any header of SQLite " * 50)
    before = (tmp_path / "j").read_bytes()
    with pytest.raises(JournalFailed, match="not a database"):
        Journal(tmp_path / "j", STATION)
    assert (tmp_path / "j").read_bytes() == before


def test_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalFailed, match="file"):
        Journal(tmp_path / "file" / "journal.sqlite", STATION)
    with pytest.raises(JournalFailed, match="file"):
        JournalLock(tmp_path / "file" / "journal.sqlite")


def test_I1_a_full_disk_stops_the_gateway_before_it_publishes_what_it_could_not_write_down(stand: Stand) -> None:
    gateway = stand.start()
    gateway.journal.file.connection.execute("PRAGMA max_page_count = 16")
    for number in range(300):
        stand.write(f"{number:03d}.bin", b"x" * (number + 1))
    with pytest.raises(JournalFailed, match="full") as failed:
        gateway.step()
    assert isinstance(failed.value, Fatal)
    stand.start().step()
    closes = stand.log.closes()
    assert len({close.name for close in closes}) == 300
    numbers = [close.series_number for close in closes]
    assert sorted(set(numbers)) == list(range(300)), "a close was published that the journal does not know"


def test_a_journal_that_became_read_only_is_an_error(stand: Stand) -> None:
    stand.write("met.dat", toa5(5))
    gateway = stand.start()
    gateway.journal.file.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(JournalFailed, match="readonly"):
        gateway.step()
    assert stand.log.messages == []


def test_every_write_is_on_disk_before_the_next_step(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", STATION)
    assert journal.file.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert journal.file.connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    journal.close_file()


def open_and_write(path: Path, go: "multiprocessing.synchronize.Event") -> None:
    go.wait()
    journal = Journal(path, STATION)
    journal.ask_retry("a")
    journal.close_file()


def test_several_processes_may_open_a_new_journal_at_the_same_moment(tmp_path: Path) -> None:
    """Somebody looks at receipts while the gateway starts for the first time."""
    context = multiprocessing.get_context("fork")
    for attempt in range(5):
        go = context.Event()
        path = tmp_path / f"journal-{attempt}"
        openers = [context.Process(target=open_and_write, args=(path, go)) for _ in range(6)]
        for opener in openers:
            opener.start()
        go.set()
        for opener in openers:
            opener.join(60)
        assert [opener.exitcode for opener in openers] == [0] * 6
