"""What stands in the topic of measurements beside the blocks: a batch is complete, or its attempt is void."""

import re
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from b2stream.contracts.canonical import EARLIEST_US, LATEST_US, MOST_WHOLE, canonical_json, from_iso_utc, iso_utc
from b2stream.contracts.envelopes import MOST_BLOCKS, is_attempt
from b2stream.contracts.framing import Framed
from b2stream.contracts.pids import MOST_SOURCES_CHARACTERS, is_pid
from b2stream.contracts.records.record import Record, Relation, field_names, plain
from b2stream.contracts.schemas import is_fingerprint
from b2stream.errors import Poison

SIGNED_PREFIX = b"b2stream close 1\n"
LONGEST_WINDOW_S = 86_400
LONGEST_CLOSE_BYTES = 128 << 10
"""As a message. Commit event and `BatchRepeated` repeat the close, the latter as JSON: both must fit into a message."""
_SHA256 = re.compile(r"[0-9a-f]{64}")

CONTAINER_FILE = 0
"""The data object is the file, verbatim."""
CONTAINER_AVRO = 1
"""The data object is an Avro container of the blocks; `batches/container.py` says how."""


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
        value = {avro: plain(getattr(self, ours)) for ours, avro in field_names(type(self)) if ours != "signature"}
        for name in ("start", "stop"):
            value[name] = None if value[name] is None else iso_utc(value[name])
        defaults = {each.name: plain(each.default) for each in fields(self)}
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


def _is_sha256(text: str) -> bool:
    return _SHA256.fullmatch(text) is not None
