"""`b2stream topics`: what is asked for beyond the contract's table, on a cluster that is played."""

import re
from typing import Any

import pytest
from click.testing import CliRunner

from b2stream.cli import cli
from b2stream.commands import topics as module
from b2stream.contracts import topics as contract
from b2stream.kafka.admin import TopicFacts

COMMAND = re.compile(
    r"`kafka-configs\.sh --bootstrap-server (\S+)( --command-config FILE)? --alter --entity-type topics "
    r"--entity-name (\S+) --add-config (\S+)=(\S+)`"
)


class Cluster:
    """Remembers the topics that are created, as Kafka would."""

    def __init__(self) -> None:
        self.topics: dict[str, TopicFacts] = {}
        self.offsets_minutes = 10 * contract.MEASUREMENTS_RETENTION_MS // 60_000

    def create_topic(self, name: str, partitions: int, replication: int, config: dict[str, str]) -> bool:
        assert replication == 3
        if name in self.topics:
            return False
        self.topics[name] = TopicFacts(f"id-{name}", partitions, config)
        return True

    def topic(self, name: str) -> TopicFacts:
        return self.topics[name]

    def alter(self, name: str, key: str, value: str | None) -> None:
        facts = self.topics[name]
        config = {each: text for each, text in facts.config.items() if each != key}
        self.topics[name] = TopicFacts(facts.topic_id, facts.partitions, config | ({key: value} if value else {}))

    def offsets_retention_ms(self) -> int:
        return self.offsets_minutes * 60_000


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(module, "Admin", lambda *_: made)
    return made


def call(word: str, **more: str) -> Any:
    environment = {"B2STREAM_KAFKA_REPLICATION": "3", "B2STREAM_GENERAL_COMMUNITY": "test", **more}
    return CliRunner().invoke(cli, ["topics", word], env=environment)


def test_I1_what_kafka_acknowledges_survives_the_loss_of_a_broker(cluster: Cluster) -> None:
    assert call("create").exit_code == 0
    assert {facts.config["min.insync.replicas"] for facts in cluster.topics.values()} == {"2"}
    assert call("check").exit_code == 0


def test_I1_a_topic_that_acknowledges_with_one_copy_is_named(cluster: Cluster) -> None:
    call("create")
    name = contract.COMMITS.full_name("test")
    cluster.alter(name, "min.insync.replicas", "1")
    refused = call("check")
    assert refused.exit_code != 0
    assert f"{name} has min.insync.replicas=1, with kafka.replication=3 it must be 2" in str(refused.exception)


@pytest.mark.parametrize("word", ["create", "check"])
@pytest.mark.parametrize("before", [None, "producer"])
def test_a_topic_of_an_older_contract_is_named_with_the_command_that_cures_it(
    cluster: Cluster, word: str, before: str | None
) -> None:
    call("create")
    old = [contract.MEASUREMENTS.full_name("test"), contract.EVENTS.full_name("test")]
    for name in old:
        cluster.alter(name, "compression.type", before)
    cluster.alter(contract.COMMITS.full_name("test"), contract.IN_SYNC, "1")
    refused = call(word, B2STREAM_KAFKA_BOOTSTRAP="broker-1:9092,broker-2:9092")
    assert refused.exit_code != 0
    assert f"{old[0]} has compression.type={before}, the contract says uncompressed" in str(refused.exception)
    cures = COMMAND.findall(str(refused.exception))
    assert {name for _, _, name, key, _ in cures if key == "compression.type"} == set(old)
    assert {(brokers, login) for brokers, login, *_ in cures} == {("broker-1:9092,broker-2:9092", "")}
    for _, _, name, key, value in cures:
        cluster.alter(name, key, value)
    assert call(word).exit_code == 0


def test_the_cure_asks_for_the_login_where_the_brokers_do(cluster: Cluster) -> None:
    call("create")
    cluster.alter(contract.EVENTS.full_name("test"), "compression.type", None)
    refused = call("check", B2STREAM_KAFKA_SECURITY_PROTOCOL="SSL")
    assert [login for _, login, *_ in COMMAND.findall(str(refused.exception))] == [" --command-config FILE"]


@pytest.mark.parametrize("word", ["create", "check"])
def test_I8_brokers_that_forget_offsets_too_early_are_named_with_the_setting_that_cures_it(
    cluster: Cluster, word: str
) -> None:
    call("create")
    cluster.offsets_minutes = 7 * 24 * 60  # Kafka's default
    refused = call(word)
    assert refused.exit_code != 0
    cure = re.search(r"`offsets\.retention\.minutes=(\d+)` into server\.properties", str(refused.exception))
    assert cure is not None
    assert "then try again" in str(refused.exception)
    cluster.offsets_minutes = int(cure[1])
    assert call(word).exit_code == 0


@pytest.mark.parametrize(("replication", "least"), [(1, 1), (2, 1), (3, 2), (5, 2)])
def test_one_broker_may_be_lost_and_writing_goes_on(replication: int, least: int) -> None:
    assert contract.least_in_sync(replication) == least
