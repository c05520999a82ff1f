"""A second writer of Avro, for tests: arrays in as many pieces as one likes, with or without sizes, as other writers make them."""

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from b2stream.contracts.blocks import Block, Label, Variable

Pieces = Callable[[int], list[tuple[int, bool]]]
"""For an array of n items: (how many items, whether with a size in bytes) of each piece."""


def long(number: int) -> bytes:
    rest = (number << 1) ^ (number >> 63)
    out = b""
    while rest > 127:
        out += bytes([rest & 127 | 128])
        rest >>= 7
    return out + bytes([rest])


def text(value: str) -> bytes:
    return long(len(value.encode())) + value.encode()


def array(items: Sequence[Any], write: Callable[[Any], bytes], pieces: Pieces) -> bytes:
    out, at = b"", 0
    for count, sized in pieces(len(items)):
        data = b"".join(write(item) for item in items[at : at + count])
        out += long(-count) + long(len(data)) + data if sized else long(count) + data
        at += count
    assert at == len(items)
    return out + long(0)


def double(value: float) -> bytes:
    return struct.pack("<d", value)


def block(value: Block, pieces: Pieces) -> bytes:
    """The body of a block, its arrays in pieces."""

    def variable(each: Variable) -> bytes:
        return text(each.name) + text(each.unit) + array(list(each.values), double, pieces)

    def label(each: Label) -> bytes:
        return text(each.name) + b"".join(array(texts, text, pieces) for texts in (each.values, each.judges, each.bad))

    return b"".join(
        [
            text(value.station),
            text(value.series),
            long(0) if value.start_us is None else long(1) + long(value.start_us),
            array(list(value.offsets_s), double, pieces),
            array(value.variables, variable, pieces),
            array(value.labels, label, pieces),
            long(0) if value.raw is None else long(1) + long(len(value.raw)) + bytes(value.raw),
        ]
    )


def in_pieces(sizes: Iterator[tuple[int, bool]]) -> Pieces:
    """Cut every array as the endless `sizes` say."""

    def pieces(count: int) -> list[tuple[int, bool]]:
        found = []
        while count:
            size, sized = next(sizes)
            size = min(size, count)
            found.append((size, sized))
            count -= size
        return found

    return pieces
