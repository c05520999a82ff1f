"""The stations that a sandbox plays get keys once, and a station that somebody else described is not touched."""

import stat
from pathlib import Path

import pytest

from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.stations import StationDescription
from b2stream.kafka.admin import Admin
from b2stream.sandbox.signing import RegisteredElsewhere, key_file, register
from b2stream.settings import Settings, load
from b2stream.stations.known import KnownStations, publish
from tests.waiting import PATIENCE_S

STATIONS = {"SE-Sim": 1.0, "SIM": None, "99SM": 0.0}


@pytest.fixture
def settings(kafka_bootstrap: str, community: str) -> Settings:
    """Settings of a sandbox whose topic of stations exists."""
    given = {"B2STREAM_KAFKA_BOOTSTRAP": kafka_bootstrap, "B2STREAM_GENERAL_COMMUNITY": community}
    topic = topics.STATIONS.full_name(community)
    made = load(environment=given).settings
    Admin(kafka_bootstrap).create_topic(topic, made.kafka.partitions, 1, topics.STATIONS.config())
    return made


def known(settings: Settings) -> dict[str, StationDescription]:
    return dict(KnownStations.of(settings, Framing(), "test").load(PATIENCE_S))


def test_keys_are_made_once_and_published(settings: Settings, tmp_path: Path) -> None:
    first = register(settings, tmp_path, STATIONS)
    assert known(settings) == {each.station: each for each in first}
    assert [(each.station, each.theme, len(each.keys)) for each in first] == [
        ("SE-Sim", "ecosystem", 1),
        ("SIM", "atmosphere", 1),
        ("99SM", "ocean", 1),
    ]
    assert stat.S_IMODE(key_file(tmp_path, "SIM").stat().st_mode) == 0o600
    assert register(settings, tmp_path, STATIONS) == first


def test_a_new_sandbox_on_the_same_kafka_adds_its_keys_to_those_of_the_earlier_one(
    settings: Settings, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    (before,) = register(settings, one, {"SE-Sim": 1.0})
    (after,) = register(settings, two, {"SE-Sim": 1.0})
    assert len(after.keys) == 2
    assert after.keys[0] == before.keys[0]
    assert known(settings) == {"SE-Sim": after}


def test_I9_a_station_that_somebody_else_described_is_not_touched(settings: Settings, tmp_path: Path) -> None:
    theirs = StationDescription(station="SE-Sim", name="Hyltemossa", theme="ecosystem")
    publish(settings, Framing(), [theirs], PATIENCE_S)
    with pytest.raises(RegisteredElsewhere, match="SE-Sim"):
        register(settings, tmp_path, {"SE-Sim": 1.0})
    assert known(settings) == {"SE-Sim": theirs}
