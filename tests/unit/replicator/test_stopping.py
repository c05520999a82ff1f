"""How the replicator stops, and what it does with events whose publishing fails."""

import time
from collections.abc import Iterator

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.store import ObjectState
from b2stream.contracts.envelopes import event_headers
from b2stream.errors import LostOffsets, Refused, Retryable
from tests.replication.batches import archive, event_value
from tests.replication.fakelog import FakeLog
from tests.replication.in_thread import running
from tests.unit.replicator.stand import assert_replicated, make
from tests.waiting import until


def test_a_stop_finishes_what_is_in_flight_and_acknowledges_it(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    commit = archive(first, 1, b"wind")
    log.append(commit)
    replicator = make(log, first, second)

    def stop_at_staging(call: str, about: str) -> None:
        if call == "stage":
            replicator.stop()

    second.before_call = stop_at_staging
    with running(replicator):
        until(log.all_committed)
    assert_replicated(second, commit, b"wind")


def test_a_stop_gives_up_a_large_copy_within_the_grace_and_leaves_nothing_staged(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    pieces, piece_bytes, length_s = 1000, 1024, 0.01
    commit = archive(first, 1, b"w" * (pieces * piece_bytes))
    log.append(commit)
    replicator = make(log, first, second, grace_s=0.1)
    read, were_read = first.read, 0

    def slow_read(path: str, chunk_bytes: int = 1 << 20, *, state: ObjectState | None = None) -> Iterator[bytes]:
        nonlocal were_read
        for piece in read(path, piece_bytes):
            replicator.stop()
            time.sleep(length_s)  # the copy takes a hundred times as long as the grace
            were_read += 1
            yield piece

    first.read = slow_read  # type: ignore[method-assign]
    with running(replicator):
        until(lambda: were_read > 0)
    until(lambda: list(second.list_staged()) == [])
    assert were_read < pieces
    assert list(second.list()) == []
    assert log.committed == {}


@pytest.mark.parametrize("error", [LostOffsets("the log begins at 7"), Refused("password")])
def test_fatal_errors_stop_it_loudly_after_what_was_done_is_acknowledged(
    log: FakeLog, first: MemoryStore, second: MemoryStore, error: Exception
) -> None:
    log.append(archive(first, 1, b"wind"))
    with pytest.raises(type(error)), running(make(log, first, second)):  # noqa: PT012  # the loop raises, at the end
        until(lambda: len(log.replicas()) == 1)
        if isinstance(error, LostOffsets):
            log.fatal = error
        else:
            second.fail("find", error)
            log.append(archive(first, 2, b"calm"))
        until(lambda: log.committed != {})
    assert list(log.committed.values()) == [1]


def test_an_event_whose_publishing_fails_is_announced_again(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    log.append(archive(first, 1, b"wind"))
    log.hold_acknowledgements = True
    with running(make(log, first, second)):
        until(lambda: len(log.published) == 1)
        log.hold_acknowledgements = False
        [future] = log._held
        log._held.clear()
        future.set_exception(Retryable("not enough replicas"))
        until(log.all_committed)
    assert len(log.replicas()) == 2


def test_headers_without_an_id_do_not_hinder_a_copy(log: FakeLog, first: MemoryStore, second: MemoryStore) -> None:
    commit = archive(first, 1, b"wind")
    log.append_raw(0, b"SE-Htm", event_value(commit), [])
    log.append_raw(0, b"SE-Htm", event_value(commit), event_headers("BatchCommitted", "other", "x", source="y"))
    with running(make(log, first, second)):
        until(log.all_committed)
    assert_replicated(second, commit, b"wind")
