"""ETC eddy covariance half hours and biomet files."""

import numpy as np
import pytest

from b2stream.formats.base import Station
from b2stream.formats.registry import read_file
from tests.unit.formats import samples

HALF_PAST_TEN_UTC_US = 1564482600_000000  # 2019-07-30T10:30:00Z


def test_the_name_gives_the_end_of_the_half_hour_in_standard_time() -> None:
    reading = read_file(samples.EC_NAME, samples.eddy_covariance(), Station("DE-HoH")).reading
    assert reading is not None
    # 12:00 is the end; standard time of DE is UTC+1, also in July: the half hour began at 10:30 UTC
    assert reading.start_us == HALF_PAST_TEN_UTC_US
    assert (reading.station, reading.series, reading.rows) == ("DE-HoH", "EC_L99_F01", 1800)


def test_instants_at_20_hz_are_the_nearest_float_to_the_exact_ones() -> None:
    reading = read_file(samples.EC_NAME, samples.eddy_covariance(36_000), Station("DE-HoH")).reading
    assert reading is not None
    assert reading.offsets_s.tolist() == [i / 20 for i in range(36_000)]
    assert reading.offsets_s[-1] == 1799.95


@pytest.mark.parametrize(("rows", "rate_hz"), [(1800, 1), (18_000, 10), (35_990, 20), (36_003, 20), (57_600, 32)])
def test_the_rate_comes_from_the_rows_and_lost_rows_are_noted(rows: int, rate_hz: int) -> None:
    reading = read_file(samples.EC_NAME, samples.eddy_covariance(rows), Station("DE-HoH")).reading
    assert reading is not None
    assert reading.offsets_s[-1] == (rows - 1) / rate_hz
    assert ("rows_expected" in reading.notes) == (rows != rate_hz * 1800)


@pytest.mark.parametrize("rows", [1, 100, 12_000, 30_000])
def test_a_part_of_a_half_hour_does_not_get_invented_instants(rows: int) -> None:
    result = read_file(samples.EC_NAME, samples.eddy_covariance(rows), Station("DE-HoH"))
    assert (result.reason, result.rows) == ("truncated", 0)


@pytest.mark.parametrize(
    ("name", "station", "series"),
    [
        ("DE-HoH_EC_201907301200_L99_F01.csv", "DE-HoH", "EC_L99_F01"),
        ("DE-HoH_EC_201907301200_v01.csv", "DE-HoH", "EC"),
        ("SE-Htm_EC_202401010030_L01_F02.zip", "SE-Htm", "EC_L01_F02"),
        ("FI-Hyy_EC_202401010030.csv", "FI-Hyy", "EC"),
    ],
)
def test_station_and_series_stand_in_the_name(name: str, station: str, series: str) -> None:
    result = read_file(name, samples.eddy_covariance(), Station())
    assert (result.names_station, result.series) == (station, series)


def test_minus_9999_is_missing_and_words_may_stand_among_numbers() -> None:
    lines = samples.eddy_covariance().decode().split("\n")
    lines[1] = "-9999,NAN,,-9999.0,400"
    reading = read_file(samples.EC_NAME, "\n".join(lines).encode(), Station("DE-HoH")).reading
    assert reading is not None
    assert [bool(np.isnan(variable.values[0])) for variable in reading.variables] == [True, True, True, True, False]
    assert reading.variables[0].values[1] == -2.25


def test_a_second_header_line_without_numbers_is_units() -> None:
    content = samples.eddy_covariance().replace(b"CO2\n", b"CO2\nm s-1,m s-1,m s-1,K,ppm\n", 1)
    reading = read_file(samples.EC_NAME, content, Station("DE-HoH")).reading
    assert reading is not None
    assert [variable.unit for variable in reading.variables] == ["m s-1", "m s-1", "m s-1", "K", "ppm"]
    assert reading.rows == 1800


def test_a_file_without_a_header_is_not_read_as_if_its_first_row_were_one() -> None:
    content = samples.eddy_covariance().partition(b"\n")[2]
    assert read_file(samples.EC_NAME, content, Station("DE-HoH")).reason == "malformed_header"


def test_a_zip_that_was_renamed_is_known_by_its_entry() -> None:
    packed = samples.zipped((samples.EC_NAME, samples.eddy_covariance()))
    result = read_file("upload.zip", packed, Station("DE-HoH"))
    assert (result.format, result.rows) == ("etc-eddy-covariance", 1800)


def test_biomet_times_are_standard_time_and_its_words_are_labels() -> None:
    reading = read_file(samples.BM_NAME, samples.biomet(), Station("CH-Dav")).reading
    assert reading is not None
    assert reading.series == "BM_L02_F03"
    assert reading.start_us == 1679958000_000000  # 2023-03-27T23:00:00Z
    assert reading.offsets_s.tolist() == [0, 10, 20, 30]
    assert [(variable.name, variable.unit) for variable in reading.variables] == [
        ("RECORD", "RN"),
        ("TA_1_1_1", "°C"),
        ("PPFD_IN", "µmol m-2 s-1"),
    ]
    assert np.isnan(reading.variables[2].values).all()
    assert [(label.name, label.values) for label in reading.labels] == [("STATE", ["open"] * 4)]


def test_biomet_without_units_has_none() -> None:
    content = samples.biomet().replace('"TS","RN","°C","µmol m-2 s-1",""\r\n'.encode(), b"")
    reading = read_file(samples.BM_NAME, content, Station("CH-Dav")).reading
    assert reading is not None
    assert (reading.rows, {variable.unit for variable in reading.variables}) == (4, {""})


@pytest.mark.parametrize("stamp", ["20230230000010", "20230328250010", "2023032800001x"])
def test_biomet_with_a_time_that_does_not_exist_names_the_line(stamp: str) -> None:
    result = read_file(samples.BM_NAME, samples.biomet().replace(b"20230328000010", stamp.encode()), Station("CH-Dav"))
    assert result.reason == "malformed_row"
    assert "line 4" in result.detail
