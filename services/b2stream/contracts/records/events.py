"""What else is told: how far the log was read, what was done to objects, what was repeated, and what is dead."""

from dataclasses import dataclass
from typing import ClassVar

from b2stream.contracts.records.record import Record


@dataclass(frozen=True, kw_only=True)
class CoverageStarted(Record):
    """A group began to read a partition without a committed offset."""

    SCHEMA: ClassVar[str] = "CoverageStarted"

    group: str
    topic_id: str
    partition: int
    offset: int
    append_time_us: int | None


@dataclass(frozen=True, kw_only=True)
class OffsetsAccepted(Record):
    """Someone accepted that a range of the log was lost unread."""

    SCHEMA: ClassVar[str] = "OffsetsAccepted"

    group: str
    topic_id: str
    partition: int
    first_lost: int
    next: int
    who: str
    why: str


@dataclass(frozen=True, kw_only=True)
class BatchRepeated(Record):
    """A close repeats an archived batch under another series number."""

    SCHEMA: ClassVar[str] = "BatchRepeated"

    batch: str
    station: str
    series: str
    series_number: int
    close: str
    topic_id: str
    partition: int
    close_offset: int


@dataclass(frozen=True, kw_only=True)
class ObjectEvent(Record):
    """Something was done to an object after its commit. `event` and `outcome` are words of PREMIS."""

    SCHEMA: ClassVar[str] = "ObjectEvent"

    event: str
    outcome: str
    batch: str | None = None
    station: str
    path: str
    centre: str
    at_us: int
    sha256: str | None = None
    size_bytes: int | None = None
    detail: str
    who: str
    software: str
    policy: str | None = None


@dataclass(frozen=True, kw_only=True)
class FurtherLocation(Record):
    """A batch whose content has its PID from an earlier batch already; the record goes on naming the first location."""

    SCHEMA: ClassVar[str] = "FurtherLocation"

    pid: str
    sha256: str
    registered_url: str
    batch: str
    station: str
    series: str
    centre: str
    url: str
    replica_centre: str
    replica_url: str


@dataclass(frozen=True, kw_only=True)
class DeadLetter(Record):
    """Stands for a dead batch whose blocks lie in the archive."""

    SCHEMA: ClassVar[str] = "DeadLetter"

    station: str
    attempt: str
    path: str
    blocks: int
    size_bytes: int
    sha256: str
    first_offset: int
    last_offset: int
