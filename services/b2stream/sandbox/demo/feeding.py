"""Where the demo's files come from, and how they get into the folders that the gateways watch.

Either the files of a folder, which is only read: each is copied to its station under a hidden name and then renamed. Or simulated
stations, whose files are written while the demo runs.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from b2stream.batches.paths import LONGEST_NAME_BYTES, is_safe_name
from b2stream.errors import ConfigurationError
from b2stream.formats.base import Station
from b2stream.formats.registry import read_file
from b2stream.programs.gateway.watch import SOURCES_ENDING, is_sources, is_temporary
from b2stream.sandbox.demo.ledger import Fed, Ledger
from b2stream.sandbox.simulate import SIZES, simulate_station_files
from b2stream.sandbox.simulate.stations import FOREST, FOREST_UTC_OFFSET_H, SHIP, TOWER

NOBODYS_STATION = "XX-Demo"
"""Takes the files that name no station. Nobody knows its standard time, so it keeps UTC."""
HIDDEN = ".arriving.part"
SIMULATED_DAYS_BACK = (4, 1)
"""A day reaches three days back with its products, so these do not overlap."""


@dataclass(frozen=True)
class FedStation:
    """A station with the folder that its gateway watches. `utc_offset_h` None: the gateway finds the standard time itself."""

    station: str
    folder: Path
    utc_offset_h: float | None


@dataclass
class Feed:
    """Files, each of which the next step puts before its station. `new` counts those that were not fed here before."""

    stations: list[FedStation]
    count: int
    new: int
    left_out: list[str]
    _steps: Iterator[Fed]
    fed: list[Fed] = field(default_factory=list)

    def give(self, count: int, after_each: Callable[[], None] = lambda: None) -> None:
        """Feed the next `count` files."""
        for _ in range(count):
            step = next(self._steps, None)
            if step is None:
                return
            self.fed.append(step)
            after_each()

    @property
    def left(self) -> int:
        return self.count - len(self.fed)


def from_folder(data: Path, folders: Path, ledger: Ledger) -> Feed:
    """The files of a folder, those first that were fed before. Raises ConfigurationError where there is none."""
    present = sorted(data.iterdir())
    files = [path for path in present if path.is_file() and not is_temporary(path.name) and not is_sources(path.name)]
    fits = {path.name for path in files}
    fits |= {name + SOURCES_ENDING for name in fits}  # lists of sources go with their files
    left_out = [path.name for path in present if path.name not in fits or not path.is_file()]
    if not files:
        raise ConfigurationError(f"--data: there is no file in {data}")
    fed = [Fed.of(station_of(path), path) for path in files]
    fed.sort(key=lambda one: not ledger.knows(one))
    names = sorted({one.station for one in fed})
    stations = [FedStation(name, folders / name, 0.0 if name == NOBODYS_STATION else None) for name in names]
    new = sum(not ledger.knows(one) for one in fed)
    return Feed(stations, len(fed), new, left_out, _copies(fed, folders, ledger))


def station_of(file: Path) -> str:
    """The station that a file or its name gives, as the formats find it; else, or where no station can be called so, `XX-Demo`."""
    named = read_file(file.name, file, Station(utc_offset_h=0.0)).names_station
    return named if named and is_safe_name(named, LONGEST_NAME_BYTES) else NOBODYS_STATION


def simulated(folders: Path, ledger: Ledger, seed: int, size: str) -> Feed:
    """A handful of simulated stations: the days before this one."""
    offsets = {FOREST.station: FOREST_UTC_OFFSET_H, TOWER.station: 0.0, SHIP.station: 0.0}
    stations = [FedStation(name, folders / name, offset) for name, offset in offsets.items()]
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=back) for back in SIMULATED_DAYS_BACK][: 1 if size == "tiny" else None]
    parts = SIZES[size]
    count = len(days) * (parts.half_hours + parts.picarro_hours + parts.product_days + parts.ship_days)
    return Feed(stations, count, count, [], _simulations(folders, ledger, seed, size, days))


def _copies(fed: list[Fed], folders: Path, ledger: Ledger) -> Iterator[Fed]:
    for one in fed:
        source = Path(one.source)
        folder = folders / one.station
        ledger.add(one)
        beside = source.with_name(source.name + SOURCES_ENDING)
        # The list of sources first: it counts when its file is taken.
        for each in (beside, source) if beside.is_file() else (source,):
            hidden = folder / HIDDEN
            shutil.copy2(each, hidden)
            hidden.chmod(0o600)  # the original may be readable only, and a second run replaces the copy
            os.replace(hidden, folder / each.name)
        yield one


def _simulations(folders: Path, ledger: Ledger, seed: int, size: str, days: list[date]) -> Iterator[Fed]:
    for day in days:
        for written in simulate_station_files(folders, seed, day, size):
            one = Fed.of(written.station, written.path, written.rows)
            ledger.add(one)
            yield one
