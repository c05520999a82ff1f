"""Blocks out of an Avro container (container format 1, as `batches/container.py` writes it), at the speed of memory."""

from collections.abc import Iterator

from b2stream.contracts import blocks
from b2stream.contracts.framing import Framed
from b2stream.contracts.schemas import Schema, parse
from b2stream.errors import DamagedObject, Poison

_MAGIC = b"Obj\x01"
_SYNC_BYTES = 16


def read_container(data: bytes, about: str) -> Iterator[blocks.Block]:
    """The blocks in order; arrays are views into `data`. Raises DamagedObject, naming `about` and the block."""
    cursor = _Cursor(data)
    number = -1  # of the header
    try:
        metadata = cursor.header()
        if metadata.get("avro.codec", b"null") != b"null":
            raise ValueError(f"codec {metadata['avro.codec']!r}")
        schema = _schema(metadata["avro.schema"])
        sync = cursor.take(_SYNC_BYTES)
        while not cursor.at_end:
            number += 1
            if cursor.long() != 1:
                raise ValueError("not one record in a block")
            body = cursor.take(cursor.long())
            if cursor.take(_SYNC_BYTES) != sync:
                raise ValueError("the sync marker is another one")
            yield blocks.decode(Framed(schema, body))
    except (ValueError, KeyError, IndexError, Poison) as error:
        where = "its header" if number < 0 else f"block {number}"
        raise DamagedObject(f"{about}: {where} cannot be read: {error}") from error


def _schema(text: bytes) -> Schema:
    try:
        return parse(text.decode())
    except Exception as error:  # fastavro raises what the text leads it to: SchemaParseException, TypeError, …
        raise ValueError(f"the schema in it: {error!r}") from error


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._data)

    def header(self) -> dict[str, bytes]:
        if self.take(len(_MAGIC)) != _MAGIC:
            raise ValueError("this is no Avro container")
        metadata: dict[str, bytes] = {}
        while count := self.long():
            if count < 0:  # then the size in bytes follows (Avro 1.12, "Maps")
                count = -count
                self.long()
            for _ in range(count):
                key = bytes(self.take(self.long())).decode()
                metadata[key] = bytes(self.take(self.long()))
        return metadata

    def long(self) -> int:
        shift = number = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)
            shift += 7
            if shift > 63:
                raise ValueError("a number has more than 64 bits")

    def take(self, size: int) -> memoryview:
        if not 0 <= size <= len(self._data) - self._at:
            raise ValueError(f"{size} bytes are announced, {len(self._data) - self._at} are left")
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken
