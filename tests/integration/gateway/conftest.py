"""A station per test, on the shared broker or on the one that may be broken."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.gateway.stations import StationStand


@pytest.fixture
def stations(tmp_path: Path) -> Iterator[Callable[[str, str], StationStand]]:
    """Makes stations; their processes end with the test."""
    made: list[StationStand] = []

    def make(bootstrap: str, community: str) -> StationStand:
        directory = tmp_path / f"station-{len(made)}"
        directory.mkdir()
        made.append(StationStand(directory, bootstrap, community))
        return made[-1]

    yield make
    for station in made:
        station.end()


@pytest.fixture
def station(stations: Callable[[str, str], StationStand], kafka_bootstrap: str, community: str) -> StationStand:
    """A station on the shared broker, with its topics."""
    made = stations(kafka_bootstrap, community)
    made.make_topics()
    return made
