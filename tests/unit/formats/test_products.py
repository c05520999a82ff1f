"""ATC and OTC products."""

import numpy as np
import pytest

from b2stream.formats.base import Station
from b2stream.formats.registry import read_file
from tests.unit.formats import samples


def test_atc_times_are_utc_whatever_the_header_says() -> None:
    reading = read_file(samples.ATC_NAME, samples.atc(), Station("XYZ", 1.0)).reading
    assert reading is not None
    assert reading.start_us == 1704067200_000000  # 2024-01-01T00:00:00Z
    assert reading.offsets_s.tolist() == [0, 3600, 7200]
    assert (reading.station, reading.series) == ("XYZ", "CO2_50_77")


def test_atc_flag_judges_the_species_and_its_deviation() -> None:
    reading = read_file(samples.ATC_NAME, samples.atc(), Station("XYZ")).reading
    assert reading is not None
    flag = next(label for label in reading.labels if label.name == "Flag")
    assert (flag.values, flag.judges, flag.bad) == (["U", "N", "O"], ("co2", "Stdev"), ("N", "K", "H"))
    assert [label.judges for label in reading.labels if label.name != "Flag"] == [()]


def test_atc_missing_values_and_units() -> None:
    reading = read_file(samples.ATC_NAME, samples.atc(), Station("XYZ")).reading
    assert reading is not None
    by_name = {variable.name: variable for variable in reading.variables}
    assert by_name["co2"].values.tolist() == [420.5, 421.5, 422.5]
    assert np.isnan(by_name["Stdev"].values).all()
    assert np.isnan(by_name["H2O"].values).all()
    assert (by_name["co2"].unit, by_name["H2O"].unit, by_name["SamplingHeight"].unit) == ("umol.mol-¹", "", "m")


def test_atc_line_counts_are_checked() -> None:
    whole = samples.atc(rows=3)
    cut = whole[: whole.rstrip().rindex(b"\n") + 1]
    longer = whole + whole.splitlines(keepends=True)[-1]
    other_header = samples.atc(header_lines=7)
    reasons = [
        read_file(samples.ATC_NAME, content, Station("XYZ")).reason for content in (whole, cut, longer, other_header)
    ]
    assert reasons == [None, "truncated", "line_count", "line_count"]


def test_atc_without_promised_counts_is_read_as_it_is() -> None:
    content = b"\n".join(line for line in samples.atc().split(b"\n") if b"LINES:" not in line)
    assert read_file(samples.ATC_NAME, content, Station("XYZ")).rows == 3


def test_atc_cut_within_the_header_is_truncated() -> None:
    content = b"".join(samples.atc().splitlines(keepends=True)[:5])
    assert read_file(samples.ATC_NAME, content, Station("XYZ")).reason == "truncated"


def test_atc_with_rows_of_two_instruments_says_mixed() -> None:
    content = samples.atc().replace(b";U;77;", b";U;78;")
    assert read_file(samples.ATC_NAME, content, Station("XYZ")).series == "CO2_50_mixed"


def test_atc_of_which_nothing_names_a_series_is_called_after_its_centre() -> None:
    content = (
        samples.atc().replace(b"PARAMETER: CO2", b"PARAMETER: -").replace(b";50.0;", b";;").replace(b";77;", b";;")
    )
    assert read_file(samples.ATC_NAME, content, Station("XYZ")).series == "ATC"


def test_atc_with_rows_of_another_site_is_malformed() -> None:
    content = samples.atc().replace(b"\nXYZ;50.0;2024;01;01;01", b"\nABC;50.0;2024;01;01;01")
    assert read_file(samples.ATC_NAME, content, Station("XYZ")).reason == "malformed_row"


def test_text_that_begins_with_a_hash_is_no_atc_product() -> None:
    text = b"# Notes\n\nThe header ends with `#Site;` and so on.\n"
    assert read_file("README.md", text, Station("XYZ")).reason == "not_recognised"


def test_otc_keeps_repeated_time_stamps_and_milliseconds() -> None:
    reading = read_file(samples.OTC_NAME, samples.otc(), Station("26NA")).reading
    assert reading is not None
    assert (reading.series, reading.rows) == ("otc", 3)
    assert reading.start_us == 1577836800_000000
    assert reading.offsets_s.tolist() == [0, 60.5, 60.5]


def test_otc_values_have_units_and_their_judgements_are_labels() -> None:
    reading = read_file(samples.OTC_NAME, samples.otc(), Station("26NA")).reading
    assert reading is not None
    assert [(variable.name, variable.unit) for variable in reading.variables] == [
        ("Longitude", ""),
        ("Temp", "degC"),
        ("pCO2", "uatm"),
    ]
    labels = {label.name: label for label in reading.labels}
    assert list(labels) == ["Longitude QC Flag", "Longitude Type", "Temp QC Flag", "Temp QC Comment"]
    assert (labels["Temp QC Flag"].judges, labels["Temp QC Flag"].bad) == (("Temp",), ("4",))
    assert labels["Temp QC Comment"].values == ["", "warm, stirred", ""]
    assert labels["Longitude Type"].judges == ()


@pytest.mark.parametrize(
    ("name", "station"),
    [
        ("26NA20050107_export.csv", "26NA"),
        ("BHNQ20240501.csv", "BHNQ"),
        ("26NA20051307.csv", None),
        ("otc_1.csv", None),
    ],
)
def test_otc_station_is_the_ship_of_an_expocode(name: str, station: str | None) -> None:
    assert read_file(name, samples.otc(), Station()).names_station == station
