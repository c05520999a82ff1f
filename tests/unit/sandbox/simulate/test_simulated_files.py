"""Simulated stations: real formats, read back whole; the same bytes for the same seed; days, seasons and turbulence that look right."""

import hashlib
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from b2stream.formats.base import Reading, Station
from b2stream.formats.registry import read_file
from b2stream.sandbox.simulate import SIZES, climate, eddy_covariance, ocean_line, picarro, simulate_station_files
from b2stream.sandbox.simulate.climate import Series
from b2stream.sandbox.simulate.stations import FOREST, SHIP, TOWER

SUMMER = date(2024, 6, 15)
NOON = datetime(2024, 6, 15, 11, 30, tzinfo=UTC)
MIDNIGHT = datetime(2024, 6, 15, 0, 0, tzinfo=UTC)


def half_hour(end: datetime, seed: int = 7) -> dict[str, Series]:
    name = eddy_covariance.file_name("SE-Sim", end, 1.0)
    reading = read_file(name, eddy_covariance.half_hour(FOREST, seed, end), Station("SE-Sim", 1.0)).reading
    assert reading is not None
    return columns(reading)


def columns(reading: Reading) -> dict[str, Series]:
    return {variable.name: variable.values for variable in reading.variables}


def covariance(values: dict[str, Series], name: str) -> float:
    w, x = values["W"], values[name]
    return float(np.nanmean((w - w.mean()) * (x - np.nanmean(x))))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("small")
    return [
        (str(file.path.relative_to(folder)), digest(file.path)) for file in simulate_station_files(folder, 7, SUMMER)
    ]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_file_is_read_by_its_format_with_the_rows_it_promises(tmp_path: Path) -> None:
    formats = set()
    for file in simulate_station_files(tmp_path, 7, SUMMER):
        result = read_file(file.path.name, file.path, Station(file.station, file.utc_offset_h))
        assert (result.series, result.rows) == (file.series, file.rows), result.detail
        assert result.names_station in (None, file.station)
        assert file.path.parent == tmp_path / file.station
        formats.add(result.format)
    assert formats == {"etc-eddy-covariance", "picarro-datalog", "atc-product", "otc-product"}


def test_equal_seed_and_day_give_equal_bytes_and_another_seed_others(
    tmp_path: Path, written: list[tuple[str, str]]
) -> None:
    again = [
        (str(file.path.relative_to(tmp_path)), digest(file.path))
        for file in simulate_station_files(tmp_path, 7, SUMMER)
    ]
    assert again == written
    other = {digest(file.path) for file in simulate_station_files(tmp_path / "other", 8, SUMMER, "tiny")}
    assert not other & {content for _, content in written}


def test_a_file_appears_whole_and_one_at_each_step(tmp_path: Path) -> None:
    seen: set[Path] = set()
    for file in simulate_station_files(tmp_path, 7, SUMMER, "tiny"):
        now = {path for path in tmp_path.rglob("*") if path.is_file()}
        assert now - seen == {file.path}
        seen = now
    assert len(seen) == 4


def test_the_files_come_in_the_order_in_which_stations_finish_them(tmp_path: Path) -> None:
    names = [file.path.name for file in simulate_station_files(tmp_path, 7, SUMMER)]
    eddies = [name for name in names if "_EC_" in name]
    assert eddies == sorted(eddies)
    assert len(eddies) == SIZES["small"].half_hours
    assert names.index("99SM20240614.csv") < names.index(eddies[0]) < names.index("99SM20240615.csv")


def test_the_name_of_a_half_hour_is_its_end_in_standard_time() -> None:
    assert eddy_covariance.file_name("SE-Sim", NOON, 1.0) == "SE-Sim_EC_202406151230_L01_F01.csv"


def test_the_fluxes_of_a_summer_noon_and_night_have_the_right_signs() -> None:
    noon, night = half_hour(NOON), half_hour(MIDNIGHT)
    assert covariance(noon, "T_SONIC") > 0.03 > 0 > covariance(night, "T_SONIC")
    assert covariance(noon, "H2O") > covariance(night, "H2O")
    assert covariance(noon, "CO2") < -0.1 < 0 < covariance(night, "CO2")
    assert noon["W"].std() > night["W"].std() > 0.05


def test_the_covariance_is_the_flux_that_was_asked_for() -> None:
    asked = eddy_covariance.exchange_of(FOREST, 7, NOON.timestamp() - 900)
    assert covariance(half_hour(NOON), "T_SONIC") == pytest.approx(asked.heat, rel=0.25)


@pytest.mark.parametrize("name", ["U", "V", "W", "T_SONIC"])
def test_turbulence_falls_with_five_thirds_in_the_inertial_range(name: str) -> None:
    values = half_hour(NOON)[name]
    frequencies = np.fft.rfftfreq(len(values), 1 / 20)
    power = np.abs(np.fft.rfft(values - values.mean())) ** 2
    edges = np.logspace(np.log10(0.5), np.log10(5), 12)
    means = [power[(frequencies >= low) & (frequencies < high)].mean() for low, high in pairwise(edges)]
    slope = np.polyfit(np.log(edges[:-1]), np.log(means), 1)[0]
    assert slope == pytest.approx(-5 / 3, abs=0.15)


def test_days_and_seasons() -> None:
    hours = 1704067200.0 + 3600.0 * np.arange(366 * 24)  # 2024
    summer, winter = slice(24 * 160, 24 * 220), slice(0, 24 * 30)
    temperature = climate.temperature(FOREST, 7, hours)
    co2 = climate.carbon_dioxide(FOREST, 7, hours)
    radiation = climate.radiation(FOREST, 7, hours)
    assert temperature[summer].mean() > temperature[winter].mean() + 10
    assert np.ptp(hourly_means(temperature[summer])) > np.ptp(hourly_means(temperature[winter]))
    assert 2 <= int(np.argmax(hourly_means(co2[summer]))) <= 6
    assert np.ptp(hourly_means(co2[summer])) > 10 > 2 > np.ptp(hourly_means(co2[winter]))
    assert 10 <= int(np.argmax(hourly_means(radiation[summer]))) <= 13
    assert hourly_means(radiation[summer])[0] == 0
    assert np.ptp(hourly_means(climate.carbon_dioxide(TOWER, 7, hours)[summer])) < np.ptp(hourly_means(co2[summer]))


def hourly_means(values: Series) -> Series:
    return np.asarray(values.reshape(-1, 24).mean(axis=0), dtype=np.float64)


def test_day_of_year_counts_from_new_year() -> None:
    instants = np.array(
        [datetime(2024, 1, 1, tzinfo=UTC).timestamp(), datetime(2024, 12, 31, 12, tzinfo=UTC).timestamp()]
    )
    assert climate.day_of_year(instants).tolist() == [0, 365.5]


def test_the_analyser_shows_its_calibration_gases_as_steps() -> None:
    content, rows = picarro.hour(TOWER, 7, datetime(2024, 6, 15, 12, tzinfo=UTC))
    reading = read_file("CFADS9901-20240615-120000Z-DataLog_User.dat", content, Station("SIM")).reading
    assert reading is not None
    assert reading.rows == rows
    values = columns(reading)
    for tank, (co2, ch4) in picarro.TANKS.items():
        settled = np.flatnonzero(values["MPVPosition"] == tank)[-100:]
        assert values["CO2_dry"][settled].mean() == pytest.approx(co2, abs=0.05)
        assert values["CH4_dry"][settled].mean() == pytest.approx(ch4, abs=0.001)
    assert set(values["species"].tolist()) == {1, 2, 3}
    assert (values["CO2"] < values["CO2_dry"]).all()
    assert len(content) == (rows + 1) * (17 * 26 + 2)


def test_the_ship_sails_between_its_ports_and_back() -> None:
    days = 86400.0 * np.arange(0, 14, 0.01)
    latitude, longitude = ocean_line.track(days)
    start = ocean_line.PORTS[
        int(np.hypot(latitude[0] - ocean_line.PORTS[0][0], longitude[0] - ocean_line.PORTS[0][1]) > 1)
    ]
    assert (latitude[0], longitude[0]) == pytest.approx(start, abs=0.01)
    assert longitude.min() == pytest.approx(-51.72, abs=0.1)
    assert longitude.max() == pytest.approx(5.32, abs=0.1)
    assert latitude.max() > 64.5  # a great circle bends to the north
    knots = np.hypot(np.diff(latitude), np.diff(longitude) * np.cos(np.radians(latitude[1:]))) * 60 / (24 * 0.01)
    assert 5 < np.median(knots) < 20


def test_the_ocean_line_repeats_time_stamps_and_flags_some_rows() -> None:
    reading = read_file("99SM20240615.csv", ocean_line.day_file(SHIP, 7, SUMMER), Station("99SM")).reading
    assert reading is not None
    assert (np.diff(reading.offsets_s) == 0).any()
    flags = next(label for label in reading.labels if label.name == "pCO2 QC Flag")
    assert (flags.judges, set(flags.values) <= {"2", "3", "4"}) == (("pCO2",), True)
    pco2 = columns(reading)["pCO2"]
    assert 150 < pco2.min() < pco2.max() < 550
