"""Whatever the file, its blocks fit into messages, hold every row once, and their raw pieces are the file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2stream.contracts import blocks
from b2stream.contracts.topics import BLOCK_LIMIT_BYTES
from b2stream.formats.base import Label, NotReadable, Reading, Variable
from b2stream.programs.gateway.cutting import BODY_LIMIT_BYTES, Cut, cut, cut_blocks


def reading(rows: int, variables: int = 1, texts: list[str] | None = None) -> Reading:
    values = np.arange(rows, dtype=np.float64)
    return Reading(
        station="DE-Tst",
        series="met",
        start_us=1_700_000_000_000_000,
        offsets_s=values / 20,
        variables=tuple(Variable(f"v{number}", "ppm", values + number) for number in range(variables)),
        labels=(Label("state", texts),) if texts is not None else (),
    )


def blocks_of(found: Reading | None, raw: bytes, block_bytes: int) -> tuple[tuple[Cut, ...], list[blocks.Block]]:
    cuts = cut("DE-Tst", "met", found, len(raw), block_bytes)
    begins = [0, *(each.end_byte for each in cuts[:-1])]
    pieces = (memoryview(raw)[begin : each.end_byte] for begin, each in zip(begins, cuts, strict=True))
    return cuts, list(cut_blocks("DE-Tst", "met", found, cuts, pieces))


@given(
    rows=st.integers(1, 400),
    variables=st.integers(0, 6),
    size_bytes=st.integers(0, 60_000),
    block_bytes=st.sampled_from([4096, 10_000, 262_144]),
    texts=st.one_of(st.none(), st.sampled_from(["", "ok", "ä" * 50, "x" * 900])),
)
def test_blocks_are_the_file_and_its_rows_whatever_they_are(
    rows: int, variables: int, size_bytes: int, block_bytes: int, texts: str | None
) -> None:
    found = reading(rows, variables, None if texts is None else [texts] * rows)
    raw = bytes(i % 251 for i in range(size_bytes))
    cuts, made = blocks_of(found, raw, block_bytes)
    assert cuts[-1] == Cut(rows, size_bytes)
    assert b"".join(bytes(each.raw or b"") for each in made) == raw
    assert np.array_equal(np.concatenate([each.offsets_s for each in made]), found.offsets_s)
    for number, variable in enumerate(found.variables):
        joined = np.concatenate([each.variables[number].values for each in made])
        assert np.array_equal(joined, variable.values)
    assert {each.start_us for each in made} == {found.start_us}
    for each in made:
        assert len(blocks.encode(each)) <= block_bytes + 2_000
        assert each.rows or each.raw, "a block without rows and bytes says nothing"


def test_rows_and_their_bytes_travel_together() -> None:
    _, made = blocks_of(reading(1000, 3), bytes(100_000), 8192)
    assert len(made) > 10
    for each in made:
        assert len(each.raw or b"") == pytest.approx(each.rows * 100, abs=100)


def test_a_file_without_rows_is_cut_by_bytes_alone() -> None:
    cuts, made = blocks_of(None, bytes(1_000_000), 262_144)
    assert [each.end_row for each in cuts] == [0, 0, 0, 0]
    assert all(each.start_us is None and not each.variables for each in made)


def test_an_empty_file_is_one_empty_block() -> None:
    cuts, made = blocks_of(None, b"", 262_144)
    assert cuts == (Cut(0, 0),)
    assert bytes(made[0].raw or b"?") == b"?"
    assert made[0].raw is not None


def test_ten_thousand_columns_with_long_names_still_fit_into_messages() -> None:
    values = np.zeros(30)
    columns = tuple(
        Variable(f"a rather long name of a column {number:05d}", "umol mol-1", values) for number in range(10_000)
    )
    found = Reading("DE-Tst", "wide", 0, values, columns)
    _, made = blocks_of(found, bytes(300_000), 262_144)
    assert sum(each.rows for each in made) == 30
    assert max(len(blocks.encode(each)) for each in made) <= BODY_LIMIT_BYTES < BLOCK_LIMIT_BYTES


def test_a_row_that_fits_into_no_message_is_a_reason_of_its_own() -> None:
    with pytest.raises(NotReadable) as refused:
        cut("DE-Tst", "met", reading(2, 1, ["short", "x" * 1_000_000]), 10, 262_144)
    assert refused.value.reason == "row_too_large"


def test_a_large_row_gets_a_block_above_the_aim_and_below_the_limit() -> None:
    _, made = blocks_of(reading(3, 1, ["a", "x" * 700_000, "b"]), b"123456", 65_536)
    assert [each.rows for each in made if each.rows] == [1, 1, 1]
    assert max(len(blocks.encode(each)) for each in made) <= BODY_LIMIT_BYTES


def test_one_row_with_megabytes_of_header_is_cut_in_the_header() -> None:
    _, made = blocks_of(reading(1), bytes(3_000_000), 262_144)
    assert sum(each.rows for each in made) == 1
    assert max(len(blocks.encode(each)) for each in made) < 270_000
