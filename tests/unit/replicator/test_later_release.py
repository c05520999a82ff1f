"""A replicator that is upgraded after the processors: what it cannot read yet waits, what it can goes on, nothing is lost."""

import time
from types import SimpleNamespace

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.contracts.letters import read_letter
from b2stream.contracts.records import BatchCommitted
from b2stream.contracts.upgrades import UPGRADE_WAIT_S
from tests.replication.batches import archive, event_header_list, event_partition
from tests.replication.fakelog import FakeLog
from tests.replication.in_thread import running
from tests.unit.contracts.later_release import upgrade, value_of
from tests.unit.replicator.stand import assert_replicated, make
from tests.waiting import until


def announce_by_later_processor(log: FakeLog, commit: BatchCommitted) -> None:
    log.append_raw(event_partition(commit), commit.station.encode(), value_of(commit), event_header_list(commit))


def test_I7_commit_events_of_a_later_release_wait_for_the_upgrade_and_the_others_go_on(
    log: FakeLog, first: MemoryStore, second: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    later, known = archive(first, 1, b"wind"), archive(first, 2, b"rain")
    announce_by_later_processor(log, later)
    log.append(known)
    with running(make(log, first, second)):
        until(lambda: len(log.replicas()) == 1)
    assert [event.commit.batch for event in log.replicas()] == [known.batch]
    assert log.letters() == []
    assert log.committed.get(event_partition(later), 0) == 0, "it is read again by whoever comes next"
    upgrade(monkeypatch, "BatchCommitted")
    log.revoke(*log.messages)  # the one that was upgraded begins at the committed offsets
    with running(make(log, first, second)):
        until(log.all_committed)
    assert_replicated(second, later, b"wind")
    assert log.letters() == []


def test_I11_what_nobody_could_read_for_a_week_is_a_dead_letter(
    log: FakeLog, first: MemoryStore, second: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce_by_later_processor(log, archive(first, 1, b"wind"))
    in_a_week = SimpleNamespace(time_ns=lambda: time.time_ns() + UPGRADE_WAIT_S * 10**9)
    monkeypatch.setattr("b2stream.work.upgrading.time", in_a_week)
    with running(make(log, first, second)):
        until(log.all_committed)
    [(_, headers)] = log.letters()
    letter = read_letter(headers)
    assert letter is not None
    assert (letter.reason, letter.poison) == ("unknown_schema", True)
