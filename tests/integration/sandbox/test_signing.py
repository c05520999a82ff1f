"""The stations that a sandbox plays get keys once, and a station that somebody else described is not touched."""

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.stations import StationDescription
from b2stream.kafka.admin import Admin
from b2stream.sandbox.deployment import Deployment, Given
from b2stream.sandbox.signing import RegisteredElsewhere, key_file, register
from b2stream.settings import Settings, load
from b2stream.stations.known import KnownStations, publish
from tests.waiting import PATIENCE_S

STATIONS = {"SE-Sim": 1.0, "SIM": None, "99SM": 0.0}


def deployment_in(folder: Path, kafka: str, community: str) -> Deployment:
    zone = "irods://rods@127.0.0.1:1247/zone/home/rods/root"
    return Deployment(folder, Given(kafka, "redis://127.0.0.1:6379/0", zone, zone), community=community)


@pytest.fixture
def deployment(tmp_path: Path, kafka_bootstrap: str, community: str) -> Iterator[Deployment]:
    """A deployment of servers that somebody else runs; of these only Kafka is needed."""
    with deployment_in(tmp_path / "one", kafka_bootstrap, community) as made:
        settings = settings_of(made)
        topic = topics.STATIONS.full_name(community)
        Admin(kafka_bootstrap).create_topic(topic, settings.kafka.partitions, 1, topics.STATIONS.config())
        yield made


def settings_of(deployment: Deployment) -> Settings:
    return load(deployment.settings_file, environment={}).settings


def known(deployment: Deployment) -> dict[str, StationDescription]:
    return dict(KnownStations.of(settings_of(deployment), Framing(), "test").load(PATIENCE_S))


def test_keys_are_made_once_and_published(deployment: Deployment) -> None:
    first = register(deployment, STATIONS)
    assert known(deployment) == {each.station: each for each in first}
    assert [(each.station, each.theme, len(each.keys)) for each in first] == [
        ("SE-Sim", "ecosystem", 1),
        ("SIM", "atmosphere", 1),
        ("99SM", "ocean", 1),
    ]
    assert stat.S_IMODE(key_file(deployment.directory, "SIM").stat().st_mode) == 0o600
    assert register(deployment, STATIONS) == first


def test_a_new_sandbox_on_the_same_kafka_adds_its_keys_to_those_of_the_earlier_one(
    deployment: Deployment, tmp_path: Path, kafka_bootstrap: str
) -> None:
    (before,) = register(deployment, {"SE-Sim": 1.0})
    with deployment_in(tmp_path / "two", kafka_bootstrap, deployment.community) as fresh:
        (after,) = register(fresh, {"SE-Sim": 1.0})
        assert len(after.keys) == 2
        assert after.keys[0] == before.keys[0]
        assert known(fresh) == {"SE-Sim": after}


def test_I9_a_station_that_somebody_else_described_is_not_touched(deployment: Deployment) -> None:
    (ours,) = register(deployment, {"SE-Sim": 1.0})
    theirs = replace(ours, name="Hyltemossa", keys=())
    publish(settings_of(deployment), Framing(), [theirs], PATIENCE_S)
    with pytest.raises(RegisteredElsewhere, match="SE-Sim"):
        register(deployment, {"SE-Sim": 1.0})
    assert known(deployment) == {"SE-Sim": theirs}
