"""What Kafka acknowledged, kept in a folder: one JSON line per message, and all values one after the other.

Beside it lie looks at the committed offsets of the processor's group, each with the time at which the answer was here.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BLOCK, CLOSE, ABANDONED = "MeasurementBlock", "BatchClosed", "BatchAbandoned"
_MESSAGES, _VALUES, _LOOKS = "messages.jsonl", "values.bin", "offsets.jsonl"


@dataclass(frozen=True)
class Acknowledged:
    """One message of the measurements. `position` and `size_bytes` say where its value lies in the file of values."""

    topic_id: str
    partition: int
    offset: int
    appended_ms: int
    kind: str  # of the record, as the header `ce_type` names it; empty where it names none
    station: str  # the message's key
    attempt: str
    sequence: int | None
    sha256: str
    position: int
    size_bytes: int

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic id, partition and offset: who it is, for good."""
        return self.topic_id, self.partition, self.offset

    def __str__(self) -> str:
        return f"{self.kind} {self.station} {self.attempt}/{self.sequence} at [{self.partition}] {self.offset}"


@dataclass(frozen=True)
class Look:
    """The committed offsets of the processor's group, by partition, as they were at the latest at `at_s` (UNIX time).

    `events_id` names the topics of events as they were then; empty where that is not known.
    """

    at_s: float
    topic_id: str
    committed: dict[int, int]
    events_id: str = ""


class Oracle:
    """The record in its folder. Used by one thread."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._messages, self._looks, self._values = folder / _MESSAGES, folder / _LOOKS, folder / _VALUES
        self.messages = [Acknowledged(**each) for each in _lines(self._messages)]
        self._by_place = {each.place: each for each in self.messages}
        self._size_bytes = max((each.position + each.size_bytes for each in self.messages), default=0)

    def next_offsets(self, topic_id: str) -> dict[int, int]:
        """By partition, the offset after the last message that is kept of this topic."""
        return {one.partition: one.offset + 1 for one in self.messages if one.topic_id == topic_id}

    def keep(self, given: list[tuple[Acknowledged, bytes]]) -> None:
        """Keep messages with their values, in order of offset; `position` is set here."""
        with self._values.open("ab") as values, self._messages.open("a", encoding="utf-8") as lines:
            for each, value in given:
                kept = Acknowledged(**(asdict(each) | {"position": self._size_bytes, "size_bytes": len(value)}))
                values.write(value)
                self._size_bytes += len(value)
                lines.write(json.dumps(asdict(kept)) + "\n")
                self.messages.append(kept)
                self._by_place[kept.place] = kept

    def at(self, topic_id: str, partition: int, offset: int) -> Acknowledged | None:
        """The message at a place, None where none was kept."""
        return self._by_place.get((topic_id, partition, offset))

    def value(self, message: Acknowledged) -> bytes:
        """The value of a message that is kept."""
        with self._values.open("rb") as values:
            values.seek(message.position)
            return values.read(message.size_bytes)

    def looked(self, look: Look) -> None:
        """Keep a look at the committed offsets."""
        with self._looks.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(look)) + "\n")

    def looks(self) -> list[Look]:
        """All looks, in the order in which they were taken."""
        return [
            Look(**(one | {"committed": {int(number): offset for number, offset in one["committed"].items()}}))
            for one in _lines(self._looks)
        ]


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    if file.exists():
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
