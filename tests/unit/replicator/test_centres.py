"""Centres that are away or refuse, replies that are lost: lag, and neither loss nor doubles."""

import threading

import pytest
from prometheus_client import REGISTRY

from b2stream.archive.memory import MemoryStore
from b2stream.archive.store import ReplicaStatus
from b2stream.errors import AccessRefused, LostReply
from b2stream.monitoring import Health
from tests.replication.batches import archive
from tests.replication.fakelog import FakeLog
from tests.replication.in_thread import running
from tests.unit.replicator.stand import assert_replicated, make
from tests.waiting import until


@pytest.mark.parametrize("away", ["first", "second"])
def test_a_centre_that_is_away_is_lag_and_not_loss(
    log: FakeLog, first: MemoryStore, second: MemoryStore, away: str
) -> None:
    commits = [archive(first, number, b"wind %d" % number) for number in range(30)]
    store = first if away == "first" else second
    store.available = False
    for commit in commits:
        log.append(commit)
    health = Health()
    with running(make(log, first, second, health=health)):
        until(lambda: "commit events wait" in health.readyz()[1])
        assert log.committed == {}
        assert log.published == []
        assert health.healthz()[0]
        store.available = True
        until(log.all_committed)
        until(lambda: health.readyz()[0])
    assert log.letters() == []
    for number, commit in enumerate(commits):
        assert_replicated(second, commit, b"wind %d" % number)


def test_while_a_centre_is_away_one_batch_at_a_time_asks_for_it(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    for number in range(50):
        log.append(archive(first, number, b"wind %d" % number))
    [partition] = log.messages
    asked, lock, turns = 0, threading.Lock(), threading.Semaphore(0)

    def take_a_turn(call: str, about: str) -> None:
        nonlocal asked
        with lock:
            asked += 1
        turns.acquire()

    second.available = False
    second.before_call = take_a_turn
    with running(make(log, first, second, copies_in_flight=4)):
        turns.release(8)  # four ask at once, and one more may before it is known that nobody answers
        for probe in range(9, 13):
            until(lambda probe=probe: asked == probe)  # type: ignore[misc]
            log.append(archive(first, 41 + probe, b"later"))
            until(lambda probe=probe: log._positions[partition] == 42 + probe)  # type: ignore[misc]
            assert asked == probe, "a second batch asks beside the one that does"
            turns.release()
        turns.release(1000)


def test_I11_a_refused_batch_gives_up_its_slot_and_the_others_go_on(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    refused = archive(first, 0, b"refused", "CH-Dav")
    others = [archive(first, number, b"wind %d" % number) for number in range(1, 20)]
    forbidden = True

    def refuse(call: str, about: str) -> None:
        if forbidden and call == "place" and about.startswith("CH-Dav"):
            raise AccessRefused(about)

    second.before_call = refuse
    log.append(refused)
    for commit in others:
        log.append(commit)
    with running(make(log, first, second, copies_in_flight=1)):
        until(lambda: len(log.replicas()) == 19)
        assert log.letters() == []
        forbidden = False
        until(log.all_committed)
    assert_replicated(second, refused, b"refused")
    assert len([call for call, _ in second.calls if call == "stage"]) == 40  # what was staged is kept for the next try


@pytest.mark.parametrize("other", ["data object", "manifest"])
def test_I4_what_lies_at_the_second_centre_is_never_replaced_and_never_taken_for_the_copy(
    log: FakeLog, first: MemoryStore, second: MemoryStore, other: str
) -> None:
    commit, after = archive(first, 1, b"wind"), archive(first, 2, b"calm")
    second.put(commit.path, b"wind" if other == "manifest" else b"rain")
    if other == "manifest":
        second.put(commit.manifest_path, b'{"batch": "another"}')
    log.append(commit)
    log.append(after)
    with running(make(log, first, second)):
        until(lambda: len(log.replicas()) == 1)
        until(lambda: len([call for call, _ in second.calls if call == "find"]) >= 4)
        assert log.replicas()[0].commit.batch == after.batch
        assert log.letters() == []
        assert not log.all_committed()
    assert second.content(commit.path) == (b"wind" if other == "manifest" else b"rain")


@pytest.mark.parametrize("call", ["stage", "place"])
@pytest.mark.parametrize("done", [False, True])
def test_a_lost_reply_loses_and_doubles_nothing(
    log: FakeLog, first: MemoryStore, second: MemoryStore, call: str, done: bool
) -> None:
    commit = archive(first, 1, b"wind")
    second.fail(call, LostReply("the connection broke"), done=done)
    log.append(commit)
    with running(make(log, first, second)):
        until(log.all_committed)
    assert_replicated(second, commit, b"wind")
    assert len(list(second.list())) == 2


def test_I13_a_staged_object_that_cannot_be_removed_is_counted(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    before = REGISTRY.get_sample_value("b2stream_replicator_debris_total") or 0.0
    commit = archive(first, 1, b"wind")
    second.fail("stage", LostReply("cut"), leaves=ReplicaStatus.INTERMEDIATE)
    log.append(commit)
    with running(make(log, first, second)):
        until(log.all_committed)
    assert_replicated(second, commit, b"wind")
    assert [state.status for state in second.list_staged()] == [ReplicaStatus.INTERMEDIATE]
    assert REGISTRY.get_sample_value("b2stream_replicator_debris_total") == before + 1


def test_one_question_to_the_first_centre_serves_both_objects_and_one_look_both_staged_ones(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    commit = archive(first, 1, b"wind")
    first.calls.clear()
    log.append(commit)
    with running(make(log, first, second)):
        until(log.all_committed)
    assert [call for call, _ in first.calls] == ["find", "read", "read"]
    assert [call for call, _ in second.calls] == ["find", "stage", "stage", "find_staged", "place", "place", "find"]


def test_kafka_that_does_not_take_an_offset_is_asked_again(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    log.kafka_answers = False
    log.append(archive(first, 1, b"wind"))
    with running(make(log, first, second)):
        until(lambda: len(log.replicas()) == 1)
        log.kafka_answers = True
        until(log.all_committed)


def test_I10_the_events_held_in_memory_have_a_limit(log: FakeLog, first: MemoryStore, second: MemoryStore) -> None:
    second.available = False
    for number in range(60):
        log.append(archive(first, number, b"wind %d" % number))
    with running(make(log, first, second, backlog_limit=10)):
        until(lambda: log.paused)
        [partition] = log.messages
        assert log._positions[partition] <= 10 + 2 * 4  # waiting, and given to the four threads
        second.available = True
        until(log.all_committed)
    assert len(log.replicas()) == 60
