"""A record of any topic, and what several of them hold."""

import io
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import fastavro

from b2stream.contracts import schemas
from b2stream.contracts.framing import Framed
from b2stream.errors import Poison


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
        return {avro: plain(getattr(self, ours)) for ours, avro in field_names(type(self))}

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
        known = {ours: value[avro] for ours, avro in field_names(cls) if avro in value}
        if isinstance(known.get("relation"), dict):
            known["relation"] = Relation(**known["relation"])
        for name in ("supersedes", "sources"):
            if name in known:
                known[name] = tuple(known[name])
        return cls(**known)


def field_names(record: type[Record]) -> tuple[tuple[str, str], ...]:
    """Pairs of attribute and Avro field; looked up once."""
    if record not in _NAMES:
        _NAMES[record] = tuple((each.name, each.name.removesuffix("_us")) for each in fields(record))
    return _NAMES[record]


_NAMES: dict[type[Record], tuple[tuple[str, str], ...]] = {}


def plain(value: Any) -> Any:
    """An attribute's value as Avro and JSON have it."""
    if isinstance(value, Record):
        return value.to_avro()
    if isinstance(value, Relation):
        return {"kind": value.kind, "batch": value.batch}
    if isinstance(value, tuple):
        return list(value)
    return value
