"""Campbell TOA5 tables and their look-alikes without a time column."""

import numpy as np
import pytest

from b2stream.formats.base import Station
from b2stream.formats.registry import read_file
from tests.unit.formats import samples

HERE = Station("XX-Demo", 1.0)


def test_rows_units_and_standard_time() -> None:
    reading = read_file(samples.TOA5_NAME, samples.toa5(), HERE).reading
    assert reading is not None
    assert (reading.station, reading.series, reading.rows) == (None, "meteo_2835", 5)
    assert reading.start_us == 1332932400_000000  # 2012-03-28T11:00:00Z
    assert reading.offsets_s.tolist() == [0, 60, 120, 180, 240]
    assert [(variable.name, variable.unit) for variable in reading.variables] == [
        ("RECORD", "RN"),
        ("TA_Avg", "Celsius"),
        ("CO2", "µmol mol-1"),
    ]
    assert np.isnan(reading.variables[2].values).all()


def test_latin_1_units_are_read_and_noted() -> None:
    content = samples.toa5().decode("utf-8").encode("latin-1")
    reading = read_file(samples.TOA5_NAME, content, HERE).reading
    assert reading is not None
    assert reading.variables[2].unit == "µmol mol-1"
    assert reading.notes["encoding"] == "Latin-1"


@pytest.mark.parametrize(
    ("name", "environment", "station", "series"),
    [
        ("CH-OE2_meteo.dat", '"TOA5","box","CR1000X","15913","os","p","1","TBL1"', "CH-OE2", "TBL1_15913"),
        ("TOA5.dat", '"TOA5","CH-OE2_box1","CR1000X","15913","os","p","1","TBL1"', "CH-OE2", "TBL1_15913"),
        ("TOA5.dat", '"TOA5","lower-case","CR1000X","","os","p","1",""', None, "lower-case"),
        ("TOA5.dat", '"TOA5","","","","","","",""', None, "toa5"),
        ("TOA5.dat", '"TOA5","a","CR6","7","os","p","1","my table/ü"', None, "my_table_7"),
        ("TOA5.dat", "TOA5,,,", None, "toa5"),
        ("TOA5.dat", '"TOA5","a","CR6","-7","os","p","1","-met"', None, "met_7"),
        ("TOA5.dat", f'"TOA5","a","CR6","{"7" * 30}","os","p","1","{"t" * 90}"', None, f"{'t' * 69}_{'7' * 30}"),
    ],
)
def test_station_and_series_stand_in_name_and_environment(
    name: str, environment: str, station: str | None, series: str
) -> None:
    result = read_file(name, samples.toa5(environment=environment), Station(utc_offset_h=0))
    assert (result.names_station, result.series, result.rows) == (station, series, 5)


def test_fractions_of_a_second_and_the_midnight_that_loggers_call_24_oclock() -> None:
    content = samples.toa5().replace(b"12:00:00", b"12:00:00.05").replace(b"12:04:00", b"24:00:00")
    reading = read_file(samples.TOA5_NAME, content, Station("XX-Demo", 0)).reading
    assert reading is not None
    assert reading.start_us == 1332936000_050000
    assert reading.offsets_s[4] == 12 * 3600 - 0.05


def test_without_a_time_column_the_name_gives_start_and_rate() -> None:
    reading = read_file(samples.RECORD_NAME, samples.record(), Station("CH-Fru")).reading
    assert reading is not None
    assert reading.start_us == 1712232000_000000  # 2024-04-04T12:00:00Z, 13:00 in standard time
    assert reading.offsets_s.tolist() == [0, 0.05, 0.1, 0.15, 0.2, 0.25]
    assert reading.series == "fru-box1"
    assert "opened at 20240404-1300" in reading.notes["time"]


@pytest.mark.parametrize(
    "name", ["CH-Fru_20240404-1300.csv", "CH-Fru_20Hz.csv", "CH-Fru_0Hz_20240404-1300.csv", "CH-Fru.csv"]
)
def test_without_any_time_the_file_is_opaque(name: str) -> None:
    assert read_file(name, samples.record(), Station("CH-Fru")).reason == "no_time"


def test_a_damaged_number_makes_the_file_opaque_and_names_the_cell() -> None:
    result = read_file(samples.TOA5_NAME, samples.toa5().replace(b"20.25", b"2o.25"), HERE)
    assert (result.reason, result.rows) == ("malformed_row", 0)
    assert "line 6, column 3: '2o.25'" in result.detail


def test_a_column_of_words_becomes_a_label() -> None:
    content = samples.toa5().replace(b'"NAN"', b'"dry"')
    reading = read_file(samples.TOA5_NAME, content, HERE).reading
    assert reading is not None
    assert [(label.name, label.values) for label in reading.labels] == [("CO2", ["dry"] * 5)]


def test_a_header_cut_short_is_truncated() -> None:
    content = b"\r\n".join(samples.toa5().split(b"\r\n")[:2]) + b"\r\n"
    assert read_file(samples.TOA5_NAME, content, HERE).reason == "truncated"


def test_names_that_repeat_or_are_missing_stay_apart() -> None:
    content = samples.toa5().replace(b'"RECORD","TA_Avg","CO2"', b'"X","X",""')
    reading = read_file(samples.TOA5_NAME, content, HERE).reading
    assert reading is not None
    assert [variable.name for variable in reading.variables] == ["X", "X.2", "column_4"]
