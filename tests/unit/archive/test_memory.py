"""The store in memory: the conformance suite, and the hooks by which tests of others make it fail."""

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.store import ObjectStore, Placement, ReplicaStatus
from b2stream.errors import BrokenInvariant, DamagedObject, LostReply, Retryable, Stuck
from tests.conformance.archive import CONTENT, ArchiveConformance, put, sha256, stage


class TestMemoryStore(ArchiveConformance):
    @pytest.fixture
    def store(self) -> ObjectStore:
        return MemoryStore()


def test_a_name_opened_twice_is_a_broken_invariant() -> None:
    store = MemoryStore()
    name = stage(store)
    with pytest.raises(BrokenInvariant):
        store.stage(name, [CONTENT], len(CONTENT), sha256(CONTENT))


def test_a_scripted_failure_comes_once_and_nothing_was_done() -> None:
    store = MemoryStore()
    name = stage(store)
    store.fail("place", Stuck("quota"))
    with pytest.raises(Stuck):
        store.place(name, "a/b")
    assert store.describe("a/b") is None
    assert store.place(name, "a/b") is Placement.PLACED


def test_a_lost_reply_comes_after_the_work() -> None:
    store = MemoryStore()
    name = stage(store)
    store.fail("place", LostReply("cut"), done=True)
    with pytest.raises(LostReply):
        store.place(name, "a/b")
    assert store.describe("a/b") is not None


def test_staging_can_leave_an_object_open_for_ever() -> None:
    store = MemoryStore()
    store.fail("stage", LostReply("the server died"), leaves=ReplicaStatus.INTERMEDIATE)
    with pytest.raises(LostReply):
        store.stage("a-1", [CONTENT], len(CONTENT), sha256(CONTENT))
    state = store.describe_staged("a-1")
    assert state is not None
    assert state.status is ReplicaStatus.INTERMEDIATE
    with pytest.raises(Stuck):
        store.discard_staged("a-1")


def test_a_centre_that_is_off_answers_nobody() -> None:
    store = MemoryStore()
    store.available = False
    for call in (lambda: store.describe("a"), lambda: store.find("a", "b"), lambda: store.discard_staged("a")):
        with pytest.raises(Retryable):
            call()


def test_bit_rot_shows_only_to_whoever_reads() -> None:
    store = MemoryStore()
    put(store, "a/b")
    store.change("a/b", CONTENT[:-1] + b"?")
    state = store.describe("a/b")
    assert state is not None
    assert state.is_exactly(len(CONTENT), sha256(CONTENT))
    assert store.recompute_sha256("a/b") != sha256(CONTENT)
    assert b"".join(store.read("a/b")) != CONTENT


def test_a_stale_object_cannot_be_read() -> None:
    store = MemoryStore()
    store.put("a/b", CONTENT, status=ReplicaStatus.STALE)
    with pytest.raises(DamagedObject):
        list(store.read("a/b"))


def test_a_method_that_does_not_exist_cannot_be_scripted() -> None:
    with pytest.raises(ValueError, match="no method"):
        MemoryStore().fail("stagee", Stuck())
