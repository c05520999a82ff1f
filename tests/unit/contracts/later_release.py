"""Messages of a later release, whose records have one more field; and programs that are upgraded to it."""

import io
import json

import fastavro
import pytest

from b2stream.contracts import schemas
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import Record
from b2stream.contracts.schemas import Schema

ADDED = {"name": "added_later", "type": ["null", "string"], "default": None, "doc": "What nobody knows yet."}


def later(name: str) -> Schema:
    """The schema that the next release gives a record."""
    declared = json.loads(schemas.current(name).text)
    declared["fields"].append(ADDED)
    return schemas.parse(json.dumps(declared))


def value_of(record: Record) -> bytes:
    """A record as the next release frames it."""
    schema, out = later(record.SCHEMA), io.BytesIO()
    fastavro.schemaless_writer(out, schema.parsed, {**record.to_avro(), "added_later": "news"})
    return Framing().frame(schema, out.getvalue())


def upgrade(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """From now on programs know the next release of these records."""
    known, now = schemas.released, {schema.fingerprint: schema for schema in map(later, names)}
    monkeypatch.setattr("b2stream.contracts.framing.released", lambda code: now[code] if code in now else known(code))
