"""What the replicator promises: each committed batch at the second centre, announced, acknowledged, and never twice."""

import threading

from b2stream.archive.memory import MemoryStore
from b2stream.contracts.partitions import partition_of
from b2stream.policies import Policies, Rule
from b2stream.software import who_runs_this
from tests.replication.batches import PARTITIONS, archive
from tests.replication.fakelog import FakeLog
from tests.replication.in_thread import running
from tests.unit.replicator.stand import assert_replicated, copies, make
from tests.waiting import PATIENCE_S, until


def test_I7_each_committed_batch_comes_to_the_second_centre_under_its_path_and_is_announced(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    contents = {number: bytes([number]) * (number * 1000) for number in range(12)}
    stations = ["SE-Htm", "DE-HoH", "CH-Dav"]
    commits = [archive(first, number, content, stations[number % 3]) for number, content in contents.items()]
    for commit in commits:
        log.append(commit)
    with running(make(log, first, second)):
        until(log.all_committed)
    for commit, content in zip(commits, contents.values(), strict=True):
        assert_replicated(second, commit, content)
    events = {event.commit.batch: event for event in log.replicas()}
    assert len(log.replicas()) == 12
    for commit in commits:
        event = events[commit.batch]
        assert event.commit == commit
        assert event.centre == "fzj"
        assert event.who == who_runs_this()
        assert event.url == second.url(commit.path)
        assert event.replicated_at_us > commit.committed_at_us - 10**18
    for topic, partition, key, _, headers in log.published:
        assert topic == "test.replicas"
        found = dict(headers)
        batch, _, centre = found["ce_id"].decode().partition("/")
        assert centre == "fzj"
        assert key.decode() == events[batch].commit.station
        assert partition == partition_of(key.decode(), PARTITIONS)
        assert found["ce_type"] == b"b2stream.BatchReplicated"
    assert list(second.list_staged()) == []


def test_a_series_of_which_one_copy_is_wanted_is_not_copied_and_the_next_goes_on(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    once, twice = archive(first, 1, b"wind", "SE-Htm"), archive(first, 2, b"rain", "DE-HoH")
    rules = (Rule(series="SE-Htm/*", copies=1), Rule(series="*"))
    log.append(once)
    log.append(twice)
    with running(make(log, first, second, policies=Policies("rules-1", "00", rules))):
        until(log.all_committed)
    assert [event.commit.batch for event in log.replicas()] == [twice.batch]
    assert second.describe(once.path) is None


def test_the_manifest_is_placed_last(log: FakeLog, first: MemoryStore, second: MemoryStore) -> None:
    commit = archive(first, 1, b"wind")
    log.append(commit)
    with running(make(log, first, second)):
        until(log.all_committed)
    assert copies(second) == [commit.path, commit.manifest_path]


def test_the_replica_event_has_a_deterministic_id_and_the_partition_of_its_station(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    commit = archive(first, 1, b"wind")
    message = log.append(commit)
    with running(make(log, first, second)):
        until(log.all_committed)
    [(_, partition, key, _, headers)] = log.published
    assert dict(headers)["ce_id"].decode() == f"{commit.batch}/fzj"
    assert partition == message.partition  # both topics have as many partitions
    assert key == b"SE-Htm"


def test_I8_nothing_is_acknowledged_before_kafka_has_the_replica_event(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    log.hold_acknowledgements = True
    held = log.append(archive(first, 1, b"wind", "SE-Htm")).partition
    with running(make(log, first, second)):
        until(lambda: len(log.published) == 1)
        log.hold_acknowledgements = False
        later = log.append(archive(first, 2, b"calm", "CH-Dav")).partition
        assert later != held
        until(lambda: log.committed == {later: 1})  # acknowledgements go on, and not for the one that is held
        log.acknowledge()
        until(log.all_committed)


def test_I8_the_committed_offset_is_the_lowest_unfinished_one(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    commits = [archive(first, number, b"wind %d" % number) for number in range(6)]
    for commit in commits:
        log.append(commit)
    gate = threading.Event()

    def hold_the_third(call: str, about: str) -> None:
        if call == "place" and about == commits[2].path:
            gate.wait(PATIENCE_S)

    second.before_call = hold_the_third
    with running(make(log, first, second, copies_in_flight=2)):
        until(lambda: len(log.replicas()) == 5)
        [partition] = log.messages
        until(lambda: log.committed.get(partition) == 2)
        gate.set()
        until(log.all_committed)
    offsets = [offset for _, offset in log.commits_seen]
    assert offsets == sorted(offsets)


def test_copies_of_different_batches_overlap_up_to_the_setting(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    for number in range(9):
        log.append(archive(first, number, b"wind %d" % number))
    inside, most, lock = 0, 0, threading.Lock()
    three = threading.Event()

    def count(call: str, about: str) -> None:
        nonlocal inside, most
        if call != "find":
            return
        with lock:
            inside += 1
            most = max(most, inside)
            if inside == 3:
                three.set()
        three.wait(PATIENCE_S)
        with lock:
            inside -= 1

    second.before_call = count
    with running(make(log, first, second, copies_in_flight=3)):
        until(log.all_committed)
    assert most == 3


# Repeats and races ----------------------------------------------------------------------------------------------------


def test_a_replay_of_all_commits_copies_nothing_twice_and_announces_all_the_same(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    for number in range(5):
        log.append(archive(first, number, b"wind %d" % number))
    with running(make(log, first, second)):
        until(log.all_committed)
    first.calls.clear()
    second.calls.clear()
    log.committed.clear()
    log._positions.clear()
    with running(make(log, first, second)):
        until(log.all_committed)
    assert first.calls == []
    assert {call for call, _ in second.calls} == {"find"}
    ids = [dict(headers)["ce_id"] for _, _, _, _, headers in log.published]
    assert len(ids) == 10
    assert len(set(ids)) == 5


def test_two_events_of_one_batch_are_not_copied_beside_each_other(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    commit = archive(first, 1, b"wind")
    for _ in range(4):
        log.append(commit)
    with running(make(log, first, second, copies_in_flight=4)):
        until(log.all_committed)
    assert len([call for call, _ in second.calls if call == "stage"]) == 2
    assert len(log.replicas()) == 4


def test_two_replicators_on_one_batch_place_it_once(first: MemoryStore, second: MemoryStore) -> None:
    commits = [archive(first, number, b"wind %d" % number) for number in range(8)]
    logs = [FakeLog(), FakeLog()]
    for log in logs:
        for commit in commits:
            log.append(commit)
    with running(make(logs[0], first, second)), running(make(logs[1], first, second)):
        until(lambda: all(log.all_committed() for log in logs))
    for number, commit in enumerate(commits):
        assert_replicated(second, commit, b"wind %d" % number)
    assert list(second.list_staged()) == []
    assert len(list(second.list())) == 16


def test_a_data_object_that_is_there_already_gets_its_manifest_only(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    commit = archive(first, 1, b"wind")
    second.put(commit.path, b"wind")
    log.append(commit)
    with running(make(log, first, second)):
        until(log.all_committed)
    assert copies(second) == [commit.manifest_path]
    assert [about for call, about in first.calls if call == "read"] == [commit.manifest_path]


def test_a_lost_partition_is_begun_again_and_old_copies_acknowledge_nothing(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    commits = [archive(first, number, b"wind %d" % number) for number in range(3)]
    partition = log.append(commits[0]).partition
    gate = threading.Event()

    def hold_staging(call: str, about: str) -> None:
        if call == "stage":
            gate.wait(PATIENCE_S)

    second.before_call = hold_staging
    with running(make(log, first, second)):
        until(lambda: any(call == "find" for call, _ in second.calls))
        log.revoke(partition)
        log.append(commits[1])
        log.append(commits[2])
        until(lambda: log._positions.get(partition) == 3)
        gate.set()
        until(log.all_committed)
    for number, commit in enumerate(commits):
        assert_replicated(second, commit, b"wind %d" % number)
