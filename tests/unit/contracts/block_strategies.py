"""Any block that a station may send, for hypothesis."""

import struct

import numpy as np
from hypothesis import strategies as st

from b2stream.contracts.blocks import Block, Label, Variable
from b2stream.contracts.canonical import EARLIEST_US, LATEST_US

YEAR_US = 366 * 86_400_000_000
texts = st.text(max_size=12)
readings = st.floats(allow_nan=True, allow_infinity=True)


def floats(values: list[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(values, dtype=np.float64)


@st.composite
def blocks(draw: st.DrawFn, most_rows: int = 5) -> Block:
    rows = draw(st.integers(0, most_rows))
    starts = st.integers(EARLIEST_US + YEAR_US, LATEST_US - YEAR_US)
    columns = st.lists(readings, min_size=rows, max_size=rows).map(floats)
    variables = st.builds(Variable, texts, texts, columns)
    some = st.lists(texts, max_size=2).map(tuple)
    labels = st.builds(Label, texts, st.lists(texts, min_size=rows, max_size=rows), some, some)
    return Block(
        station=draw(texts),
        series=draw(texts),
        start_us=draw(starts if rows else st.none() | starts),
        offsets_s=floats(draw(st.lists(st.floats(-1e6, 1e6), min_size=rows, max_size=rows))),
        variables=tuple(draw(st.lists(variables, max_size=3))),
        labels=tuple(draw(st.lists(labels, max_size=2))),
        raw=draw(st.none() | st.binary(max_size=20)),
    )


def bits(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bytes:
    """Doubles as bytes: NaN equals NaN, and 0.0 is not -0.0."""
    return struct.pack(f"<{len(values)}d", *values)


def comparable(block: Block) -> object:
    """A block as a value that can be compared."""
    return (
        block.station,
        block.series,
        block.start_us,
        bits(block.offsets_s),
        [(each.name, each.unit, bits(each.values)) for each in block.variables],
        [(each.name, list(each.values), tuple(each.judges), tuple(each.bad)) for each in block.labels],
        None if block.raw is None else bytes(block.raw),
    )
