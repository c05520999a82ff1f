"""Stage and verify: each way it can go wrong, on the store in memory."""

import threading
from collections.abc import Iterator

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.placing import NewObject, Placing, Writer
from b2stream.archive.store import ReplicaStatus
from b2stream.errors import (
    BrokenInvariant,
    DamagedObject,
    LostReply,
    Retryable,
    Stuck,
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
