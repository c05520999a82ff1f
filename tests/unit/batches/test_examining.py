"""A batch is accepted only if its blocks are exactly what its close promises."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from b2stream.batches.examining import MOST_COLUMNS, Examination, Examined
from b2stream.contracts import blocks, schemas
from b2stream.contracts.blocks import Block, Label, Variable
from b2stream.contracts.framing import Framed
from b2stream.errors import Poison
from tests.unit.batches.samples import START_US, Sent, cut, sent, table

SCHEMA = schemas.current("MeasurementBlock")
FILE = b"TIMESTAMP,CO2\r\n20240301101500,410.2\r\n"
STREAM = sent(cut(table(9), [3, 6]))
A_FILE = sent(cut(table(9), [3, 6]), file=FILE)


def examined(batch: Sent, bodies: tuple[bytes, ...] | None = None) -> Examined:
    examination = Examination(batch.close)
    for body in batch.bodies if bodies is None else bodies:
        examination.take(Framed(SCHEMA, memoryview(body)))
    return examination.result()


def refused(batch: Sent, bodies: tuple[bytes, ...] | None = None) -> Poison:
    with pytest.raises(Poison) as caught:
        examined(batch, bodies)
    return caught.value


@pytest.mark.parametrize("batch", [STREAM, A_FILE], ids=["stream", "file"])
def test_what_a_gateway_sends_is_accepted(batch: Sent) -> None:
    found = examined(batch)
    assert [(name, unit) for name, unit, _ in found.variables] == [("CO2", "µmol mol-1"), ("T_SONIC", "K")]
    co2 = table(9).variables[0].values
    assert [readings for _, _, readings in found.variables] == [np.isfinite(co2).sum(), 9]
    assert found.labels == ["CO2 QC Flag"]
    assert sum(window["rows"] for window in found.summary.windows) == 9


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 4),
        ("rows", 8),
        ("start_us", START_US + 1),
        ("stop_us", START_US),
        ("content_digest", "0" * 64),
        ("raw_sha256", "0" * 64),
        ("raw_size_bytes", 1),
    ],
)
@pytest.mark.parametrize("batch", [STREAM, A_FILE], ids=["stream", "file"])
def test_I3_each_promise_of_the_close_is_compared(batch: Sent, field: str, value: object) -> None:
    poison = refused(Sent(replace(batch.close, **{field: value}), batch.bodies))  # type: ignore[arg-type]
    assert poison.reason == "close_mismatch"
    assert f"{field} is " in str(poison)
    assert f"the close says {value}" in str(poison)


@pytest.mark.parametrize("batch", [STREAM, A_FILE], ids=["stream", "file"])
def test_I2_blocks_in_another_order_or_number_are_refused(batch: Sent) -> None:
    one, two, three = batch.bodies
    for bodies in ((two, one, three), (one, two), (one, two, three, three), ()):
        assert refused(batch, bodies).reason == "close_mismatch"


def test_I3_every_flipped_bit_of_a_body_is_noticed() -> None:
    body = STREAM.bodies[1]
    for at in range(len(body)):
        changed = body[:at] + bytes([body[at] ^ 0x10]) + body[at + 1 :]
        assert refused(STREAM, (STREAM.bodies[0], changed, STREAM.bodies[2])).reason in (
            "close_mismatch",
            "damaged_avro",
            "bad_block",
            "wrong_series",
        )


@pytest.mark.parametrize("other", [replace(table(3), station="HTM"), replace(table(3), series="other")])
def test_a_block_of_another_series_is_refused(other: Block) -> None:
    assert refused(STREAM, sent([other]).bodies).reason == "wrong_series"


def test_a_block_of_another_schema_than_the_close_says_is_refused() -> None:
    other = Sent(replace(STREAM.close, schema_fingerprint=schemas.current("Aggregate").fingerprint), STREAM.bodies)
    assert refused(other).reason == "two_schemas"
    unknown = Sent(replace(STREAM.close, schema_fingerprint="0" * 16), STREAM.bodies)
    assert refused(unknown).reason == "unknown_schema"


def test_a_container_format_of_a_later_release_is_refused_by_number() -> None:
    poison = refused(Sent(replace(STREAM.close, container_format=2), STREAM.bodies))
    assert poison.reason == "unknown_container"


def test_a_file_whose_blocks_do_not_hold_it_is_refused() -> None:
    assert refused(Sent(A_FILE.close, STREAM.bodies)).reason == "no_raw"


def test_a_container_without_a_start_is_refused() -> None:
    assert refused(Sent(replace(STREAM.close, start_us=None, stop_us=None), STREAM.bodies)).reason == "bad_close"


def test_an_opaque_file_has_neither_rows_nor_instants() -> None:
    nothing = Block("SE-Htm", "files", None, np.empty(0), (), (), None)
    batch = sent([nothing, nothing], file=b"\x00binary\xff")
    assert (batch.close.rows, batch.close.start_us) == (0, None)
    found = examined(batch)
    assert (found.variables, found.labels, found.summary.windows) == ([], [], [])


def test_an_empty_file_is_a_batch() -> None:
    nothing = Block("SE-Htm", "files", None, np.empty(0), (), (), None)
    batch = sent([nothing], file=b"")
    assert batch.close.raw_sha256 == hashlib.sha256(b"").hexdigest()
    examined(batch)


def test_columns_of_equal_name_and_unit_stay_apart() -> None:
    twice = (Variable("CO2", "ppm", np.array([1.0, np.nan])), Variable("CO2", "ppm", np.array([1.0, 2.0])))
    found = examined(sent([Block("HTM", "s", START_US, np.array([0.0, 1.0]), twice, (), None)]))
    assert found.variables == [("CO2", "ppm", 1), ("CO2", "ppm", 2)]


def test_I10_columns_that_change_from_block_to_block_are_limited() -> None:
    def part(number: int) -> Block:
        variables = tuple(Variable(f"v{number}-{at}", "", np.zeros(1)) for at in range(5_000))
        labels = tuple(Label(f"l{number}-{at}", [""]) for at in range(5_000))
        return Block("HTM", "s", START_US, np.zeros(1), variables, labels, None)

    fits = sent([part(number) for number in range(MOST_COLUMNS // 10_000)])
    assert len(examined(fits).variables) == MOST_COLUMNS / 2
    assert refused(sent([part(number) for number in range(MOST_COLUMNS // 10_000 + 1)])).reason == "too_many_columns"


def test_a_block_that_is_damaged_is_poison_with_its_own_reason() -> None:
    assert refused(STREAM, (STREAM.bodies[0][:-1],)).reason == "damaged_avro"
    assert blocks.encode(table(1)) != b""
