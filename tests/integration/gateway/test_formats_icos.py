"""The real ICOS files: which format, station, series, start and rows, frozen; and how fast."""

import time
from pathlib import Path

import numpy as np
import pytest

from b2stream.formats.base import Reading, Station
from b2stream.formats.registry import read_file

READ = {
    "DE-HoH_EC_201907301200_v01.csv": ("etc-eddy-covariance", "DE-HoH", "EC", "2019-07-30T10:30", 36_000),
    "CFADS2283-20150831-171845Z-DataLog_User.dat": (
        "picarro-datalog",
        None,
        "picarro-CFADS2283",
        "2015-08-31T17:18:40.949",
        2_679,
    ),
    "CFADS2283-20180801-003712Z-DataLog_User.dat": (
        "picarro-datalog",
        None,
        "picarro-CFADS2283",
        "2018-08-01T00:37:07.130",
        9,
    ),
    "TOA5_Feud.meteo_12.dat": ("campbell-toa5", None, "meteo_2835", "2012-03-28T11:00", 347),
    "CH-OE2_TOA5_1min_20220629-1714.dat": ("campbell-toa5", "CH-OE2", "iDL_BOX1_1min_15913", "2022-06-29T16:14", 96),
    "CH-FRU_TOA5_20Hz_20240404-1300.csv.gz": ("campbell-toa5", "CH-FRU", "ch-fru-idaq-box1-1", "2024-04-04T12:00", 96),
    "CH-Dav_BM_20230328_L02_F03.zip": ("etc-biomet", "CH-Dav", "BM_L02_F03", "2023-03-27T23:00:10", 98),
    "ICOS_ATC_NRT_GAT_2018-04-12CO2.csv": ("atc-product", "GAT", "CO2_341_489", "2018-04-12T00:00", 24),
    "realatc.CO2.zip": ("atc-product", "GAT", "CO2_341_489", "2018-04-12T00:00", 24),
    "otc_quality_flags.csv": ("otc-product", None, "otc", "2020-01-01T00:00", 8),
    "otc_no_quality_flags.csv": ("otc-product", None, "otc", "2020-01-01T00:00", 8),
}
"""By file: format, station that it names, series, start in UTC, rows."""


def reading_of(folder: Path, name: str) -> Reading:
    # the offset of a gateway that was told none is taken from the country; only Feud's logger names no station
    reading = read_file(name, folder / name, Station(utc_offset_h=1.0 if "Feud" in name else None)).reading
    assert reading is not None
    return reading


@pytest.mark.parametrize("name", READ)
def test_station_series_start_and_rows_of_each_file_that_a_format_reads(name: str, icos_data: Path) -> None:
    format_name, station, series, start, rows = READ[name]
    result = read_file(name, icos_data / name, Station(utc_offset_h=1.0))
    assert (result.format, result.names_station, result.series, result.rows) == (format_name, station, series, rows)
    assert result.reading is not None
    assert result.reading.start_us == int(np.datetime64(start, "us").astype(np.int64))


@pytest.mark.parametrize("name", [name for name in READ if "Feud" not in name])
def test_no_setting_is_needed_where_name_or_content_tell_the_country_or_utc(name: str, icos_data: Path) -> None:
    assert read_file(name, icos_data / name, Station()).rows == READ[name][4]


def test_every_other_file_is_opaque(icos_data: Path) -> None:
    others = [path for path in sorted(icos_data.iterdir()) if path.name not in READ]
    assert len(others) >= 13
    assert {read_file(path.name, path, Station(utc_offset_h=1.0)).reason for path in others} == {"not_recognised"}


def test_values_of_the_eddy_covariance_file(icos_data: Path) -> None:
    reading = reading_of(icos_data, "DE-HoH_EC_201907301200_v01.csv")
    first, last = ([variable.values[row] for variable in reading.variables] for row in (0, -1))
    assert first == [-2.59818, 4.23013, -1.62595, 301.15, 351.076, 15.6405, 1, 8191, 28.5792, 30.9018, 27.9985, 96.8953]
    assert last == [-0.4819, 2.43518, -0.15775, 303.137, 349.125, 16.5136, 10, 8191, 29.1689, 31.3166, 28.632, 96.8866]
    assert (reading.offsets_s[1], reading.offsets_s[-1]) == (0.05, 1799.95)


def test_values_of_the_picarro_file(icos_data: Path) -> None:
    reading = reading_of(icos_data, "CFADS2283-20150831-171845Z-DataLog_User.dat")
    values = {variable.name: variable.values for variable in reading.variables}
    assert (values["CO2_dry"][0], values["h2o_reported"][-1]) == (496.17478375, 2.7756749393)
    assert set(values) == {
        *("ALARM_STATUS", "INST_STATUS", "species", "MPVPosition", "solenoid_valves"),
        *("CH4", "CH4_dry", "CO2", "CO2_dry", "H2O", "h2o_reported"),
    }


def test_missing_values_flags_and_units_of_the_others(icos_data: Path) -> None:
    product = reading_of(icos_data, "ICOS_ATC_NRT_GAT_2018-04-12CO2.csv")
    co2 = next(variable for variable in product.variables if variable.name == "co2")
    assert (co2.unit, co2.values[0]) == ("umol.mol-¹", 420.828)
    assert np.isnan(co2.values[-1])  # replaced by -999.990 in this file, present in the original
    original = reading_of(icos_data, "realatc.CO2.zip")
    assert next(variable for variable in original.variables if variable.name == "co2").values[-1] == 424.389
    meteo = reading_of(icos_data, "TOA5_Feud.meteo_12.dat")
    assert sum(int(np.isnan(variable.values).sum()) for variable in meteo.variables) > 0
    ocean = reading_of(icos_data, "otc_quality_flags.csv")
    flags = {label.name: label for label in ocean.labels}
    assert flags["Longitude QC Flag"].values == ["2", "2", "2", "2", "4", "2", "4", "2"]
    assert flags["Longitude QC Flag"].judges == ("Longitude",)
    assert ocean.offsets_s.tolist() == [0, 60, 120, 180, 240, 240, 240, 300]


def test_a_half_hour_at_20_hz_is_read_much_faster_than_it_was_measured(icos_data: Path) -> None:
    """A guard against accidents, in processor time and with a wide margin: the measured rate is above 35 MB/s (see tables.py)."""
    path = icos_data / "DE-HoH_EC_201907301200_v01.csv"
    content = path.read_bytes()
    best_s = 60.0
    for _ in range(5):
        begun = time.process_time()
        read_file(path.name, content, Station("DE-HoH"))
        best_s = min(best_s, time.process_time() - begun)
    assert len(content) / best_s > 2e6
