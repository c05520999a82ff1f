"""What lies in place of a manifest may be larger than memory: no command reads more of it than a manifest can have (I10)."""

from collections.abc import Callable, Iterator

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.store import READ_BYTES, ObjectState
from b2stream.contracts.framing import Framing
from b2stream.errors import DamagedObject
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.gathering import walking
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.repair.reannouncing import reannounce
from b2stream.programs.audit.verify.checks import Outcome
from b2stream.programs.audit.verify.subjects import Subject
from b2stream.programs.audit.verify.verifying import Verifier
from tests.unit.audit.facts import path_of
from tests.unit.audit.test_scrubbing import Told

PATH = path_of(0)
MANIFEST = f"{PATH}.manifest.json"
PIECE = b"x" * 1000


class Endless(MemoryStore):
    """A centre whose manifest never ends; `pieces` counts how much of it was read."""

    pieces = 0

    def read(self, path: str, chunk_bytes: int = READ_BYTES, *, state: ObjectState | None = None) -> Iterator[bytes]:
        while True:
            assert self.pieces < 100, "somebody reads it to its end"
            self.pieces += 1
            yield PIECE


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Endless:
    monkeypatch.setattr(walking, "LARGEST_DOCUMENT_BYTES", 5 * len(PIECE))
    made = Endless("csc")
    made.put(MANIFEST, b"{}")
    return made


def by_audit(store: Endless) -> str:
    with Index() as index:
        walking.list_centre(index, store, 1)
        walking.read_manifests(index, [store], walking.no_signature_check)
        return "; ".join(row["trouble"] for row in index.rows("SELECT trouble FROM manifest"))


def by_reannounce(store: Endless) -> str:
    (found,) = reannounce(store, Announcer(Told(), Framing(), "icos", 3))
    return found.trouble


def by_verify(store: Endless) -> str:
    return "; ".join(check.detail for check in Verifier([store]).verify(Subject(PATH)) if check.outcome is Outcome.BAD)


@pytest.mark.parametrize("trouble_of", [by_audit, by_reannounce, by_verify])
def test_I10_what_is_larger_than_any_manifest_is_named_and_not_read(
    store: Endless, trouble_of: Callable[[Endless], str]
) -> None:
    assert "it is no document of b2stream" in trouble_of(store)
    assert store.pieces <= 6


def test_I10_a_document_of_the_largest_size_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore("csc")
    store.put(MANIFEST, PIECE)
    monkeypatch.setattr(walking, "LARGEST_DOCUMENT_BYTES", len(PIECE))
    assert walking.read_document(store, MANIFEST) == PIECE
    monkeypatch.setattr(walking, "LARGEST_DOCUMENT_BYTES", len(PIECE) - 1)
    with pytest.raises(DamagedObject, match=r"manifest\.json has more than 999 bytes"):
        walking.read_document(store, MANIFEST)
