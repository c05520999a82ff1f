"""What the gateway asks the cluster, on a broker that restarts under it."""

from collections.abc import Callable

import pytest

from b2stream.errors import Retryable
from b2stream.programs.gateway.cluster import Cluster, LogFacts
from b2stream.sandbox.kafka import KafkaBroker
from b2stream.settings import load
from tests.integration.gateway.stations import PARTITIONS, StationStand
from tests.unit.gateway.stands import STATION
from tests.waiting import until


def cluster_of(station: StationStand) -> Cluster:
    overrides = {
        ("kafka", "bootstrap"): station.bootstrap,
        ("kafka", "partitions"): PARTITIONS,
        ("general", "community"): station.community,
        ("gateway", "station"): STATION,
    }
    return Cluster(load(environment={}, overrides=overrides).settings)


def test_facts_are_the_logs_range_and_the_processors_committed_offset(station: StationStand) -> None:
    (station.folder / "a.bin").write_bytes(b"1")
    assert station.run("--once", "--wait", "sent").returncode == 0
    cluster = cluster_of(station)
    topic_id = cluster.topic_id(station.topic)
    # A broker's very first group has no coordinator for a moment: that is Retryable, and waited for.
    until(lambda: cluster.facts() == LogFacts(topic_id, 0, 2, None), "facts without a commit")

    def committed() -> bool:
        station.admin.set_committed(f"processor-{topic_id}", station.topic, {station.partition: 1})
        return cluster.facts() == LogFacts(topic_id, 0, 2, 1)

    until(committed, "the committed offset is seen")


def test_I11_facts_are_known_again_after_the_broker_was_killed_and_started_and_it_is_retryable_meanwhile(
    stations: Callable[[str, str], StationStand],
    breakable_broker: KafkaBroker,
    community: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each trap here is librdkafka's: an old leader epoch that is never given up, and a death of NOT_COORDINATOR."""
    station = stations(breakable_broker.bootstrap, community)
    station.make_topics()
    cluster = cluster_of(station)
    until(lambda: cluster.facts().end == 0, "facts before")
    for _ in range(2):
        breakable_broker.kill()
        with monkeypatch.context() as patch:
            patch.setattr("b2stream.kafka.admin._ANSWER_S", 1.0)
            with pytest.raises(Retryable, match="Kafka"):
                cluster.facts()
        breakable_broker.start()
        until(lambda: cluster.facts().end == 0, "facts after a restart")
