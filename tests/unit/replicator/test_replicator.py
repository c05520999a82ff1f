"""The replicator on a log in memory and two stores in memory: what it promises, and each way a copy can go wrong."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from b2stream.archive.memory import MemoryStore
from b2stream.archive.store import ObjectState, ReplicaStatus
from b2stream.contracts.envelopes import event_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.letters import read_letter
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchCommitted
from b2stream.errors import AccessRefused, LostOffsets, LostReply, Refused, Retryable
from b2stream.monitoring import Health
from b2stream.programs.replicator.events import Events
from b2stream.programs.replicator.replicator import Replicator
from tests.replication.batches import PARTITIONS, archive, committed, event_value
from tests.replication.fakelog import FakeLog
from tests.waiting import PATIENCE_S, until


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back off as in production, only faster."""
    monkeypatch.setattr("b2stream.work.schedule.FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr("b2stream.work.schedule.LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr("b2stream.work.loop.REPORT_EVERY_S", 0.05)


@pytest.fixture
def first() -> MemoryStore:
    return MemoryStore("csc")


@pytest.fixture
def second() -> MemoryStore:
    return MemoryStore("fzj", reply_timeout_s=0.2)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


def make(log: FakeLog, first: MemoryStore, second: MemoryStore, **more: object) -> Replicator:
    events = Events("test", PARTITIONS, "commits-topic-id", Framing())
    return Replicator(log, log, events, first, second, **{"grace_s": 2.0, "second_look_s": 0.02, **more})  # type: ignore[arg-type]


@contextmanager
def running(replicator: Replicator) -> Iterator[None]:
    """Run it in a thread; what it raises is raised here."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            replicator.run()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        replicator.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    if raised:
        raise raised[0]


def copies(store: MemoryStore) -> list[str]:
    return [about for call, about in store.calls if call == "place"]


def assert_replicated(second: MemoryStore, commit: BatchCommitted, content: bytes) -> None:
    assert second.content(commit.path) == content
    state = second.describe(commit.manifest_path)
    assert state is not None
    assert state.is_exactly(commit.manifest_size_bytes, commit.manifest_sha256)


# The ordinary way -----------------------------------------------------------------------------------------------------


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


# Dead letters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["data object", "manifest"])
@pytest.mark.parametrize("damage", ["missing", "changed", "shorter", "longer", "stale"])
def test_a_source_that_is_missing_or_does_not_match_is_a_dead_letter_and_the_rest_goes_on(
    log: FakeLog, first: MemoryStore, second: MemoryStore, which: str, damage: str
) -> None:
    good_before, bad, good_after = (archive(first, number, b"wind %d" % number) for number in range(3))
    path = bad.path if which == "data object" else bad.manifest_path
    content = first.content(path)
    if damage == "missing":
        first.remove(path)
    elif damage == "stale":
        first.put(path, content, status=ReplicaStatus.STALE)
    else:
        damaged = {"changed": b"X" + content[1:], "shorter": content[:-1], "longer": content + b"!"}[damage]
        first.change(path, damaged)
    messages = [log.append(commit) for commit in (good_before, bad, good_after)]
    with running(make(log, first, second)):
        until(log.all_committed)
    copied = sorted(event.commit.batch for event in log.replicas())  # copies overlap: their order is chance
    assert copied == sorted([good_before.batch, good_after.batch])
    [(value, headers)] = log.letters()
    assert value == messages[1].value
    letter = read_letter(headers)
    assert letter is not None
    assert letter.reason == ("source_missing" if damage == "missing" else "source_damaged")
    assert (letter.topic_id, letter.partition, letter.offset) == ("commits-topic-id", messages[1].partition, 1)
    assert path in letter.detail
    assert letter.attempt == letter.batch == ""
    assert second.describe(bad.manifest_path) is None
    assert list(second.list_staged()) == []


def test_a_source_that_matches_at_the_second_look_is_copied(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    commit = archive(first, 1, b"wind")
    first.change(commit.path, b"WIND")
    log.append(commit)

    def mend(call: str, about: str) -> None:
        if call == "read" and any(done == "discard_staged" for done, _ in second.calls):
            first.change(commit.path, b"wind")

    first.before_call = mend
    with running(make(log, first, second)):
        until(log.all_committed)
    assert log.letters() == []
    assert_replicated(second, commit, b"wind")


def test_a_pair_that_is_missing_whole_is_a_dead_letter_once_another_batch_was_read(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    missing = committed(0, b"never archived")
    log.append(missing)
    with running(make(log, first, second)):
        until(lambda: len([call for call, _ in first.calls if call == "find"]) >= 1)
        assert log.letters() == []
        log.append(archive(first, 1, b"wind"))
        until(log.all_committed)
    [(_, headers)] = log.letters()
    letter = read_letter(headers)
    assert letter is not None
    assert letter.reason == "source_missing"
    assert len(log.replicas()) == 1


def test_a_first_centre_that_shows_nothing_at_all_makes_no_dead_letters(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    elsewhere = MemoryStore("csc")  # as with a wrong root, or a lost permission: iRODS shows neither
    commits = [archive(first, number, b"wind %d" % number) for number in range(5)]
    for commit in commits:
        log.append(commit)
    with running(make(log, elsewhere, second)):
        until(lambda: len([call for call, _ in elsewhere.calls if call == "find"]) >= 10)
        assert log.published == []
        for number, commit in enumerate(commits):
            elsewhere.put(commit.path, b"wind %d" % number)
            elsewhere.put(commit.manifest_path, first.content(commit.manifest_path))
        until(log.all_committed)
    assert len(log.replicas()) == 5


@pytest.mark.parametrize("value", [None, b"", b"not avro", b"\xc3\x01" + bytes(8) + b"x"])
def test_an_event_that_cannot_be_read_is_a_dead_letter_and_the_rest_goes_on(
    log: FakeLog, first: MemoryStore, second: MemoryStore, value: bytes | None
) -> None:
    commit = archive(first, 1, b"wind")
    log.append_raw(0, b"SE-Htm", value, [])
    log.append(commit)
    with running(make(log, first, second)):
        until(log.all_committed)
    [(dead, headers)] = log.letters()
    assert dead == (value or b"")
    letter = read_letter(headers)
    assert letter is not None
    assert letter.reason in ("empty_value", "not_avro", "unknown_schema")
    assert [event.commit.batch for event in log.replicas()] == [commit.batch]


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../../outside", "manifest_path": "../../outside.manifest.json"},
        {"path": "/etc/passwd/x", "manifest_path": "/etc/passwd/x.manifest.json"},
        {"path": ".dead/a/b", "manifest_path": ".dead/a/b.manifest.json"},
        {"manifest_path": "SE-Htm/elsewhere.manifest.json"},
        {"attempt": "../x"},
        {"sha256": "short"},
        {"size_bytes": -1},
    ],
)
def test_an_event_that_no_processor_writes_never_leads_out_of_the_root(
    log: FakeLog, first: MemoryStore, second: MemoryStore, change: dict[str, object]
) -> None:
    log.append(replace(committed(1, b"wind"), **change))  # type: ignore[arg-type]
    with running(make(log, first, second)):
        until(log.all_committed)
    assert first.calls == second.calls == []
    [(_, headers)] = log.letters()
    letter = read_letter(headers)
    assert letter is not None
    assert letter.reason == "bad_commit_event"


# A centre that is away, or refuses ------------------------------------------------------------------------------------


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


# Stopping -------------------------------------------------------------------------------------------------------------


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
