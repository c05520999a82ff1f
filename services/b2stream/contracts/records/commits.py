"""What is told once a batch is durable: at the first centre, at the second, and its summary."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from b2stream.contracts.records.record import Record, Relation


@dataclass(frozen=True, kw_only=True)
class BatchCommitted(Record):
    """The commit event: the batch is durable at the first centre."""

    SCHEMA: ClassVar[str] = "BatchCommitted"

    batch: str
    station: str
    series: str
    stem: str
    name: str | None
    id24: str
    pid: str | None = None
    rows: int
    start_us: int | None
    stop_us: int | None
    input_format: str
    container_format: int
    centre: str
    url: str
    path: str
    size_bytes: int
    sha256: str
    manifest_path: str
    manifest_size_bytes: int
    manifest_sha256: str
    content_digest: str
    relation: Relation | None = None
    series_number: int
    attempt: str
    supersedes: tuple[str, ...] = ()
    topic_id: str
    partition: int
    close_offset: int
    closed_at_us: int
    committed_at_us: int
    software: str
    policy: str | None = None
    copies: int | None = None
    who: str | None = None
    theme: str | None = None
    data_level: int | None = None


@dataclass(frozen=True, kw_only=True)
class BatchReplicated(Record):
    """The replica event: the batch verifies at a second centre too. Holds the whole commit event."""

    SCHEMA: ClassVar[str] = "BatchReplicated"

    commit: BatchCommitted
    centre: str
    url: str
    replicated_at_us: int
    software: str
    who: str | None = None

    @classmethod
    def from_avro(cls, value: dict[str, Any]) -> Self:
        return super().from_avro({**value, "commit": BatchCommitted.from_avro(value["commit"])})


@dataclass(frozen=True, kw_only=True)
class Aggregate(Record):
    """The summary of one batch. `windows` are dictionaries as the schema names them, `start` in microseconds."""

    SCHEMA: ClassVar[str] = "Aggregate"

    batch: str
    station: str
    series: str
    rule: int
    window_s: int
    windows: list[dict[str, Any]]
