"""What brokers are told, alone and in a cluster, and that a cluster keeps what was drawn for it."""

from pathlib import Path

import pytest

from b2stream.errors import ConfigurationError
from b2stream.sandbox.kafka import cluster
from b2stream.sandbox.kafka.properties import Member, ProxiedListener, SecureListener, server_properties

THREE = tuple(Member(number, "an-id", (20_001, 20_002, 20_003)) for number in (1, 2, 3))


def told(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def test_alone_nothing_is_replicated() -> None:
    found = told(server_properties(port=1, controller_port=2, data=Path("data")))
    assert found["node.id"] == "1"
    assert found["controller.quorum.bootstrap.servers"] == "127.0.0.1:2"
    assert {value for key, value in found.items() if key.endswith(("replication.factor", "min.isr"))} == {"1"}
    assert found["min.insync.replicas"] == "1"


def test_I1_of_three_every_topic_has_three_copies_and_two_before_anything_is_acknowledged() -> None:
    found = told(server_properties(port=1, controller_port=20_002, data=Path("data"), member=THREE[1]))
    assert found["node.id"] == "2"
    assert found["controller.quorum.voters"] == "1@127.0.0.1:20001,2@127.0.0.1:20002,3@127.0.0.1:20003"
    assert "controller.quorum.bootstrap.servers" not in found
    assert {value for key, value in found.items() if key.endswith("replication.factor")} == {"3"}
    assert {value for key, value in found.items() if key.endswith(("min.isr", "min.insync.replicas"))} == {"2"}
    assert "unclean.leader.election.enable" not in found, "Kafka's default, false, loses nothing"


def test_more_doors_are_listened_at_and_only_the_proxied_one_names_another_port() -> None:
    found = told(
        server_properties(
            port=1,
            controller_port=2,
            data=Path("data"),
            secure=SecureListener(3, "SSL", {"ssl.keystore.type": "PEM"}),
            proxied=ProxiedListener(4, 5),
            more={"log.retention.check.interval.ms": "100"},
        )
    )
    listens, advertises = found["listeners"].split(","), found["advertised.listeners"].split(",")
    assert {"SSL://127.0.0.1:3", "PROXIED://127.0.0.1:4"} <= set(listens)
    assert advertises == ["PLAINTEXT://127.0.0.1:1", "SSL://127.0.0.1:3", "PROXIED://127.0.0.1:5"]
    assert found["ssl.keystore.type"] == "PEM"
    assert found["log.retention.check.interval.ms"] == "100"


def test_a_cluster_is_drawn_once_and_found_again(tmp_path: Path) -> None:
    drawn = cluster.members(tmp_path / "new", 3)
    assert [one.node_id for one in drawn] == [1, 2, 3]
    assert len({one.controller_port for one in drawn}) == 3
    assert cluster.members(tmp_path / "new", 3) == drawn
    assert cluster.broker_count(tmp_path / "new") == 3


def test_a_number_of_brokers_that_cannot_be_is_refused_with_the_way_out(tmp_path: Path) -> None:
    assert cluster.broker_count(tmp_path) == 1
    assert cluster.broker_count(tmp_path, 3) == 3
    with pytest.raises(ConfigurationError, match="1 or 3 brokers, not 2"):
        cluster.broker_count(tmp_path, 2)
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    assert cluster.broker_count(tmp_path) == 1
    with pytest.raises(ConfigurationError, match=r"has 1 broker, not 3: choose another --directory"):
        cluster.broker_count(tmp_path, 3)
