"""The Avro container that is the data object of a stream's batch (container format 1; old numbers are kept for ever).

Avro 1.12 specification, "Object Container Files", with every freedom taken away: metadata are exactly `avro.codec`=`null`, then
`avro.schema` (the released text, doc strings included); one Avro block per message, in sequence; the sync marker is the
first 16 bytes of SHA-256(station NUL series NUL start in µs). No clock, no compression: any split and any replay give the same bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator

from b2stream.contracts.schemas import Schema

_MAGIC = b"Obj\x01"
_SYNC_BYTES = 16


def container_chunks(
    schema: Schema, station: str, series: str, start_us: int, bodies: Iterable[bytes | memoryview]
) -> Iterator[bytes | memoryview]:
    """The container of record bodies, in order, as pieces that concatenate to it."""
    sync = sync_marker(station, series, start_us)
    yield container_header(schema, sync)
    for body in bodies:
        yield from frame(body, sync)


def frame(body: bytes | memoryview, sync: bytes) -> tuple[bytes | memoryview, ...]:
    """One record body as an Avro block of the container, in pieces."""
    return _long(1) + _long(len(body)), body, sync


def container_header(schema: Schema, sync: bytes) -> bytes:
    """What stands before the first block."""
    metadata = ((b"avro.codec", b"null"), (b"avro.schema", schema.text.encode()))
    items = b"".join(_long(len(key)) + key + _long(len(value)) + value for key, value in metadata)
    return _MAGIC + _long(len(metadata)) + items + _long(0) + sync


def container_size(schema: Schema, body_sizes: Iterable[int]) -> int:
    """Size of the container in bytes, from the sizes of its record bodies."""
    header = len(container_header(schema, bytes(_SYNC_BYTES)))
    return header + sum(1 + len(_long(size)) + size + _SYNC_BYTES for size in body_sizes)


def sync_marker(station: str, series: str, start_us: int) -> bytes:
    """The 16 bytes between blocks."""
    return hashlib.sha256(f"{station}\0{series}\0{start_us}".encode()).digest()[:_SYNC_BYTES]


def _long(number: int) -> bytes:
    """A non-negative number as Avro writes it: zigzag, seven bits a byte."""
    rest = number << 1
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)
