"""Our reader and writer of blocks against fastavro, against another writer, and against bytes that mean harm."""

import io
import json
import time
import tracemalloc
from itertools import cycle
from typing import Any

import fastavro
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2stream.contracts import blocks, schemas
from b2stream.contracts.blocks import Block, Label, Variable
from b2stream.contracts.framing import Framed
from b2stream.errors import Poison
from tests.unit.contracts import avro_writer
from tests.unit.contracts.block_strategies import blocks as any_block
from tests.unit.contracts.block_strategies import comparable

SCHEMA = schemas.current("MeasurementBlock")
piece_sizes = st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=4)


def framed(body: bytes, schema: schemas.Schema = SCHEMA) -> Framed:
    return Framed(schema, memoryview(body))


def as_fastavro(block: Block) -> dict[str, Any]:
    return {
        "station": block.station,
        "series": block.series,
        "start": block.start_us,
        "offsets": block.offsets_s.tolist(),
        "variables": [
            {"name": each.name, "unit": each.unit, "values": each.values.tolist()} for each in block.variables
        ],
        "labels": [
            {"name": each.name, "values": each.values, "judges": list(each.judges), "bad": list(each.bad)}
            for each in block.labels
        ],
        "raw": block.raw,
    }


def by_fastavro(block: Block, schema: schemas.Schema = SCHEMA) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema.parsed, as_fastavro(block))
    return out.getvalue()


def older_schema() -> schemas.Schema:
    """A block's schema as an older release might have had it: a label judged nothing."""
    declared = json.loads(SCHEMA.text)
    label = next(field for field in declared["fields"] if field["name"] == "labels")["type"]["items"]
    label["fields"] = [field for field in label["fields"] if field["name"] not in ("judges", "bad")]
    return schemas.parse(json.dumps(declared))


@given(any_block())
def test_fastavro_reads_what_we_write(block: Block) -> None:
    source = io.BytesIO(blocks.encode(block))
    read = fastavro.schemaless_reader(source, SCHEMA.parsed, None)
    assert source.read() == b""
    assert by_fastavro(block) == blocks.encode(block)
    assert repr(read) == repr(as_fastavro(block))


@given(any_block())
def test_I3_we_read_what_fastavro_writes(block: Block) -> None:
    assert comparable(blocks.decode(framed(by_fastavro(block)))) == comparable(block)


@given(any_block(), piece_sizes)
def test_I3_arrays_in_many_pieces_and_with_sizes_are_the_same_block(
    block: Block, sizes: list[tuple[int, bool]]
) -> None:
    body = avro_writer.block(block, avro_writer.in_pieces(cycle(sizes)))
    assert repr(fastavro.schemaless_reader(io.BytesIO(body), SCHEMA.parsed, None)) == repr(as_fastavro(block))
    assert comparable(blocks.decode(framed(body))) == comparable(block)


@given(any_block())
def test_a_block_of_an_older_release_is_read_with_defaults(block: Block) -> None:
    older = older_schema()
    read = blocks.decode(framed(by_fastavro(block, older), older))
    expected = [(each.name, list(each.values), (), ()) for each in block.labels]
    assert comparable(read)[:5] == comparable(block)[:5]  # type: ignore[index]
    assert comparable(read)[5] == expected  # type: ignore[index]


@given(any_block(), st.data(), st.booleans())
def test_I11_cut_off_or_altered_bytes_are_poison_or_a_block_and_nothing_else(
    block: Block, data: st.DataObject, old: bool
) -> None:
    schema = older_schema() if old else SCHEMA
    body = bytearray(by_fastavro(block, schema))
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(body)) | st.just(len(body)))
    began = time.monotonic()
    try:
        read: Block | str = blocks.decode(framed(bytes(body[:end]), schema))
    except Poison as poison:
        read = poison.reason
    assert time.monotonic() - began < 60  # milliseconds, unless a length in the bytes is believed
    if isinstance(read, Block):
        lengths = [len(each.values) for each in read.variables] + [len(each.values) for each in read.labels]
        assert set(lengths) <= {read.rows}
        blocks.encode(read)
    else:
        assert read in ("damaged_avro", "bad_block")


@given(any_block(), st.integers(1, 40))
def test_a_body_that_lost_its_end_is_poison(block: Block, lost: int) -> None:
    body = blocks.encode(block)
    with pytest.raises(Poison) as caught:
        blocks.decode(framed(body[: max(0, len(body) - lost)]))
    assert caught.value.reason == "damaged_avro"


@pytest.mark.parametrize("schema", [SCHEMA, older_schema()], ids=["current", "older"])
def test_bytes_behind_the_record_are_poison(schema: schemas.Schema) -> None:
    block = Block("HTM", "s", 0, np.zeros(1), (), (), None)
    with pytest.raises(Poison, match="1 bytes too many"):
        blocks.decode(framed(by_fastavro(block, schema) + b"\0", schema))


PREFIX = avro_writer.text("HTM") + avro_writer.text("s") + avro_writer.long(1) + avro_writer.long(0)
HUGE = avro_writer.long(2**62)


@pytest.mark.parametrize(
    "body",
    [
        PREFIX + HUGE,
        PREFIX + HUGE + bytes(1_000),
        PREFIX + avro_writer.long(-(2**63)) + HUGE + bytes(1_000),
        PREFIX + avro_writer.long(0) + HUGE + bytes(1_000),
        PREFIX + avro_writer.long(0) * 2 + HUGE + bytes(1_000),
        PREFIX + avro_writer.long(0) * 2 + avro_writer.long(1) + avro_writer.text("f") + HUGE + bytes(1_000),
        PREFIX + avro_writer.long(0) * 3 + avro_writer.long(1) + HUGE,
        PREFIX + avro_writer.long(0) * 3 + avro_writer.long(2),
        PREFIX + avro_writer.long(0) * 3 + avro_writer.long(-1),
        avro_writer.long(-1),
        HUGE,
        b"\xff" * 1_000,
        b"\xff" * 9 + b"\x02",
        b"\xff" * 10 + b"\x00",
        b"",
    ],
)
def test_I10_a_message_that_announces_more_than_it_has_costs_nothing(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Poison) as caught:
            blocks.decode(framed(body))
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.reason == "damaged_avro"
    assert most_bytes < 200 * len(body) + 100_000


def test_I10_a_block_of_countless_empty_texts_stays_in_proportion_to_its_message() -> None:
    body = PREFIX + avro_writer.long(0) * 2 + avro_writer.long(1) + avro_writer.text("f")
    body += avro_writer.long(100_000) + bytes(100_000) + bytes(5)
    tracemalloc.start()
    try:
        with pytest.raises(Poison, match="100000 values for 0 rows"):
            blocks.decode(framed(body))
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 40 * len(body)


def row(start_us: int | None = 0, offsets_s: tuple[float, ...] = (0.0,), **columns: object) -> bytes:
    fields = {"variables": (), "labels": (), "raw": None} | columns
    return blocks.encode(Block("HTM", "s", start_us, np.array(offsets_s), **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (row(variables=(Variable("CO2", "ppm", np.zeros(2)),)), "column 'CO2' has 2 values for 1 rows"),
        (row(labels=(Label("flag", []),)), "column 'flag' has 0 values for 1 rows"),
        (row(start_us=None), "there are rows, but no start"),
        (row(offsets_s=(float("nan"),)), "not a number of seconds"),
        (row(offsets_s=(0.0, float("inf"))), "not a number of seconds"),
        (row(offsets_s=(-1e300, 0.0)), "not a number of seconds"),
        (row(offsets_s=(2.6e11,)), "outside the years 1 to 9999"),
        (row(offsets_s=(-6.3e10,)), "outside the years 1 to 9999"),
        (row(start_us=2**63 - 1, offsets_s=()), "outside the years 1 to 9999"),
        (row(start_us=-(2**63), offsets_s=(0.0,)), "outside the years 1 to 9999"),
    ],
)
def test_a_block_that_no_station_can_mean_is_poison(body: bytes, why: str) -> None:
    with pytest.raises(Poison, match=why) as caught:
        blocks.decode(framed(body))
    assert caught.value.reason == "bad_block"


def test_another_record_is_not_taken_for_a_block() -> None:
    with pytest.raises(Poison, match="BatchClosed where MeasurementBlock") as caught:
        blocks.decode(framed(b"", schemas.current("BatchClosed")))
    assert caught.value.reason == "not_this_record"


def test_arrays_and_raw_lie_in_the_message_and_cannot_be_written() -> None:
    body = row(variables=(Variable("CO2", "ppm", np.array([411.5])),), raw=b"line\r\n")
    block = blocks.decode(framed(body))
    values = block.variables[0].values
    assert np.shares_memory(values, np.frombuffer(body, np.uint8))
    assert not values.flags.writeable
    assert isinstance(block.raw, memoryview)
    assert block.raw.obj is body


def test_text_that_is_no_utf_8_is_poison() -> None:
    with pytest.raises(Poison, match="UnicodeDecodeError"):
        blocks.decode(framed(avro_writer.long(2) + b"\xff\xfe" + bytes(10)))
