"""Who may publish what: a list in a station's description is complete, and whoever reads a refusal knows what would be allowed."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from b2stream.batches.permission import NotPermitted, check_series, check_variables
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import SeriesVariable, StationDescription, StationSeries
from tests.unit.batches.golden_batches import A_FILE

CO2, FLAG = SeriesVariable("CO2", "µmol mol-1"), SeriesVariable("flag")
EC = StationSeries("EC_L99_F01", 0, (CO2, FLAG))
METEO = StationSeries("meteo_2835", 0)
CLOSE = A_FILE.close
assert (CLOSE.station, CLOSE.series, CLOSE.input_format) == ("SE-Htm", "EC_L99_F01", "etc-biomet")


def described(*series: StationSeries) -> dict[str, StationDescription]:
    return {"SE-Htm": StationDescription(station="SE-Htm", name="Hyltemossa", theme="ecosystem", series=series)}


def refusal(check: Callable[..., None], *arguments: object) -> tuple[str, str] | None:
    """Reason and detail; None where it is allowed."""
    try:
        check(*arguments)
    except NotPermitted as refused:
        return refused.reason, refused.detail
    return None


def of_series(
    close: BatchClosed, stations: dict[str, StationDescription], levels: dict[str, int] | None = None
) -> tuple[str, str] | None:
    return refusal(check_series, close, stations, levels or {})


def of_variables(
    variables: Iterable[tuple[str, str]], stations: dict[str, StationDescription]
) -> tuple[str, str] | None:
    return refusal(check_variables, CLOSE, variables, stations)


@pytest.mark.parametrize("stations", [{}, described(), described(EC), described(METEO, EC)])
def test_without_a_list_every_series_is_allowed_else_those_of_the_list(stations: dict[str, StationDescription]) -> None:
    assert of_series(CLOSE, stations) is None


def test_the_list_of_another_station_says_nothing() -> None:
    assert of_series(replace(CLOSE, station="SE-Nor"), described(METEO)) is None


def test_a_series_that_is_not_listed_is_refused_in_words_that_name_what_is_allowed() -> None:
    assert of_series(CLOSE, described(METEO, replace(METEO, id="otc", data_level=1))) == (
        "series_not_listed",
        "station SE-Htm does not list series EC_L99_F01; its description allows meteo_2835 (level 0), otc (level 1)",
    )


def test_what_no_format_reads_is_a_series_that_has_to_be_listed_too() -> None:
    opaque = replace(CLOSE, series="files", input_format="opaque", opaque_reason="not_recognised")
    refused = of_series(opaque, described(EC))
    assert refused is not None
    assert refused[0] == "series_not_listed"
    assert of_series(opaque, described(EC, StationSeries("files", 0))) is None


@pytest.mark.parametrize(("level", "is_refused"), [(0, False), (1, True), (2, True)])
def test_a_format_of_another_data_level_is_refused(level: int, is_refused: bool) -> None:
    refused = of_series(CLOSE, described(replace(EC, data_level=level)), {"etc-biomet": 0, "atc-product": 2})
    assert (refused is not None) == is_refused
    if refused is not None:
        reason, detail = refused
        assert reason == "data_level_differs"
        for word in ("SE-Htm", "EC_L99_F01", "etc-biomet", "level 0", f"level {level}"):
            assert word in detail


def test_a_format_whose_level_nobody_knows_may_be_of_any() -> None:
    assert of_series(CLOSE, described(replace(EC, data_level=3)), {"atc-product": 2}) is None


@pytest.mark.parametrize(
    "variables",
    [[("CO2", "µmol mol-1"), ("flag", "")], [("CO2", "µmol mol-1")], []],
    ids=["all", "an instrument is missing", "opaque"],
)
def test_listed_variables_in_their_units_are_allowed(variables: list[tuple[str, str]]) -> None:
    assert of_variables(variables, described(METEO, EC)) is None


def test_a_series_without_variables_allows_any_and_so_does_a_station_without_series() -> None:
    for stations in ({}, described(), described(replace(EC, variables=()))):
        assert of_variables([("H2O", "mmol mol-1")], stations) is None


def test_variables_that_are_not_listed_are_named_with_those_that_are() -> None:
    assert of_variables([("CO2", "µmol mol-1"), ("H2O", "x"), ("P", "hPa")], described(EC)) == (
        "variable_not_listed",
        "station SE-Htm, series EC_L99_F01 does not list variable H2O, P; its description allows CO2 [µmol mol-1], flag",
    )


@pytest.mark.parametrize("unit", ["ppm", "", "µmol mol-1 "])
def test_another_unit_is_refused_and_both_are_named(unit: str) -> None:
    refused = of_variables([("flag", "%"), ("CO2", unit)], described(EC))
    assert refused is not None
    reason, detail = refused
    assert reason == "unit_differs"
    assert f"CO2 in {unit or 'no unit'} instead of µmol mol-1" in detail
    assert "flag in % instead of no unit" in detail


def test_thousands_of_names_are_cut_short() -> None:
    refused = of_variables([(f"v{number}", "") for number in range(5_000)], described(EC))
    assert refused is not None
    assert "and 4988 more" in refused[1]
    assert len(refused[1]) < 2_000
