"""What the iRODS store makes of a zone that misbehaves. Each test has a zone of its own and may stop, freeze or kill it."""

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from b2stream.archive.location import open_store
from b2stream.archive.placing import NewObject, Placing, Writer, look_up
from b2stream.archive.store import ObjectStore, Placement, ReplicaStatus
from b2stream.archive.waiting import StoppableClock
from b2stream.errors import (
    AccessRefused,
    B2streamError,
    ConfigurationError,
    DamagedObject,
    LostReply,
    Refused,
    Retryable,
    Stuck,
)
from b2stream.sandbox.zone.process import EmbeddedZone
from tests.conformance.archive import CONTENT, FOLDER, WRITER, put, sha256, stage
from tests.integration.archive.conftest import StoreAt, new_root
from tests.waiting import until

PATH = f"{FOLDER}/object"


@pytest.fixture
def own_zone(tmp_path: Path) -> Iterator[EmbeddedZone]:
    with EmbeddedZone(tmp_path / "zone", "cscZone", second_users=("alice",)) as zone:
        yield zone


@pytest.fixture
def root() -> str:
    return new_root()


@pytest.fixture
def store(own_zone: EmbeddedZone, store_at: StoreAt, root: str) -> ObjectStore:
    return store_at(own_zone, root=root)


def fault(zone: EmbeddedZone, call: str, action: str, **more: object) -> None:
    zone.control({"do": "add", "fault": {"call": call, "action": action, "times": 1, **more}})


def file_of(zone: EmbeddedZone, root: str, path: str) -> Path:
    """The file behind a placed object, in the zone's vault."""
    return zone.directory / "vault" / "home" / zone.user / root / path


def placing(store: ObjectStore) -> Placing:
    return Placing(store, Writer(), "attempt", clock=StoppableClock())


def place_pair(store: ObjectStore, path: str = PATH, content: bytes = CONTENT) -> None:
    manifest = NewObject.of(path + ".manifest.json", b'{"batch":"ours"}')
    placing(store).place_pair(NewObject.of(path, content), manifest, lambda manifest: b"ours" in manifest)
    found = look_up(store, FOLDER, path.rpartition("/")[2])
    assert found.committed
    assert found.data_object is not None
    assert found.data_object.is_exactly(len(content), sha256(content))


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# Lost replies ---------------------------------------------------------------------------------------------------------


def test_a_lost_reply_of_a_move_says_so_although_the_object_is_there(
    own_zone: EmbeddedZone, store: ObjectStore
) -> None:
    put(store, f"{FOLDER}/first")
    staged_name = stage(store)
    fault(own_zone, "DATA_OBJ_RENAME", "drop_reply")
    with pytest.raises(LostReply):
        store.place(staged_name, PATH)
    assert store.describe(PATH) is not None
    assert store.place(staged_name, PATH) is Placement.SOURCE_GONE


@pytest.mark.parametrize("call", ["DATA_OBJ_OPEN", "DATA_OBJ_WRITE", "DATA_OBJ_CLOSE"])
@pytest.mark.parametrize("action", ["cut", "drop_reply"])
def test_a_connection_that_breaks_while_staging_is_a_lost_reply_and_the_batch_is_committed_all_the_same(
    own_zone: EmbeddedZone, store: ObjectStore, call: str, action: str
) -> None:
    put(store, f"{FOLDER}/first")
    fault(own_zone, call, action)
    with pytest.raises(LostReply):
        stage(store)
    fault(own_zone, call, action)
    place_pair(store)
    assert all(state.status is not ReplicaStatus.INTERMEDIATE for state in store.list_staged())


@pytest.mark.parametrize("action", ["cut", "drop_reply"])
def test_a_connection_that_breaks_while_moving_does_not_keep_a_batch_from_being_committed(
    own_zone: EmbeddedZone, store: ObjectStore, action: str
) -> None:
    fault(own_zone, "DATA_OBJ_RENAME", action)
    place_pair(store)
    assert list(store.list_staged()) == []


def test_a_question_is_asked_again_once_when_the_connection_breaks(own_zone: EmbeddedZone, store: ObjectStore) -> None:
    put(store, PATH)
    fault(own_zone, "GEN_QUERY", "cut")
    assert store.describe(PATH) is not None
    fault(own_zone, "GEN_QUERY", "cut", times=2)
    with pytest.raises(Retryable) as raised:
        store.describe(PATH)
    assert not isinstance(raised.value, LostReply)
    assert store.describe(PATH) is not None


# Restarts, stalls, kills ----------------------------------------------------------------------------------------------


def test_a_restarted_zone_costs_the_batch_nothing(own_zone: EmbeddedZone, store: ObjectStore) -> None:
    place_pair(store)
    own_zone.stop()
    own_zone.start()
    place_pair(store, f"{FOLDER}/after")


def test_a_connection_that_was_idle_for_long_is_not_trusted(
    own_zone: EmbeddedZone, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit_s in (300.0, 0.0):
        monkeypatch.setattr("b2stream.archive.irods.session.IDLE_LIMIT_S", limit_s)
        stage(store)
        own_zone.stop()
        own_zone.start()
        if limit_s:
            with pytest.raises(LostReply):
                stage(store)
        else:
            stage(store)


def test_a_zone_that_is_down_is_retryable_for_every_call(own_zone: EmbeddedZone, store: ObjectStore) -> None:
    staged_name = stage(store)
    own_zone.stop()
    calls: list[Callable[[], object]] = [
        lambda: stage(store),
        lambda: store.describe_staged(staged_name),
        lambda: store.discard_staged(staged_name),
        lambda: store.place(staged_name, PATH),
        lambda: store.find(FOLDER, "object"),
        lambda: list(store.read(PATH)),
        lambda: store.recompute_sha256(PATH),
        lambda: list(store.list()),
        lambda: list(store.list_staged()),
    ]
    for call in calls:
        with pytest.raises(Retryable):
            call()
        with pytest.raises(Retryable) as raised:  # with no connection left it is clear that nothing was done
            call()
        assert not isinstance(raised.value, LostReply)
    own_zone.start()
    assert store.place(staged_name, PATH) is Placement.PLACED


def test_a_frozen_zone_is_given_up_after_the_timeout_and_used_again_once_it_thaws(
    own_zone: EmbeddedZone, store_at: StoreAt
) -> None:
    store = store_at(own_zone, timeout_s=1.0)
    place_pair(store)
    own_zone.freeze()
    started_s = time.monotonic()
    with pytest.raises(LostReply):
        stage(store)
    with pytest.raises(Retryable):
        store.describe(PATH)
    assert time.monotonic() - started_s < 60  # it would be frozen for ever
    own_zone.thaw()
    place_pair(store, f"{FOLDER}/after")


def test_a_large_file_is_given_the_time_to_be_hashed_and_a_small_one_is_not(
    own_zone: EmbeddedZone, store_at: StoreAt
) -> None:
    store = store_at(own_zone, timeout_s=1.0)
    large = bytes(48 << 20)
    fault(own_zone, "DATA_OBJ_CLOSE", "delay", seconds=1.5)
    stage(store, large)
    fault(own_zone, "DATA_OBJ_CLOSE", "delay", seconds=1.5)
    with pytest.raises(LostReply):
        stage(store)


def test_what_a_killed_zone_left_open_is_debris_and_the_batch_is_committed_under_the_next_name(
    own_zone: EmbeddedZone, store_at: StoreAt, root: str
) -> None:
    store = store_at(own_zone, root=root, timeout_s=1.0)
    kills: list[str] = []

    def chunks() -> Iterator[bytes]:
        yield CONTENT[:5]
        if not kills:
            own_zone.kill()
            own_zone.start()
            kills.append("killed")
        yield CONTENT[5:]

    placed = placing(store)
    data_object = NewObject(PATH, len(CONTENT), sha256(CONTENT), chunks)
    manifest = NewObject.of(PATH + ".manifest.json", b'{"batch":"ours"}')
    placed.place_pair(data_object, manifest, lambda manifest: True)
    assert [state.status for state in store.list_staged()] == [ReplicaStatus.INTERMEDIATE]
    assert placed.debris == [state.path for state in store.list_staged()]
    with pytest.raises(Stuck):
        store.discard_staged(placed.debris[0])
    assert b"".join(store.read(PATH)) == CONTENT


DOOMED = """
import sys, time
from b2stream.archive.location import open_store
from b2stream.archive.placing import NewObject, Placing, Writer
from b2stream.archive.waiting import StoppableClock
path, size_bytes, sha256 = sys.argv[2], int(sys.argv[3]), sys.argv[4]
def chunks():
    for _ in range(size_bytes // 2**20 - 1):
        yield bytes(2**20)
    print("written", flush=True)
    time.sleep(600)
store = open_store(sys.argv[1], "csc", role="first")
manifest = NewObject.of(path + ".manifest.json", b'{"batch":"ours"}')
placing = Placing(store, Writer(), "attempt", clock=StoppableClock())
placing.place_pair(NewObject(path, size_bytes, sha256, chunks), manifest, lambda manifest: True)
"""
"""A writer in a process of its own: it stages a data object of MiBs of zeros, and before the last one it says so and waits."""


def test_what_a_client_that_was_killed_in_mid_write_leaves_stale_is_debris_and_the_batch_is_committed_all_the_same(
    own_zone: EmbeddedZone, store: ObjectStore, root: str, environment: dict[str, str]
) -> None:
    content = bytes(4 << 20)
    url = f"irods://{own_zone.user}@{own_zone.host}:{own_zone.port}{own_zone.home}/{root}"
    command = [sys.executable, "-c", DOOMED, url, PATH, str(len(content)), sha256(content)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **environment}) as client:
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == b"written\n"
        finally:
            client.kill()
    left = until(lambda: [state for state in store.list_staged() if state.status is ReplicaStatus.STALE])
    assert [0 < state.size_bytes < len(content) for state in left] == [True]
    place_pair(store, content=content)
    assert b"".join(store.read(PATH)) == content
    assert [state.path for state in store.list_staged()] == [left[0].path], "nobody else's debris is touched"
    store.discard_staged(left[0].path)
    assert list(store.list_staged()) == []


# Success that is none ---------------------------------------------------------------------------------------------------

LIES = [("DATA_OBJ_WRITE", "pretend"), ("DATA_OBJ_WRITE", "store_half"), ("DATA_OBJ_WRITE", "store_flipped")]
LIES += [("DATA_OBJ_CLOSE", "pretend"), ("DATA_OBJ_RENAME", "pretend")]


@pytest.mark.parametrize(("call", "action"), LIES)
def test_I5_a_zone_that_answers_success_and_stores_something_else_is_not_believed(
    own_zone: EmbeddedZone, store_at: StoreAt, call: str, action: str
) -> None:
    store = store_at(own_zone, timeout_s=1.0)
    fault(own_zone, call, action)
    try:
        place_pair(store)
    except B2streamError:  # the next try of the commit
        place_pair(store)


@pytest.mark.parametrize(("call", "action"), LIES)
def test_I5_what_is_never_really_stored_is_never_committed(
    own_zone: EmbeddedZone, store_at: StoreAt, call: str, action: str
) -> None:
    store = store_at(own_zone, timeout_s=1.0)
    fault(own_zone, call, action, times=1000)
    with pytest.raises((Stuck, Retryable)):
        place_pair(store)
    own_zone.control({"do": "clear"})
    assert not look_up(store, FOLDER, "object").committed
    place_pair(store)


def test_a_checksum_that_never_comes_is_given_up_after_the_timeout(own_zone: EmbeddedZone, store_at: StoreAt) -> None:
    store = store_at(own_zone, timeout_s=1.0)
    put(store, PATH)
    fault(own_zone, "DATA_OBJ_CHKSUM", "hang", times=1000)
    with pytest.raises(Retryable):
        store.recompute_sha256(PATH)
    own_zone.control({"do": "clear"})
    assert store.recompute_sha256(PATH) == sha256(CONTENT)


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (-818000, AccessRefused),
        (-110000, Stuck),  # SYS_RESC_QUOTA_EXCEEDED
        (-154000, Stuck),  # a bare KeyError in the client
        (-999000, Stuck),  # unknown to everybody
        (-510013, AccessRefused),  # UNIX_FILE_OPEN_ERR with EACCES
        (-512028, Stuck),  # UNIX_FILE_WRITE_ERR with ENOSPC
        (-105000, LostReply),  # SYS_RESC_IS_DOWN
        (-118000, LostReply),  # SYS_MAX_CONNECT_COUNT_EXCEEDED, a bare KeyError
    ],
)
@pytest.mark.parametrize("call", ["DATA_OBJ_OPEN", "DATA_OBJ_WRITE", "DATA_OBJ_CLOSE"])
def test_a_refused_call_is_told_by_its_code_and_the_next_batch_goes_on(
    own_zone: EmbeddedZone, store: ObjectStore, call: str, code: int, kind: type[B2streamError]
) -> None:
    put(store, f"{FOLDER}/first")
    fault(own_zone, call, "error", code=code)
    with pytest.raises(kind) as raised:
        stage(store)
    assert str(code) in str(raised.value)
    place_pair(store)


def test_refused_calls_leak_no_connection(own_zone: EmbeddedZone, store: ObjectStore) -> None:
    put(store, f"{FOLDER}/first")
    before = open_descriptors()
    for call in ("DATA_OBJ_OPEN", "DATA_OBJ_WRITE", "DATA_OBJ_CLOSE", "DATA_OBJ_RENAME") * 5:
        fault(own_zone, call, "error", code=-818000)
        with pytest.raises(AccessRefused):
            put(store, PATH)
    for _ in range(10):
        with pytest.raises(DamagedObject):
            store.stage(WRITER.staged_name("attempt"), [CONTENT], len(CONTENT), sha256(b"something else"))
    gc.collect()  # the client's session is a cycle
    assert open_descriptors() <= before


def test_the_connection_of_a_thread_ends_with_the_thread(store: ObjectStore) -> None:
    put(store, PATH)
    before = open_descriptors()
    for _ in range(5):
        thread = threading.Thread(target=store.describe, args=(PATH,))
        thread.start()
        thread.join()
    assert open_descriptors() == before


def test_a_wrong_password_and_an_unknown_user_are_refused_credentials(
    own_zone: EmbeddedZone, environment: dict[str, str]
) -> None:
    for user, password in (("rods", "wrong"), ("rods", ""), ("nobody", "rods")):
        url = f"irods://{user}@127.0.0.1:{own_zone.port}{own_zone.home}/root"
        store = open_store(url, "csc", role="first", environment=environment | {"B2STREAM_FIRST_PASSWORD": password})
        expected = Refused if password else ConfigurationError
        with pytest.raises(expected):
            store.describe("a")


def test_a_server_without_tls_where_tls_is_required_is_configuration(
    own_zone: EmbeddedZone, environment: dict[str, str]
) -> None:
    url = f"irods://rods@127.0.0.1:{own_zone.port}{own_zone.home}/root?tls=require"
    store = open_store(url, "csc", role="first", timeout_s=5, environment=environment)
    with pytest.raises(ConfigurationError, match="TLS"):
        store.describe("a")


def test_a_user_without_permission_is_refused_and_nothing_is_left(
    own_zone: EmbeddedZone, environment: dict[str, str]
) -> None:
    url = f"irods://alice@127.0.0.1:{own_zone.port}/cscZone/home/rods/of-rods"
    store = open_store(url, "csc", role="first", environment=environment)
    with pytest.raises(AccessRefused):
        stage(store)


def test_a_collection_at_the_final_path_is_a_taken_place_and_nothing_is_moved_into_it(store: ObjectStore) -> None:
    put(store, f"{PATH}/inner")
    staged_name = stage(store)
    with pytest.raises(Stuck):
        store.place(staged_name, PATH)
    assert store.describe_staged(staged_name) is not None
    assert [state.path for state in store.list()] == [f"{PATH}/inner"]


# What is stored -------------------------------------------------------------------------------------------------------


def test_a_changed_byte_shows_when_the_centre_reads_again_and_the_catalogue_keeps_the_proof(
    own_zone: EmbeddedZone, store: ObjectStore, root: str
) -> None:
    put(store, PATH)
    damaged = CONTENT[:-1] + b"?"
    file_of(own_zone, root, PATH).write_bytes(damaged)
    for _ in range(2):
        assert store.recompute_sha256(PATH) == sha256(damaged)
        state = store.describe(PATH)
        assert state is not None
        assert state.sha256 == sha256(CONTENT)


def test_a_truncated_file_is_damaged(own_zone: EmbeddedZone, store: ObjectStore, root: str) -> None:
    put(store, PATH)
    file_of(own_zone, root, PATH).write_bytes(CONTENT[:5])
    with pytest.raises(DamagedObject, match="before its size"):
        list(store.read(PATH))


def test_a_file_that_the_storage_lost_is_damaged(own_zone: EmbeddedZone, store: ObjectStore, root: str) -> None:
    put(store, PATH)
    file_of(own_zone, root, PATH).unlink()
    with pytest.raises(DamagedObject):
        list(store.read(PATH))
    with pytest.raises(DamagedObject):
        store.recompute_sha256(PATH)
    place_pair(store, f"{FOLDER}/next")


def test_more_objects_than_a_page_of_the_catalogue_are_listed_once_each(store: ObjectStore) -> None:
    names = [f"{n:03d}" for n in range(300)]
    for name in names:
        put(store, f"{FOLDER}/{name}", name.encode())
    assert sorted(state.path for state in store.list()) == [f"{FOLDER}/{name}" for name in names]
    assert len(store.find(FOLDER, *names)) == 300


def test_an_object_can_be_copied_within_one_thread_and_one_zone(store: ObjectStore) -> None:
    content = bytes(range(256)) * 20_000
    put(store, PATH, content)
    copy = NewObject(f"{FOLDER}/copy", len(content), sha256(content), lambda: store.read(PATH, 1 << 20))
    staged_name = placing(store).stage_object(copy)
    assert store.place(staged_name, f"{FOLDER}/copy") is Placement.PLACED
    assert b"".join(store.read(f"{FOLDER}/copy")) == content
