"""Stage, verify, place: each way it can go wrong, on the store in memory."""

import hashlib
import threading
from collections.abc import Callable, Iterator

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.placing import Found, NewObject, PlacedPair, Placing, Writer, look_up
from b2stream.archive.store import ReplicaStatus
from b2stream.archive.waiting import StoppableClock
from b2stream.errors import (
    BrokenInvariant,
    DamagedObject,
    LostReply,
    MissingObject,
    PlaceTaken,
    Retryable,
    Stuck,
)

PATH = "SE-Htm/EC_L99_F01/2026/07/wind~abc.csv"
MANIFEST_PATH = PATH + ".manifest.json"
DATA = NewObject.of(PATH, b"the station's file")
MANIFEST_BYTES = b'{"batch":"ours"}'
MANIFEST = NewObject.of(MANIFEST_PATH, MANIFEST_BYTES)


class ManualClock:
    """Time moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.on_sleep: Callable[[float], None] = lambda now_s: None

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now_s += max(seconds, 0.001)
        self.on_sleep(self.now_s)


def ours(content: bytes) -> bool:
    return b'"batch":"ours"' in content


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(reply_timeout_s=10.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def placing(store: MemoryStore, clock: ManualClock) -> Placing:
    return Placing(store, Writer(), "attempt", clock=clock)


def place(placing: Placing, found: Found | None = None) -> PlacedPair:
    return placing.place_pair(DATA, MANIFEST, ours, found)


def staged_names(store: MemoryStore) -> list[str]:
    return [state.path for state in store.list_staged()]


def calls(store: MemoryStore, call: str) -> list[str]:
    return [about for name, about in store.calls if name == call]


def test_a_pair_is_staged_verified_placed_and_checked_with_the_manifest_last(
    store: MemoryStore, placing: Placing
) -> None:
    pair = place(placing)
    assert pair.data_object.sha256 == DATA.sha256
    assert pair.manifest.path == MANIFEST_PATH
    assert pair.other_manifest is None
    assert store.content(PATH) == b"the station's file"
    assert [name for name, _ in store.calls] == [*("stage", "stage", "find_staged", "place", "place", "find")]
    assert calls(store, "place") == [PATH, MANIFEST_PATH]
    assert staged_names(store) == []


def test_no_two_writers_and_no_two_calls_give_one_staged_name() -> None:
    names: list[str] = []
    writers = [Writer(), Writer()]

    def draw(writer: Writer) -> None:
        names.extend([writer.staged_name("attempt") for _ in range(500)])

    threads = [threading.Thread(target=draw, args=(writer,)) for writer in writers * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 2000
    attempt, writer, number = names[0].rsplit("-", 2)
    assert attempt == "attempt"
    assert len(bytes.fromhex(writer)) * 8 == 64
    assert int(number) >= 1


@pytest.mark.parametrize("attempt", ["", "a/b"])
def test_an_attempt_that_would_leave_the_staging_root_is_refused(attempt: str) -> None:
    with pytest.raises(BrokenInvariant):
        Writer().staged_name(attempt)


# A lost reply at staging ----------------------------------------------------------------------------------------------


def test_a_lost_reply_at_staging_whose_object_is_good_is_taken_as_it_is(store: MemoryStore, placing: Placing) -> None:
    store.fail("stage", LostReply("cut"), leaves=ReplicaStatus.GOOD)
    place(placing)
    assert len(calls(store, "stage")) == 2


def test_after_a_lost_reply_the_name_is_queried_until_it_is_not_intermediate(
    store: MemoryStore, clock: ManualClock, placing: Placing
) -> None:
    store.fail("stage", LostReply("cut"), leaves=ReplicaStatus.INTERMEDIATE)

    def finish(now_s: float) -> None:
        if now_s > 4.0:
            store.put_staged(calls(store, "stage")[0], b"the station's file")

    clock.on_sleep = finish
    place(placing)
    assert 4.0 < clock.now_s < 10.0
    assert len(calls(store, "stage")) == 2
    assert placing.debris == []


def test_what_stays_intermediate_is_debris_after_the_timeout_and_the_next_name_is_used(
    store: MemoryStore, clock: ManualClock, placing: Placing
) -> None:
    store.fail("stage", LostReply("cut"), leaves=ReplicaStatus.INTERMEDIATE)
    place(placing)
    first, second, _ = calls(store, "stage")
    assert first != second
    assert placing.debris == [first]
    assert 10.0 <= clock.now_s < 10.1


def test_a_large_object_is_given_longer_to_settle(store: MemoryStore, clock: ManualClock, placing: Placing) -> None:
    store.fail("stage", LostReply("cut"), leaves=ReplicaStatus.INTERMEDIATE)
    large = NewObject(PATH, 20_000_000, "0" * 64, lambda: iter(()))
    with pytest.raises(DamagedObject):
        placing.stage_object(large)
    assert 12.0 <= clock.now_s < 12.1


def test_after_two_pieces_of_debris_the_batch_is_stuck_and_the_next_try_may_heal_it(
    store: MemoryStore, placing: Placing
) -> None:
    store.fail("stage", LostReply("cut"), leaves=ReplicaStatus.INTERMEDIATE, times=2)
    with pytest.raises(Stuck, match="2 pieces of debris"):
        place(placing)
    assert len(placing.debris) == 2
    for name in placing.debris:
        store.put_staged(name, b"", status=ReplicaStatus.STALE)
    place(placing)
    assert placing.debris == []
    assert staged_names(store) == []


def test_a_lost_reply_that_left_nothing_is_tried_again_under_a_new_name(store: MemoryStore, placing: Placing) -> None:
    store.fail("stage", LostReply("cut"))
    place(placing)
    assert len(set(calls(store, "stage"))) == 3


def test_a_reply_that_is_lost_again_and_again_stays_retryable(store: MemoryStore, placing: Placing) -> None:
    store.fail("stage", LostReply("cut"), leaves=ReplicaStatus.STALE, times=50)
    with pytest.raises(LostReply):
        place(placing)
    assert len(calls(store, "stage")) == 3
    assert staged_names(store) == []


def test_a_centre_that_comes_back_after_a_lost_reply_is_asked_again(
    store: MemoryStore, clock: ManualClock, placing: Placing
) -> None:
    store.fail("stage", LostReply("cut"), leaves=ReplicaStatus.GOOD)
    store.fail("describe_staged", Retryable("restarting"), times=3)
    place(placing)
    assert clock.now_s > 0
    assert len(calls(store, "stage")) == 2


def test_a_centre_that_stays_away_after_a_lost_reply_is_retryable(store: MemoryStore, placing: Placing) -> None:
    store.fail("stage", LostReply("cut"), leaves=ReplicaStatus.GOOD)
    store.fail("describe_staged", Retryable("down"), times=10_000)
    with pytest.raises(Retryable):
        place(placing)


# Verify ---------------------------------------------------------------------------------------------------------------


def test_a_wrong_checksum_is_discarded_and_staged_again(store: MemoryStore, placing: Placing) -> None:
    store.fail("stage", DamagedObject("checksum"), leaves=ReplicaStatus.STALE)
    place(placing)
    assert len(calls(store, "discard_staged")) == 1
    assert staged_names(store) == []


def test_a_size_that_is_silently_wrong_is_never_placed(store: MemoryStore, placing: Placing) -> None:
    sources: list[Iterator[bytes]] = [iter((b"the station's",)), iter((b"the station's file",))]
    short_first = NewObject(PATH, DATA.size_bytes, DATA.sha256, lambda: sources.pop(0))
    placing.place_pair(short_first, MANIFEST, ours)
    assert store.content(PATH) == b"the station's file"


def test_a_centre_that_always_stores_something_else_is_damaged(store: MemoryStore, placing: Placing) -> None:
    short = NewObject(PATH, DATA.size_bytes, DATA.sha256, lambda: (b"short",))
    with pytest.raises(DamagedObject, match="stale, 5 bytes"):
        placing.place_pair(short, MANIFEST, ours)
    assert len(calls(store, "stage")) == 4  # the data object three times, the manifest once
    placing.give_up()
    assert staged_names(store) == []


def test_of_two_objects_only_the_one_that_is_not_good_is_staged_again(store: MemoryStore, placing: Placing) -> None:
    def rot(call: str, about: str) -> None:
        if call == "find_staged" and len(calls(store, "find_staged")) == 0:
            store.put_staged(about.split()[1], MANIFEST_BYTES, status=ReplicaStatus.STALE)

    store.before_call = rot
    place(placing)
    data, manifest, manifest_again = calls(store, "stage")
    assert calls(store, "find_staged") == [f"{data} {manifest}", manifest_again]
    assert store.content(MANIFEST_PATH) == MANIFEST_BYTES
    assert staged_names(store) == []


def test_what_was_written_before_the_centre_went_away_is_not_written_again(
    store: MemoryStore, placing: Placing
) -> None:
    store.fail("find_staged", Retryable("down"))
    with pytest.raises(Retryable):
        place(placing)
    place(placing)
    assert len(calls(store, "stage")) == 2
    assert staged_names(store) == []


def test_a_manifest_that_cannot_be_staged_keeps_the_data_object_for_the_next_try_or_gives_it_up(
    store: MemoryStore, placing: Placing
) -> None:
    def quota(call: str, about: str) -> None:
        if call == "stage" and len(calls(store, "stage")) in (1, 2):
            raise Stuck("quota")

    store.before_call = quota
    with pytest.raises(Stuck):
        place(placing)
    assert len(staged_names(store)) == 1
    store.before_call = None
    place(placing)
    assert len(calls(store, "stage")) == 2
    assert staged_names(store) == []


def test_where_unlink_is_refused_it_is_debris_and_the_next_name_is_used(store: MemoryStore, placing: Placing) -> None:
    store.fail("stage", DamagedObject("checksum"), leaves=ReplicaStatus.STALE)
    store.fail("discard_staged", Stuck("no permission"), times=2)
    place(placing)
    assert placing.debris == [calls(store, "stage")[0]]


@pytest.mark.parametrize("leaves", [ReplicaStatus.STALE, ReplicaStatus.INTERMEDIATE])
def test_I13_each_piece_of_debris_is_reported_once(
    store: MemoryStore, clock: ManualClock, leaves: ReplicaStatus
) -> None:
    reported: list[int] = []
    placing = Placing(store, Writer(lambda: reported.append(1)), "attempt", clock=clock)
    store.fail("stage", LostReply("cut"), leaves=leaves)
    store.fail("discard_staged", Stuck("no permission"), times=3)
    place(placing)
    placing.give_up()
    assert len(placing.debris) == len(reported) == 1


def test_I13_what_can_be_removed_is_no_debris(store: MemoryStore, clock: ManualClock) -> None:
    reported: list[int] = []
    placing = Placing(store, Writer(lambda: reported.append(1)), "attempt", clock=clock)
    store.fail("stage", DamagedObject("checksum"), leaves=ReplicaStatus.STALE)
    store.fail("place", Stuck("quota"))
    with pytest.raises(Stuck):
        place(placing)
    placing.give_up()
    assert reported == []


def test_an_error_of_the_source_is_not_taken_for_one_of_the_centre(store: MemoryStore, placing: Placing) -> None:
    def damaged() -> Iterator[bytes]:
        yield b"the "
        raise DamagedObject("at the first centre")

    source = NewObject(PATH, DATA.size_bytes, DATA.sha256, damaged)
    with pytest.raises(DamagedObject, match="at the first centre"):
        placing.place_pair(source, MANIFEST, ours)
    assert len(calls(store, "stage")) == 1
    assert staged_names(store) == []


def test_a_centre_that_is_down_is_asked_once_per_try_and_leaves_no_debris(store: MemoryStore, placing: Placing) -> None:
    store.available = False
    with pytest.raises(Retryable):
        place(placing)
    assert [name for name, _ in store.calls] == ["stage"]
    assert placing.debris == []


def test_a_second_try_uses_what_is_staged_already(store: MemoryStore, placing: Placing) -> None:
    store.fail("place", Stuck("quota"))
    with pytest.raises(Stuck):
        place(placing)
    place(placing)
    assert len(calls(store, "stage")) == 2
    assert staged_names(store) == []


def test_giving_up_removes_what_is_staged(store: MemoryStore, placing: Placing) -> None:
    store.fail("place", Stuck("quota"))
    with pytest.raises(Stuck):
        place(placing)
    assert len(staged_names(store)) == 2
    placing.give_up()
    assert staged_names(store) == []


def test_giving_up_at_a_centre_that_is_down_raises_nothing(store: MemoryStore, placing: Placing) -> None:
    store.fail("place", Stuck("quota"))
    with pytest.raises(Stuck):
        place(placing)
    store.available = False
    placing.give_up()


# Place ----------------------------------------------------------------------------------------------------------------


def test_I4_a_data_object_that_is_there_with_our_checksum_is_ours(store: MemoryStore, placing: Placing) -> None:
    store.put(PATH, b"the station's file")
    pair = place(placing)
    assert pair.data_object.sha256 == DATA.sha256
    assert staged_names(store) == []


def test_I4_another_content_at_the_path_is_never_replaced(store: MemoryStore, placing: Placing) -> None:
    store.put(PATH, b"somebody else's")
    with pytest.raises(PlaceTaken):
        place(placing)
    assert store.content(PATH) == b"somebody else's"
    assert store.describe(MANIFEST_PATH) is None


@pytest.mark.parametrize("status", [ReplicaStatus.STALE, ReplicaStatus.INTERMEDIATE])
def test_a_data_object_there_that_is_not_good_is_damaged(
    store: MemoryStore, placing: Placing, status: ReplicaStatus
) -> None:
    store.put(PATH, b"the station's file", status=status)
    with pytest.raises(DamagedObject):
        place(placing)
    assert store.describe(MANIFEST_PATH) is None


def test_a_manifest_there_that_names_our_batch_is_ours_and_its_own_checksum_counts(
    store: MemoryStore, placing: Placing
) -> None:
    theirs = b'{"batch":"ours","log":"another offset"}'
    store.put(MANIFEST_PATH, theirs)
    pair = place(placing)
    assert pair.other_manifest == theirs
    assert pair.manifest.sha256 == hashlib.sha256(theirs).hexdigest()
    assert pair.manifest.size_bytes == len(theirs)
    assert store.content(MANIFEST_PATH) == theirs
    assert staged_names(store) == []


def test_a_manifest_there_of_another_batch_is_refused(store: MemoryStore, placing: Placing) -> None:
    store.put(MANIFEST_PATH, b'{"batch":"theirs"}')
    with pytest.raises(PlaceTaken):
        place(placing)


def test_a_manifest_there_whose_bytes_rotted_is_damaged(store: MemoryStore, placing: Placing) -> None:
    store.put(MANIFEST_PATH, b'{"batch":"ours","log":1}')
    store.change(MANIFEST_PATH, b'{"batch":"ours","log":2}')
    with pytest.raises(DamagedObject):
        place(placing)


def test_a_move_whose_source_is_gone_stages_again_if_nothing_is_there(store: MemoryStore, placing: Placing) -> None:
    def sweep(call: str, about: str) -> None:
        if call == "place" and not calls(store, "place"):
            for name in staged_names(store):
                store.discard_staged(name)

    store.before_call = sweep
    place(placing)
    assert store.content(PATH) == b"the station's file"
    assert store.content(MANIFEST_PATH) == b'{"batch":"ours"}'
    assert staged_names(store) == []


def test_a_move_whose_source_is_gone_looks_at_the_final_path_first(store: MemoryStore, placing: Placing) -> None:
    store.fail("place", LostReply("cut"), done=True)
    place(placing)
    assert len(calls(store, "stage")) == 2
    assert len(calls(store, "place")) == 2


def test_a_lost_move_that_was_not_done_is_done_again(store: MemoryStore, placing: Placing) -> None:
    store.fail("place", LostReply("cut"))
    place(placing)
    assert calls(store, "place") == [PATH, PATH, MANIFEST_PATH]


def test_moves_whose_replies_are_always_lost_are_retryable_and_the_next_try_succeeds(
    store: MemoryStore, placing: Placing
) -> None:
    store.fail("place", LostReply("cut"), times=3)
    with pytest.raises(LostReply):
        place(placing)
    place(placing)
    assert staged_names(store) == []


def test_racing_processes_place_one_pair_and_both_may_announce_it(store: MemoryStore) -> None:
    manifests = [NewObject.of(MANIFEST_PATH, b'{"batch":"ours","log":%d}' % n) for n in range(4)]
    pairs: list[PlacedPair] = []
    start = threading.Barrier(4)

    def commit(manifest: NewObject) -> None:
        start.wait()
        placing = Placing(store, Writer(), "attempt", clock=StoppableClock())
        pairs.append(placing.place_pair(DATA, manifest, ours))

    threads = [threading.Thread(target=commit, args=(manifest,)) for manifest in manifests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pairs) == 4
    in_place = hashlib.sha256(store.content(MANIFEST_PATH)).hexdigest()
    assert {pair.manifest.sha256 for pair in pairs} == {in_place}
    assert staged_names(store) == []


# The final check ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PATH, MANIFEST_PATH])
def test_I5_what_is_not_good_after_placing_is_not_announced(store: MemoryStore, placing: Placing, path: str) -> None:
    def spoil(call: str, about: str) -> None:
        if call == "find":
            store.put(path, store.content(path), status=ReplicaStatus.STALE)

    store.before_call = spoil
    with pytest.raises(DamagedObject, match="after it was placed"):
        place(placing)


@pytest.mark.parametrize("path", [PATH, MANIFEST_PATH])
def test_I5_what_vanishes_after_placing_is_not_announced(store: MemoryStore, placing: Placing, path: str) -> None:
    def vanish(call: str, about: str) -> None:
        if call == "find":
            store.remove(path)

    store.before_call = vanish
    with pytest.raises(MissingObject, match="after it was placed"):
        place(placing)


# Looking for a batch --------------------------------------------------------------------------------------------------

SERIES = "SE-Htm/EC_L99_F01"
NAME = "wind~abc.csv"


def test_nothing_there_is_found_as_nothing(store: MemoryStore) -> None:
    store.put(f"{SERIES}/2026/07/other~abc.csv", b"x")
    assert look_up(store, SERIES, NAME) == Found(None, None)


def test_a_data_object_alone_gets_its_manifest_only(store: MemoryStore, placing: Placing) -> None:
    store.put(PATH, b"the station's file")
    found = look_up(store, SERIES, NAME)
    assert found.data_object is not None
    assert not found.committed
    place(placing, found)
    assert calls(store, "place") == [MANIFEST_PATH]


def test_a_manifest_must_lie_beside_the_data_object_that_was_found(store: MemoryStore, placing: Placing) -> None:
    store.put(f"{SERIES}/2026/06/{NAME}", b"the station's file")
    with pytest.raises(BrokenInvariant):
        place(placing, look_up(store, SERIES, NAME))


def test_a_committed_batch_in_any_month_stages_nothing(store: MemoryStore, placing: Placing) -> None:
    manifest = b'{"batch":"ours","start":"June"}'
    store.put(f"{SERIES}/2026/06/{NAME}", b"the station's file")
    store.put(f"{SERIES}/2026/06/{NAME}.manifest.json", manifest)
    store.put(PATH, b"the station's file")
    found = look_up(store, SERIES, NAME)
    assert found.committed
    pair = place(placing, found)
    assert pair.data_object.path == f"{SERIES}/2026/06/{NAME}"
    assert pair.other_manifest == manifest
    assert calls(store, "stage") == []


def test_a_committed_batch_whose_data_object_is_gone_is_missing(store: MemoryStore, placing: Placing) -> None:
    store.put(MANIFEST_PATH, b'{"batch":"ours"}')
    with pytest.raises(MissingObject):
        place(placing, look_up(store, SERIES, NAME))


def test_a_committed_batch_whose_data_object_is_stale_is_damaged(store: MemoryStore, placing: Placing) -> None:
    store.put(MANIFEST_PATH, b'{"batch":"ours"}')
    store.put(PATH, b"the station's file", status=ReplicaStatus.STALE)
    with pytest.raises(DamagedObject):
        place(placing, look_up(store, SERIES, NAME))


# Steps and shutdown ---------------------------------------------------------------------------------------------------


def test_each_step_is_passed_by_name_and_staging_in_the_middle_of_the_write(store: MemoryStore) -> None:
    passed: list[tuple[str, list[ReplicaStatus]]] = []

    def passing(step: str) -> None:
        passed.append((step, [state.status for state in store.list_staged()]))

    Placing(store, Writer(), "attempt", clock=ManualClock(), passing=passing).place_pair(DATA, MANIFEST, ours)
    assert [step for step, _ in passed] == [
        *("stage", "stage", "verify", "verify", "place data object", "place manifest")
    ]
    assert passed[0][1] == [ReplicaStatus.INTERMEDIATE]


def test_the_replicator_calls_its_staging_step_copy_also_for_an_empty_object(store: MemoryStore) -> None:
    passed: list[str] = []
    placing = Placing(store, Writer(), "a", clock=ManualClock(), passing=passed.append, staging_step="copy")
    placing.stage_object(NewObject(PATH, 0, hashlib.sha256(b"").hexdigest(), lambda: ()))
    assert passed == ["copy", "verify"]


def test_a_shutdown_ends_the_waiting_at_once(store: MemoryStore) -> None:
    stopping = threading.Event()
    stopping.set()
    store.fail("stage", LostReply("cut"), leaves=ReplicaStatus.INTERMEDIATE)
    placing = Placing(store, Writer(), "attempt", clock=StoppableClock(stopping))
    with pytest.raises(Retryable, match="stopping"):
        place(placing)
