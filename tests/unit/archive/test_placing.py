"""Place, check, look up: each way it can go wrong, on the store in memory."""

import hashlib
import threading

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.placing import Found, NewObject, PlacedPair, Placing, Writer, look_up
from b2stream.archive.store import Placement, ReplicaStatus
from b2stream.archive.waiting import StoppableClock
from b2stream.errors import (
    BrokenInvariant,
    DamagedObject,
    LostReply,
    MissingObject,
    PlaceTaken,
    Retryable,
)
from tests.unit.archive.pairs import (
    DATA,
    MANIFEST,
    MANIFEST_BYTES,
    MANIFEST_PATH,
    PATH,
    ManualClock,
    calls,
    ours,
    place,
    staged_names,
)

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


@pytest.mark.parametrize("path", [PATH, MANIFEST_PATH])
def test_I5_a_move_that_is_answered_with_success_and_not_made_is_made_again(
    store: MemoryStore, placing: Placing, path: str
) -> None:
    """Else a manifest lies there alone, the batch counts as committed, and no later try brings its data object."""
    moved, pretended = store.place, [path]

    def pretend_once(staged_name: str, path: str) -> Placement:
        if path in pretended:
            pretended.remove(path)
            return Placement.PLACED
        return moved(staged_name, path)

    store.place = pretend_once  # type: ignore[method-assign]
    place(placing)
    assert not pretended
    assert store.content(PATH) == b"the station's file"
    assert store.describe(MANIFEST_PATH) is not None


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


@pytest.mark.parametrize("content", [b'{"batch":"ours"}', b'{"batch":"ours","of":"another attempt"}'])
def test_a_manifest_that_lies_there_alone_gets_its_data_object(
    store: MemoryStore, placing: Placing, content: bytes
) -> None:
    """Whoever placed it was told that the data object is in place, which was not so, and died before the last check."""
    store.put(MANIFEST_PATH, content)
    pair = place(placing, look_up(store, SERIES, NAME))
    assert store.content(PATH) == b"the station's file"
    assert store.content(MANIFEST_PATH) == content
    assert pair.other_manifest == (None if content == MANIFEST_BYTES else content)


def test_a_manifest_of_another_batch_that_lies_there_alone_gets_nothing(store: MemoryStore, placing: Placing) -> None:
    store.put(MANIFEST_PATH, b'{"batch":"theirs"}')
    with pytest.raises(PlaceTaken):
        place(placing, look_up(store, SERIES, NAME))
    assert store.describe(PATH) is None
    assert calls(store, "stage") == []


def test_a_committed_batch_whose_data_object_is_gone_is_missing_where_nobody_has_its_bytes(
    store: MemoryStore, placing: Placing
) -> None:
    store.put(MANIFEST_PATH, b'{"batch":"ours"}')
    with pytest.raises(MissingObject):
        placing.accept_committed(look_up(store, SERIES, NAME), DATA, ours)


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
        *("stage", "stage", "verify", "verify"),
        *("place data object", "data object placed", "place manifest", "manifest placed"),
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
