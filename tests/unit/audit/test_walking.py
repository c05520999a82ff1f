"""What centres read again: cut short, other bytes, and what cannot be read are three different things."""

import hashlib

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.batches.manifest import paths_of
from b2stream.errors import AccessRefused, B2streamError, CutShort, DamagedObject, Stuck
from b2stream.programs.audit.gathering import walking
from b2stream.programs.audit.gathering.index import Index
from tests.benchmarks.large_archive import Batches
from tests.unit.audit.facts import judged, kinds

PATH, CONTENT = "SE-Htm/EC/2026/05/a.csv", b"0123456789"


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore("csc")
    made.put(PATH, CONTENT)
    return made


def found(store: MemoryStore, *, index: Index | None = None) -> list[tuple[str, str, str]]:
    """The findings of an audit that lets the centre read again an object that was committed with CONTENT."""
    index = index or Index()
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    committed = {"batch": "b" * 64, "path": PATH, "size_bytes": len(CONTENT), "sha256": sha256, "appended_at_us": 0}
    index.put("committed", [{**committed, "station": "SE-Htm", "series": "EC", "manifest_path": "-"}])
    walking.list_centre(index, store, 1)
    walking.recompute(index, [store])
    return [each for each in kinds(judged(index, second=None)) if each[1] == PATH]


def test_what_the_centre_reads_as_it_was_committed_is_no_finding(store: MemoryStore) -> None:
    assert found(store) == []


@pytest.mark.parametrize("content", [b"012345678", b"0123456780"], ids=["truncated", "altered"])
def test_other_bytes_are_truncated_or_altered(
    store: MemoryStore, content: bytes, request: pytest.FixtureRequest
) -> None:
    store.change(PATH, content)
    assert found(store) == [(request.node.callspec.id, PATH, "csc")]


@pytest.mark.parametrize(
    "error", [DamagedObject("UNIX_FILE_OPEN_ERR"), AccessRefused("no permission"), Stuck("SYS_INTERNAL_ERR")]
)
def test_what_the_centre_cannot_read_is_unreadable_and_not_truncated(store: MemoryStore, error: B2streamError) -> None:
    for call in ("recompute_sha256", "read"):
        store.fail(call, error)
    assert found(store) == [("unreadable", PATH, "csc")]


def test_what_ends_too_early_is_truncated(store: MemoryStore) -> None:
    store.fail("recompute_sha256", DamagedObject("SYS_COPY_LEN_ERR"))
    store.change(PATH, CONTENT[:4])
    store.fail("read", CutShort("ends 6 bytes before its size"), done=True)
    assert found(store) == [("truncated", PATH, "csc")]


def test_a_second_look_reads_again(store: MemoryStore) -> None:
    index = Index()
    for call in ("recompute_sha256", "read"):
        store.fail(call, Stuck("for a moment"))
    assert found(store, index=index) == [("unreadable", PATH, "csc")]
    walking.forget_recomputed(index, "csc", PATH)
    assert found(store, index=index) == []


def test_of_two_manifests_the_committed_one_counts_wherever_it_lies() -> None:
    batches = Batches(1)
    path, committed = paths_of(batches.close(0)).manifest, batches.manifest(0)
    forged = committed.replace(b'"rows":', b'"rows":1', 1)
    stores = [MemoryStore("csc"), MemoryStore("fzj")]
    stores[0].put(path, forged)
    stores[1].put(path, committed)
    index = Index()
    sha256 = hashlib.sha256(committed).hexdigest()
    index.put("committed", [{"batch": "b" * 64, "path": "-", "manifest_path": path, "manifest_sha256": sha256}])
    for store in stores:
        walking.list_centre(index, store, 1)
    walking.read_manifests(index, list(stores), lambda close, at_us: None)
    row = index.one("SELECT sha256, trouble FROM manifest")
    assert row is not None
    assert tuple(row) == (sha256, None)
