"""The replicator on a log in memory and two stores in memory."""

from b2stream.archive.memory import MemoryStore
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchCommitted
from b2stream.programs.replicator.events import Events
from b2stream.programs.replicator.replicator import Replicator
from tests.replication.batches import PARTITIONS
from tests.replication.fakelog import FakeLog


def make(log: FakeLog, first: MemoryStore, second: MemoryStore, **more: object) -> Replicator:
    events = Events("test", PARTITIONS, "commits-topic-id", Framing())
    return Replicator(log, log, events, first, second, **{"grace_s": 2.0, "second_look_s": 0.02, **more})  # type: ignore[arg-type]


def copies(store: MemoryStore) -> list[str]:
    return [about for call, about in store.calls if call == "place"]


def assert_replicated(second: MemoryStore, commit: BatchCommitted, content: bytes) -> None:
    assert second.content(commit.path) == content
    state = second.describe(commit.manifest_path)
    assert state is not None
    assert state.is_exactly(commit.manifest_size_bytes, commit.manifest_sha256)
