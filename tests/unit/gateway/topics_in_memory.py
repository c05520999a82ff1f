"""The topics in which a gateway looks for its receipts, in memory."""

from collections import defaultdict
from dataclasses import dataclass, field

from b2stream.contracts.letters import Letter
from b2stream.contracts.messages import LogMessage
from b2stream.errors import LostOffsets
from b2stream.programs.gateway.receipts import Receipts
from tests.unit.gateway.events import message
from tests.unit.gateway.stands import STATION, Stand

COMMITS, EVENTS, REPLICAS = "test.commits", "test.events", "test.replicas"
LETTERS = "test.dead-letters"


@dataclass
class Topics:
    """The topics in memory. Offsets are places in the list."""

    messages: dict[str, list[LogMessage]] = field(default_factory=lambda: defaultdict(list))
    ids: dict[str, str] = field(default_factory=lambda: defaultdict(lambda: "first"))
    opened: list[tuple[str, int | None]] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)

    def put(self, topic: str, value: bytes, station: str = STATION, letter: Letter | None = None) -> None:
        at = len(self.messages[topic])
        self.messages[topic].append(message(topic, at, station, value, letter))

    def open(self, topic: str, offset: int | None) -> "InMemoryConsumer":
        self.opened.append((topic, offset))
        return InMemoryConsumer(self, topic, offset)


class InMemoryConsumer:
    def __init__(self, topics: Topics, topic: str, offset: int | None) -> None:
        self.topics, self.topic, self.at = topics, topic, offset or 0
        self.lost = offset is not None and topic in topics.lost

    def poll(self, timeout_s: float) -> LogMessage | None:
        if self.lost:
            raise LostOffsets(self.topic)
        if self.at >= len(self.topics.messages[self.topic]):
            return None
        self.at += 1
        return self.topics.messages[self.topic][self.at - 1]

    def close(self) -> None:
        pass


def reader(stand: Stand, topics: Topics) -> Receipts:
    journal = stand.start().journal
    return Receipts(journal, STATION, "test", lambda name: topics.ids[name], topics.open)


def outcome(stand: Stand) -> str:
    return stand.start().journal.outcomes()["a.bin"]
