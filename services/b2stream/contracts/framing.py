"""How a record's bytes say which schema they were written with.

Without a schema registry: Avro single-object encoding (Avro 1.12 specification, "Single-object encoding": 0xC3 0x01 and the
CRC-64-AVRO fingerprint, little-endian), which needs no server. With one: Confluent's (0x00 and the id, four bytes
big-endian). Readers take both by the first byte.
"""

from collections.abc import Callable
from dataclasses import dataclass

from b2stream.contracts.schemas import Schema, parse, released
from b2stream.errors import Poison

_SINGLE_OBJECT = b"\xc3\x01"
_SINGLE_OBJECT_BYTES = 10
_CONFLUENT = 0
_CONFLUENT_BYTES = 5


class UnknownSchemaId(Poison):
    """The schema registry says that it does not know this id: the message stays as a dead letter and can be replayed once it does."""

    reason = "unknown_schema"


@dataclass(frozen=True, slots=True)
class Framed:
    """A record's body and the schema it was written with."""

    schema: Schema
    body: memoryview


class Framing:
    """Frames and unframes. `text_by_id` asks a registry; it raises UnknownSchemaId for a definite no, Retryable where nobody answers."""

    def __init__(
        self,
        text_by_id: Callable[[int], str] | None = None,
        id_of: Callable[[Schema], int] | None = None,
    ) -> None:
        self._text_by_id = text_by_id
        self._id_of = id_of
        self._known: dict[int, Schema] = {}

    def frame(self, schema: Schema, body: bytes | bytearray) -> bytes:
        """The body with its header in front."""
        return self.header(schema) + body

    def header(self, schema: Schema) -> bytes:
        """What stands before a body of this schema."""
        if self._id_of is not None:
            return bytes([_CONFLUENT]) + self._id_of(schema).to_bytes(4, "big")
        return _SINGLE_OBJECT + bytes.fromhex(schema.fingerprint)

    def unframe(self, value: bytes | None) -> Framed:
        """Split a message's value. Raises Poison (reason `empty_value`, `not_avro` or `unknown_schema`), among it LaterRelease."""
        if not value:
            raise Poison("the message has no value", reason="empty_value")
        view = memoryview(value)
        if value[:2] == _SINGLE_OBJECT and len(value) >= _SINGLE_OBJECT_BYTES:
            return Framed(released(value[2:_SINGLE_OBJECT_BYTES].hex()), view[_SINGLE_OBJECT_BYTES:])
        if value[0] == _CONFLUENT and len(value) >= _CONFLUENT_BYTES:
            return Framed(self._by_id(int.from_bytes(value[1:_CONFLUENT_BYTES], "big")), view[_CONFLUENT_BYTES:])
        raise Poison(f"the value starts with {value[:2].hex()}", reason="not_avro")

    def known_ids(self) -> dict[int, str]:
        """Fingerprints by id of the schemas that the registry was asked for so far."""
        return {number: schema.fingerprint for number, schema in self._known.items()}

    def _by_id(self, number: int) -> Schema:
        if number not in self._known:
            if self._text_by_id is None:
                raise UnknownSchemaId(f"id {number}, and no registry is configured")
            self._known[number] = _released_like(self._text_by_id(number))
        return self._known[number]


def _released_like(text: str) -> Schema:
    """The released schema that a registry's text stands for: containers hold the frozen text, and no other schema is read."""
    try:
        code = parse(text).fingerprint
    except Exception as error:  # fastavro and json raise whatever the text leads them to
        raise UnknownSchemaId(f"the registry's text is no schema: {error!r}") from error
    return released(code)
