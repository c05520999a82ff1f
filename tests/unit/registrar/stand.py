"""A registrar on two topics, two centres and a Handle service, all in memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from b2stream.archive.memory import MemoryStore
from b2stream.contracts import schemas
from b2stream.contracts.envelopes import event_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.letters import Letter, read_letter
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchCommitted, BatchReplicated, FurtherLocation
from b2stream.handles.memory import MemoryHandles
from b2stream.handles.service import HandleRecord
from b2stream.monitoring import Health
from b2stream.programs.registrar.cli import new_loop
from b2stream.programs.registrar.events import Events
from b2stream.settings import load
from b2stream.work.loop import Loop
from tests.replication import in_thread
from tests.replication.batches import PARTITIONS, archive, event_header_list, event_value
from tests.replication.fakelog import FakeLog
from tests.waiting import until

FIRST_PREFIX, SECOND_PREFIX = "21.T1", "21.T2"
TOPIC_IDS = {"test.commits": "commits-topic-id", "test.replicas": "replicas-topic-id"}


class ReplicasLog(FakeLog):
    """The replicas topic."""

    def append_replica(self, event: BatchReplicated) -> None:
        commit = event.commit
        headers = event_headers(
            "BatchReplicated", f"{commit.batch}/{event.centre}", f"{commit.station}/s", source="replicator"
        )
        value = Framing().frame(schemas.current("BatchReplicated"), event.to_body())
        self.append_raw(partition_of(commit.station, PARTITIONS), commit.station.encode(), value, headers)

    def append_raw(self, *arguments: object) -> LogMessage:
        message = super().append_raw(*arguments)  # type: ignore[arg-type]
        renamed = replace(message, topic="test.replicas")
        self.messages[message.partition][message.offset] = renamed
        return renamed


@dataclass
class Stand:
    """What a registrar meets; several may run on it, one after the other."""

    second_prefix: str = ""
    community_prefix: str = ""
    handles: MemoryHandles = field(default_factory=MemoryHandles)
    first: MemoryStore = field(default_factory=lambda: MemoryStore("csc"))
    second: MemoryStore = field(default_factory=lambda: MemoryStore("fzj"))
    commits: FakeLog = field(default_factory=FakeLog)
    replicas: ReplicasLog = field(default_factory=ReplicasLog)
    health: Health = field(default_factory=Health)

    def batch(self, number: int, content: bytes | None = None, station: str = "SE-Htm") -> BatchReplicated:
        """A batch that lies at both centres; nothing is announced yet."""
        content = content if content is not None else f"content {number}".encode()
        commit = archive(self.first, number, content, station)
        archive(self.second, number, content, station)
        return BatchReplicated(
            commit=commit,
            centre="fzj",
            url=self.second.url(commit.path),
            replicated_at_us=commit.committed_at_us + 5_000_000,
            software="test",
        )

    def commit(self, event: BatchReplicated) -> None:
        """Announce the commit."""
        commit: BatchCommitted = event.commit
        self.commits.append_raw(
            partition_of(commit.station, PARTITIONS),
            commit.station.encode(),
            event_value(commit),
            event_header_list(commit),
        )

    def loop(self) -> Loop:
        """A registrar; run it with `running`."""
        environment = {
            "B2STREAM_GENERAL_COMMUNITY": "test",
            "B2STREAM_KAFKA_PARTITIONS": str(PARTITIONS),
            "B2STREAM_FIRST_PREFIX": FIRST_PREFIX,
            "B2STREAM_SECOND_PREFIX": self.second_prefix,
            "B2STREAM_HANDLE_COMMUNITY_PREFIX": self.community_prefix,
            "B2STREAM_REGISTRAR_GRACE_S": "2",
        }
        return new_loop(
            load(environment=environment).settings,
            [self.commits, self.replicas],  # type: ignore[list-item]
            self.commits,
            Events("test", PARTITIONS, TOPIC_IDS, Framing()),
            self.handles,
            (self.first, self.second),
            threading.Event(),
            self.health,
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run a registrar in a thread; what it raises is raised here."""
        with in_thread.running(self.loop()):
            yield

    def drained(self) -> bool:
        """Whether every event is acknowledged."""
        return self.commits.all_committed() and self.replicas.all_committed()

    def drain(self) -> None:
        """Run a registrar until it has nothing left to do."""
        with self.running():
            until(self.drained, lambda: f"{self.commits.committed}, {self.replicas.committed}")

    def record(self, event: BatchReplicated, prefix: str = FIRST_PREFIX) -> HandleRecord | None:
        return self.handles.records().get(f"{prefix}/{event.commit.id24}")

    def further(self) -> list[FurtherLocation]:
        """Further locations in the order in which they were told."""
        framed = [
            Framing().unframe(value) for topic, _, _, value, _ in self.commits.published if topic == "test.events"
        ]
        return [FurtherLocation.from_framed(each) for each in framed]

    def letters(self) -> list[Letter]:
        found = [read_letter(headers) for _, headers in self.commits.letters()]
        return [letter for letter in found if letter is not None]
