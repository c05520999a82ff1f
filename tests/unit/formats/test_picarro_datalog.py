"""Picarro DataLog_User files."""

import numpy as np
import pytest

from b2stream.formats.base import Station
from b2stream.formats.registry import FileReading, read_file
from tests.unit.formats import samples


def read(content: bytes, name: str = samples.PICARRO_NAME) -> FileReading:
    return read_file(name, content, Station("HTM"))


def test_rows_units_and_utc() -> None:
    reading = read(samples.picarro()).reading
    assert reading is not None
    assert (reading.station, reading.series, reading.rows) == (None, "picarro-CFADS1234", 3)
    assert reading.start_us == 1704067200_125000
    assert reading.offsets_s.tolist() == [0, 1, 2]
    assert [(variable.name, variable.unit) for variable in reading.variables] == [
        ("ALARM_STATUS", ""),
        ("CO2_dry", "ppm"),
        ("H2O", "%"),
    ]
    assert reading.variables[1].values.tolist() == [410.0, 510.0, 610.0]
    assert "JULIAN_DAYS" in reading.notes["left_out"]


def test_milliseconds_are_exact() -> None:
    content = samples.picarro(1).replace(b"1704067200.125", b"1441041520.949")
    reading = read(content).reading
    assert reading is not None
    assert reading.start_us == 1441041520_949000


@pytest.mark.parametrize("pack", [samples.gzipped, lambda content: samples.zipped(("x.dat", content))])
def test_packed_files_are_read_too(pack) -> None:  # type: ignore[no-untyped-def]
    assert read(pack(samples.picarro())).rows == 3


def test_a_renamed_file_is_known_by_content_and_has_no_instrument() -> None:
    result = read(samples.picarro(), "whatever.txt")
    assert (result.format, result.series) == ("picarro-datalog", "picarro")


def test_an_instrument_of_any_length_gives_a_series() -> None:
    long = read(samples.picarro(), samples.PICARRO_NAME.replace("CFADS1234", "C" * 200))
    assert (long.rows, long.series) == (3, f"picarro-{'C' * 80}")


def test_an_empty_cell_is_missing_and_shifts_nothing() -> None:
    content = samples.picarro().replace(b"5.1000000000E+002".ljust(26), b" " * 26)
    reading = read(content).reading
    assert reading is not None
    co2, h2o = reading.variables[1].values, reading.variables[2].values
    assert np.isnan(co2[1])
    assert co2[[0, 2]].tolist() == [410.0, 610.0]
    assert h2o.tolist() == [1.5, 1.5, 1.5]


def test_two_words_in_one_cell_are_no_number() -> None:
    content = samples.picarro().replace(b"5.1000000000E+002".ljust(26), b"5.1 0000000E+002".ljust(26))
    assert read(content).reason == "malformed_row"


def test_a_row_of_another_length_names_the_line() -> None:
    result = read(
        samples.picarro().replace(b"2024-01-01".ljust(26) + b"00:00:01", b"2024-01-01".ljust(25) + b"00:00:01")
    )
    assert result.reason == "malformed_row"
    assert "line 3" in result.detail


@pytest.mark.parametrize("epoch", [b"              ", b"nan           ", b"1e300         "])
def test_a_row_without_a_time_is_no_row(epoch: bytes) -> None:
    result = read(samples.picarro().replace(b"1704067201.125", epoch))
    assert result.reason == "malformed_row"
    assert "EPOCH_TIME" in result.detail
    assert "line 3" in result.detail
