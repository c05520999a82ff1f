"""How a file becomes blocks: rows and raw bytes are cut together, so that each block holds rows and about the bytes they came from.

Cuts are positions, nothing else: with the same file, format and cuts the same blocks come out, byte for byte, which is what a
resent attempt needs. Pieces of raw in sequence are the file. A block aims at `block_bytes`; it may be larger where a single row or
the names of very many columns ask for it, but never above `BODY_LIMIT_BYTES`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from b2stream.contracts import blocks
from b2stream.contracts.topics import BLOCK_LIMIT_BYTES
from b2stream.formats.base import NotReadable, Reading

BODY_LIMIT_BYTES = BLOCK_LIMIT_BYTES - 16_384
"""Framing, key and headers come on top: a few hundred bytes and four times a name of at most 100."""

_DOUBLE_BYTES = 8
_NUMBER_BYTES = 10  # the longest that Avro writes a count or length


@dataclass(frozen=True, slots=True)
class Cut:
    """Where one block ends: it holds the rows and bytes after those of the block before."""

    end_row: int
    end_byte: int


def cut(station: str, series: str, reading: Reading | None, size_bytes: int, block_bytes: int) -> tuple[Cut, ...]:
    """Cut a file of `size_bytes`; without a reading it has no rows. An empty file is one empty block.

    Raises NotReadable `row_too_large` where one row does not fit into a message.
    """
    overhead = _overhead_bytes(station, series, reading)
    budget = min(max(block_bytes - overhead, block_bytes // 2), BODY_LIMIT_BYTES - overhead)
    if reading is None or reading.rows == 0:
        _require_room(budget, 1)
        ends = [*range(budget, size_bytes, budget), size_bytes]
        return tuple(Cut(0, end) for end in ends)
    weights = _row_bytes(reading)
    _require_room(BODY_LIMIT_BYTES - overhead, int(weights.max()))
    return tuple(_cut_rows(weights, size_bytes, max(budget, 1)))


def _cut_rows(weights: NDArray[np.int64], size_bytes: int, budget: int) -> Iterator[Cut]:
    """Each row lies behind its share of the raw bytes; a block takes as many whole rows with their bytes as its budget allows."""
    rows = len(weights)
    written = np.concatenate([[0], np.cumsum(weights)])
    raw_at = np.arange(rows + 1, dtype=np.int64) * size_bytes // rows
    both = written + raw_at
    row = byte = 0
    while row < rows:
        reach = int(np.searchsorted(both, int(written[row]) + byte + budget, side="right")) - 1
        if reach > row:
            row, byte = reach, int(raw_at[reach])
        elif byte < raw_at[row + 1]:  # not one row with its share fits: first the bytes
            byte = min(byte + budget, int(raw_at[row + 1]))
        else:  # a single row above the budget
            row += 1
        yield Cut(row, byte)


def cut_blocks(
    station: str, series: str, reading: Reading | None, cuts: tuple[Cut, ...], pieces: Iterator[memoryview]
) -> Iterator[blocks.Block]:
    """The blocks of a file, in sequence. `pieces` are its bytes, cut at each cut's `end_byte`."""
    first = 0
    for each, raw in zip(cuts, pieces, strict=True):
        yield _block(station, series, reading, first, each.end_row, raw)
        first = each.end_row


def _block(station: str, series: str, reading: Reading | None, first: int, end: int, raw: memoryview) -> blocks.Block:
    if reading is None:
        return blocks.Block(station, series, None, np.empty(0), (), (), raw)
    return blocks.Block(
        station,
        series,
        reading.start_us,
        reading.offsets_s[first:end],
        tuple(blocks.Variable(each.name, each.unit, each.values[first:end]) for each in reading.variables),
        tuple(blocks.Label(each.name, each.values[first:end], each.judges, each.bad) for each in reading.labels),
        raw,
    )


def _overhead_bytes(station: str, series: str, reading: Reading | None) -> int:
    """What each block needs beside rows and raw bytes, rather too much than too little."""
    texts = [station, series]
    arrays = 4
    if reading is not None:
        for variable in reading.variables:
            texts += [variable.name, variable.unit]
        for label in reading.labels:
            texts += [label.name, *label.judges, *label.bad]
        arrays += len(reading.variables) + 3 * len(reading.labels)
    numbers = len(texts) + 2 * arrays + 4
    return sum(len(text.encode()) for text in texts) + numbers * _NUMBER_BYTES


def _row_bytes(reading: Reading) -> NDArray[np.int64]:
    weights = np.full(reading.rows, _DOUBLE_BYTES * (1 + len(reading.variables)), dtype=np.int64)
    for label in reading.labels:
        weights += np.fromiter((len(text.encode()) + 4 for text in label.values), np.int64, reading.rows)
    return weights


def _require_room(room: int, needed: int) -> None:
    if room < needed:
        raise NotReadable("row_too_large", f"a row needs {needed} bytes, beside the columns' names there are {room}")
