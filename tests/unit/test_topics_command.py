"""`b2stream topics`: what is asked for beyond the contract's table, on a cluster that is played."""

from typing import Any

import pytest
from click.testing import CliRunner

from b2stream.cli import cli
from b2stream.commands import topics as module
from b2stream.contracts import topics as contract
from b2stream.kafka.admin import TopicFacts


class Cluster:
    """Remembers the topics that are created, as Kafka would."""

    def __init__(self) -> None:
        self.topics: dict[str, TopicFacts] = {}

    def create_topic(self, name: str, partitions: int, replication: int, config: dict[str, str]) -> bool:
        assert replication == 3
        self.topics[name] = TopicFacts(f"id-{name}", partitions, config)
        return True

    def topic(self, name: str) -> TopicFacts:
        return self.topics[name]

    def offsets_retention_ms(self) -> int:
        return 10 * contract.MEASUREMENTS_RETENTION_MS


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(module, "Admin", lambda *_: made)
    return made


def call(word: str) -> Any:
    environment = {"B2STREAM_KAFKA_REPLICATION": "3", "B2STREAM_GENERAL_COMMUNITY": "test"}
    return CliRunner().invoke(cli, ["topics", word], env=environment)


def test_I1_what_kafka_acknowledges_survives_the_loss_of_a_broker(cluster: Cluster) -> None:
    assert call("create").exit_code == 0
    assert {facts.config["min.insync.replicas"] for facts in cluster.topics.values()} == {"2"}
    assert call("check").exit_code == 0


def test_I1_a_topic_that_acknowledges_with_one_copy_is_named(cluster: Cluster) -> None:
    call("create")
    name = contract.COMMITS.full_name("test")
    facts = cluster.topics[name]
    cluster.topics[name] = TopicFacts(facts.topic_id, facts.partitions, facts.config | {"min.insync.replicas": "1"})
    refused = call("check")
    assert refused.exit_code != 0
    assert f"{name} has min.insync.replicas=1, with kafka.replication=3 it must be 2" in str(refused.exception)


@pytest.mark.parametrize(("replication", "least"), [(1, 1), (2, 1), (3, 2), (5, 2)])
def test_one_broker_may_be_lost_and_writing_goes_on(replication: int, least: int) -> None:
    assert contract.least_in_sync(replication) == least
