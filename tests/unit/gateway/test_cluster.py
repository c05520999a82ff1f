"""What a gateway asks the cluster, on one that is played."""

from collections.abc import Callable
from typing import cast

import pytest

from b2stream.contracts import topics
from b2stream.errors import ConfigurationError, Retryable
from b2stream.kafka import LogRange
from b2stream.kafka.admin import Admin, TopicFacts
from b2stream.kafka.errors import NoSuchTopic
from b2stream.programs.gateway.cluster import Cluster, LogFacts
from b2stream.settings import load
from tests.unit.gateway.stands import STATION

PARTITIONS = 1
QUESTIONS: dict[str, Callable[[Cluster], object]] = {
    "id of a topic": lambda cluster: cluster.topic_id("icos.commits"),
    "id of the measurements": Cluster.measurements_id,
    "what became of the log": Cluster.facts,
}


class Brokers:
    """Have every topic, as agreed; `are_fresh` knows none yet, as a broker that was just thawed or started."""

    are_fresh = False

    def topic(self, name: str) -> TopicFacts:
        if self.are_fresh:
            raise NoSuchTopic("Kafka: unknown topic")
        return TopicFacts("id", PARTITIONS, topics.MEASUREMENTS.config())

    def ranges(self, topic: str, partitions: int) -> dict[int, LogRange]:
        return {0: LogRange(3, 9)}

    def committed(self, group: str, topic: str, partitions: int) -> dict[int, int]:
        return {0: 7} if group == "processor-id" else {}


def cluster_on(brokers: Brokers) -> Cluster:
    overrides = {("gateway", "station"): STATION, ("kafka", "partitions"): str(PARTITIONS)}
    return Cluster(load(environment={}, overrides=overrides).settings, lambda _: cast(Admin, brokers))


@pytest.mark.parametrize("with_receipts", [True, False])
def test_a_topic_that_is_missing_before_it_begins_stops_a_gateway(with_receipts: bool) -> None:
    brokers = Brokers()
    cluster_on(brokers).check(with_receipts=with_receipts)
    brokers.are_fresh = True
    with pytest.raises(ConfigurationError, match="topics create"):
        cluster_on(brokers).check(with_receipts=with_receipts)


@pytest.mark.parametrize("question", QUESTIONS)
def test_I11_a_broker_that_knows_no_topic_for_a_moment_does_not_stop_a_gateway_that_works(question: str) -> None:
    brokers = Brokers()
    cluster = cluster_on(brokers)
    cluster.check(with_receipts=True)
    brokers.are_fresh = True
    with pytest.raises(Retryable, match="unknown topic"):
        QUESTIONS[question](cluster)
    brokers.are_fresh = False
    assert QUESTIONS[question](cluster)


def test_the_facts_are_of_the_stations_partition_and_of_the_processors_group() -> None:
    assert cluster_on(Brokers()).facts() == LogFacts("id", 3, 9, 7)
