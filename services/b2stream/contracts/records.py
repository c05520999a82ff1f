"""The records of the topics as Python types; field by field they are the schemas of `/schemas`.

An instant's attribute ends in `_us` (microseconds since 1970, UTC); in Avro the same field has the logical type
timestamp-micros and no suffix. Batch ids and digests are lower-case hexadecimal SHA-256.
"""

import io
import re
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import fastavro

from b2stream.contracts import schemas
from b2stream.contracts.canonical import EARLIEST_US, LATEST_US, MOST_WHOLE, canonical_json, from_iso_utc, iso_utc
from b2stream.contracts.envelopes import MOST_BLOCKS, is_attempt
from b2stream.contracts.framing import Framed
from b2stream.contracts.pids import MOST_SOURCES_CHARACTERS, is_pid
from b2stream.contracts.schemas import is_fingerprint
from b2stream.errors import Poison

SIGNED_PREFIX = b"b2stream close 1\n"
LONGEST_WINDOW_S = 86_400
_SHA256 = re.compile(r"[0-9a-f]{64}")

CONTAINER_FILE = 0
"""The data object is the file, verbatim."""
CONTAINER_AVRO = 1
"""The data object is an Avro container of the blocks; `batches/container.py` says how."""


@dataclass(frozen=True, slots=True)
class Relation:
    """How a batch stands to an earlier one of its series. `kind` is `replaces` or `supplements`."""

    kind: str
    batch: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """What all records share: Avro bytes in and out."""

    SCHEMA: ClassVar[str]

    def to_body(self) -> bytes:
        """Avro body, without framing."""
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schemas.current(self.SCHEMA).parsed, self.to_avro())
        return out.getvalue()

    def to_avro(self) -> dict[str, Any]:
        """Field values by their Avro names."""
        return {avro: _plain(getattr(self, ours)) for ours, avro in _names(type(self))}

    @classmethod
    def from_framed(cls, framed: Framed) -> Self:
        """Read a body with the schema that wrote it. Raises Poison (reason `not_this_record` or `damaged_avro`)."""
        if framed.schema.name != cls.SCHEMA:
            raise Poison(f"{framed.schema.name} where {cls.SCHEMA} is expected", reason="not_this_record")
        source = io.BytesIO(framed.body)
        try:
            value = fastavro.schemaless_reader(source, framed.schema.parsed, schemas.current(cls.SCHEMA).parsed)
        except (
            Exception
        ) as error:  # fastavro raises whatever the bytes lead it to: EOFError, IndexError, struct.error, …
            raise Poison(f"{cls.SCHEMA}: {error!r}", reason="damaged_avro") from error
        if source.tell() != len(framed.body):
            raise Poison(f"{cls.SCHEMA}: {len(framed.body) - source.tell()} bytes too many", reason="damaged_avro")
        return cls.from_avro(value)

    @classmethod
    def from_avro(cls, value: dict[str, Any]) -> Self:
        """From field values by their Avro names."""
        known = {ours: value[avro] for ours, avro in _names(cls) if avro in value}
        if isinstance(known.get("relation"), dict):
            known["relation"] = Relation(**known["relation"])
        for name in ("supersedes", "sources"):
            if name in known:
                known[name] = tuple(known[name])
        return cls(**known)


@dataclass(frozen=True, kw_only=True)
class BatchClosed(Record):
    """A station's own word that a batch is complete."""

    SCHEMA: ClassVar[str] = "BatchClosed"
    ADDED_LATER: ClassVar[frozenset[str]] = frozenset({"sources"})
    """Fields that the first release did not have. They are signed only where they differ from their default: a close that an
    older gateway signed must give the same bytes when a newer program reads it."""

    station: str
    series: str
    stem: str
    extension: str
    name: str | None
    attempt: str
    count: int
    rows: int
    start_us: int | None
    stop_us: int | None
    container_format: int
    schema_fingerprint: str
    content_digest: str
    raw_sha256: str
    raw_size_bytes: int
    relation: Relation | None = None
    series_number: int
    previous: str | None
    supersedes: tuple[str, ...] = ()
    input_format: str
    opaque_reason: str | None = None
    opaque_detail: str | None = None
    notes: dict[str, str] = field(default_factory=dict)
    window_s: int = 1800
    software: str = ""
    sources: tuple[str, ...] = ()
    key: str | None = None
    signature: str | None = None

    def to_json(self) -> dict[str, Any]:
        """All fields but the signature as JSON values, instants as ISO 8601: what is signed and what the manifest holds."""
        value = {avro: _plain(getattr(self, ours)) for ours, avro in _names(type(self)) if ours != "signature"}
        for name in ("start", "stop"):
            value[name] = None if value[name] is None else iso_utc(value[name])
        defaults = {each.name: _plain(each.default) for each in fields(self)}
        return {name: each for name, each in value.items() if name not in self.ADDED_LATER or each != defaults[name]}

    @classmethod
    def from_json(cls, value: dict[str, Any], signature: str | None = None) -> Self:
        """From what `to_json` gives."""
        instants = {name: value[name] and from_iso_utc(value[name]) for name in ("start", "stop")}
        return cls.from_avro({**value, **instants, "signature": signature})

    @classmethod
    def from_framed(cls, framed: Framed) -> Self:
        """Read a close. Raises Poison (reason `bad_close`) where it says what no close can mean, too."""
        close = super().from_framed(framed)
        wrong = close.wrong()
        if wrong:
            raise Poison(f"{', '.join(wrong)}: not what a close can say", reason="bad_close")
        return close

    def wrong(self) -> list[str]:
        """Fields whose values no close can have, as `name=value`; nothing behind this check has to doubt them again."""
        good = {
            "attempt": is_attempt(self.attempt),
            "count": 0 <= self.count <= MOST_BLOCKS,
            "rows": 0 <= self.rows <= MOST_WHOLE,
            "start_us": self.start_us is None or EARLIEST_US <= self.start_us <= LATEST_US,
            "stop_us": self.stop_us is None or EARLIEST_US <= self.stop_us <= LATEST_US,
            "schema_fingerprint": is_fingerprint(self.schema_fingerprint),
            "content_digest": _is_sha256(self.content_digest),
            "raw_sha256": _is_sha256(self.raw_sha256),
            "raw_size_bytes": 0 <= self.raw_size_bytes <= MOST_WHOLE,
            "relation": self.relation is None or _is_sha256(self.relation.batch),
            "series_number": 0 <= self.series_number <= MOST_WHOLE,
            "previous": self.previous is None or _is_sha256(self.previous),
            "supersedes": all(is_attempt(attempt) for attempt in self.supersedes),
            "window_s": 1 <= self.window_s <= LONGEST_WINDOW_S,
            "sources": all(is_pid(pid) for pid in self.sources)
            and len("".join(self.sources)) <= MOST_SOURCES_CHARACTERS,
        }
        if (self.start_us is None) != (self.stop_us is None):
            good["start_us"] = good["stop_us"] = False
        return [f"{name}={getattr(self, name)!r:.100}" for name, is_good in good.items() if not is_good]

    def signed_bytes(self) -> bytes:
        """The bytes that the station signs."""
        return SIGNED_PREFIX + canonical_json(self.to_json())


@dataclass(frozen=True, kw_only=True)
class BatchAbandoned(Record):
    """An attempt is void up to `last_offset`, if that is its last offset before this record."""

    SCHEMA: ClassVar[str] = "BatchAbandoned"

    station: str
    attempt: str
    last_offset: int


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


@dataclass(frozen=True, kw_only=True)
class BatchReplicated(Record):
    """The replica event: the batch verifies at a second centre too. Holds the whole commit event."""

    SCHEMA: ClassVar[str] = "BatchReplicated"

    commit: BatchCommitted
    centre: str
    url: str
    replicated_at_us: int
    software: str

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


def _is_sha256(text: str) -> bool:
    return _SHA256.fullmatch(text) is not None


def _names(record: type[Record]) -> tuple[tuple[str, str], ...]:
    """Pairs of attribute and Avro field; looked up once."""
    if record not in _NAMES:
        _NAMES[record] = tuple((each.name, each.name.removesuffix("_us")) for each in fields(record))
    return _NAMES[record]


_NAMES: dict[type[Record], tuple[tuple[str, str], ...]] = {}


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_avro()
    if isinstance(value, Relation):
        return {"kind": value.kind, "batch": value.batch}
    if isinstance(value, tuple):
        return list(value)
    return value
