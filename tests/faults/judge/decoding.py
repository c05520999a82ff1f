"""Records by fastavro, from what stands in a message or in a container; the framing is Avro's single-object encoding."""

import io
import json
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

SINGLE_OBJECT = b"\xc3\x01"  # Avro 1.12, "Single-object encoding"; then eight bytes of fingerprint
HEADER_BYTES = 10


class NotReadable(Exception):
    """A value that no released schema reads."""


class Decoder:
    """Knows the released schemas of a folder."""

    def __init__(self, schemas: Path) -> None:
        self._schemas: dict[bytes, Any] = {}
        for file in sorted(schemas.glob("*.avsc")):
            declared = json.loads(file.read_text(encoding="utf-8"))
            code = fingerprint(to_parsing_canonical_form(declared), "CRC-64-AVRO")
            self._schemas[bytes.fromhex(code)] = fastavro.parse_schema(_plain(declared))

    def record(self, value: bytes) -> dict[str, Any]:
        """The record in a message's value; instants are whole microseconds. Raises NotReadable."""
        schema = self._schemas.get(value[2:HEADER_BYTES])
        if value[:2] != SINGLE_OBJECT or schema is None:
            raise NotReadable(f"it is framed with {value[:HEADER_BYTES].hex()}, which no released schema has")
        stream = io.BytesIO(value[HEADER_BYTES:])
        try:
            record: dict[str, Any] = fastavro.schemaless_reader(stream, schema, None)
        except Exception as error:  # fastavro raises whatever the bytes lead it to
            raise NotReadable(repr(error)) from error
        if stream.read(1):
            raise NotReadable("bytes follow the record")
        return record


def body(value: bytes) -> bytes:
    """What stands behind the framing."""
    return value[HEADER_BYTES:]


def container(content: bytes) -> list[dict[str, Any]]:
    """The records of an Avro container, instants as datetimes. Raises NotReadable."""
    try:
        return [dict(each) for each in fastavro.reader(io.BytesIO(content))]
    except Exception as error:
        raise NotReadable(repr(error)) from error


def comparable(record: dict[str, Any]) -> str:
    """A record as text in which NaN equals NaN and an instant is whole microseconds."""
    return repr({key: _whole(value) for key, value in sorted(record.items())})


def _whole(value: Any) -> Any:
    if hasattr(value, "timestamp"):
        return round(value.timestamp() * 1_000_000)
    return value


def _plain(declared: Any) -> Any:
    if isinstance(declared, dict):
        return {key: _plain(value) for key, value in declared.items() if key != "logicalType"}
    return [_plain(one) for one in declared] if isinstance(declared, list) else declared
