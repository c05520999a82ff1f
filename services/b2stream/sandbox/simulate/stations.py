"""The handful of stations that a sandbox simulates.

Their ids look like real ones and belong to nobody, so that no simulated file is mistaken for a measurement.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from b2stream.sandbox.simulate import atmosphere_product, eddy_covariance, ocean_line, picarro
from b2stream.sandbox.simulate.climate import Site

FOREST = Site("SE-Sim", 56.1, 13.4, height_m=30.0)
TOWER = Site("SIM", 53.1, 11.4, height_m=120.0)
SHIP = Site("99SM", 61.0, -20.0, height_m=20.0, mean_temperature_c=7.0, seasonal_amplitude_k=4.0)
FOREST_UTC_OFFSET_H = 1.0
INSTRUMENT = "CFADS9901"


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a day is simulated. Half hours and hours end at or begin with noon UTC, when most happens."""

    half_hours: int
    picarro_hours: int
    product_days: int  # up to and with the day
    ship_days: int


SIZES = {
    "tiny": Size(half_hours=1, picarro_hours=1, product_days=1, ship_days=1),
    "small": Size(half_hours=4, picarro_hours=2, product_days=3, ship_days=2),
    "day": Size(half_hours=48, picarro_hours=24, product_days=1, ship_days=1),
}
"""tiny: 5 MB; small, for a demo: 16 MB; day: all that these stations write in a day, 180 MB."""


@dataclass(frozen=True, slots=True)
class SimulatedFile:
    """A file that was written, and what it must be read as."""

    path: Path
    station: str
    utc_offset_h: float  # for the station's gateway
    series: str
    rows: int


@dataclass(frozen=True, slots=True)
class _Plan:
    done: datetime  # when a real station would have finished the file
    station: str
    utc_offset_h: float
    series: str
    name: str
    write: Callable[[], tuple[bytes, int]]


def simulate_station_files(directory: Path, seed: int, day: date, size: str = "small") -> Iterator[SimulatedFile]:
    """Write the files of one day below `directory/<station>/`, in the order in which stations would finish them, one at each step.

    A file appears whole: it is written under a hidden name beside it and then renamed. Equal seed, day and size give equal bytes.
    Raises KeyError for a size that is none of SIZES.
    """
    for plan in sorted(_plans(seed, day, SIZES[size]), key=lambda plan: (plan.done, plan.name)):
        content, rows = plan.write()
        folder = directory / plan.station
        folder.mkdir(parents=True, exist_ok=True)
        hidden = folder / f".{plan.name}.part"
        hidden.write_bytes(content)
        os.replace(hidden, folder / plan.name)
        yield SimulatedFile(folder / plan.name, plan.station, plan.utc_offset_h, plan.series, rows)


def _plans(seed: int, day: date, size: Size) -> Iterator[_Plan]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    noon = midnight + timedelta(hours=12)
    first_end = midnight + timedelta(minutes=30) if size.half_hours == 48 else noon
    for index in range(size.half_hours):
        end = first_end + timedelta(minutes=30 * index)
        name = eddy_covariance.file_name(FOREST.station, end, FOREST_UTC_OFFSET_H)
        yield _Plan(end, FOREST.station, FOREST_UTC_OFFSET_H, "EC_L01_F01", name, _half_hour(seed, end))
    for index in range(size.picarro_hours):
        begin = (midnight if size.picarro_hours == 24 else noon) + timedelta(hours=index)
        name = picarro.file_name(INSTRUMENT, begin)
        yield _Plan(begin + timedelta(hours=1), TOWER.station, 0.0, f"picarro-{INSTRUMENT}", name, _hour(seed, begin))
    for back in range(size.product_days):
        yield _product(seed, day - timedelta(days=back), midnight - timedelta(days=back - 1))
    for back in range(size.ship_days):
        yield _ship(seed, day - timedelta(days=back), midnight - timedelta(days=back - 1))


def _half_hour(seed: int, end: datetime) -> Callable[[], tuple[bytes, int]]:
    return lambda: (eddy_covariance.half_hour(FOREST, seed, end), eddy_covariance.ROWS)


def _hour(seed: int, begin: datetime) -> Callable[[], tuple[bytes, int]]:
    return lambda: picarro.hour(TOWER, seed, begin)


def _product(seed: int, day: date, done: datetime) -> _Plan:
    series = f"CO2_{TOWER.height_m:g}_{atmosphere_product.INSTRUMENT}"
    name = atmosphere_product.file_name(TOWER, day)
    return _Plan(done, TOWER.station, 0.0, series, name, lambda: (atmosphere_product.day_file(TOWER, seed, day), 24))


def _ship(seed: int, day: date, done: datetime) -> _Plan:
    name = ocean_line.file_name(SHIP.station, day)
    return _Plan(done, SHIP.station, 0.0, "otc", name, lambda: (ocean_line.day_file(SHIP, seed, day), 1440))
