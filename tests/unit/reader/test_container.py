"""Containers of a stream: what was written comes back, and no damage gets past the reader or out as a strange error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b2stream.batches.container import container_chunks
from b2stream.contracts import blocks, schemas
from b2stream.contracts.blocks import Block, Label, Variable
from b2stream.errors import DamagedObject
from b2stream.reader.container import read_container

SCHEMA = schemas.current("MeasurementBlock")
START_US = 1_780_000_000_000_000


def block(number: int, rows: int) -> Block:
    values = np.asarray(np.arange(rows) + 0.5 * number, dtype=np.float64)
    labels = (Label("flag", ["ok"] * rows, ("u",), ("bad",)),)
    return Block("SE-Htm", "wind", START_US + number, values, (Variable("u", "m s-1", values),), labels, None)


def container(parts: list[Block]) -> bytes:
    bodies = [blocks.encode(part) for part in parts]
    return b"".join(container_chunks(SCHEMA, "SE-Htm", "wind", START_US, bodies))


@given(st.lists(st.integers(0, 50), max_size=6))
def test_blocks_come_back_in_order_and_unchanged(sizes: list[int]) -> None:
    parts = [block(number, rows) for number, rows in enumerate(sizes)]
    found = list(read_container(container(parts), "a batch"))
    assert len(found) == len(parts)
    for here, there in zip(found, parts, strict=True):
        assert blocks.encode(here) == blocks.encode(there)


WHOLE = container([block(0, 3), block(1, 2)])


@pytest.mark.parametrize("length", range(0, len(WHOLE), 37))
def test_a_truncated_container_is_refused_by_name(length: int) -> None:
    ends_between_blocks = length in (len(container([])), len(container([block(0, 3)])))
    if not ends_between_blocks:
        with pytest.raises(DamagedObject, match="wind of SE-Htm"):
            list(read_container(WHOLE[:length], "wind of SE-Htm"))


@settings(max_examples=4 * settings.default.max_examples)  # type: ignore[union-attr]  # a profile is loaded
@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_damaged_bytes_give_blocks_or_a_damaged_object_and_nothing_else(at: int, other: bytes) -> None:
    data = WHOLE[:at] + other + WHOLE[at + len(other) :]
    try:
        found = list(read_container(data, "a batch"))
    except DamagedObject:
        return
    assert all(isinstance(each, Block) for each in found)


def test_records_of_another_schema_are_refused() -> None:
    other = schemas.current("BatchAbandoned")
    data = b"".join(container_chunks(other, "SE-Htm", "wind", START_US, [b"\x00\x00\x00"]))
    with pytest.raises(DamagedObject, match="block 0"):
        list(read_container(data, "a batch"))
