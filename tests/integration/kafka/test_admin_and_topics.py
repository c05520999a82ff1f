"""Topics and offsets on a real Kafka, and `b2stream topics create | check`, which names each deviation."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from b2stream.commands.topics import topics
from b2stream.contracts.topics import ALL, MEASUREMENTS
from b2stream.errors import ConfigurationError, Retryable
from b2stream.kafka import Consumer, LogRange, Producer
from b2stream.kafka.admin import Admin
from b2stream.sandbox.ports import free_port
from tests.integration.kafka.conftest import publish, read
from tests.waiting import PATIENCE_S


@pytest.fixture
def settings(kafka_bootstrap: str, community: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Settings in the environment; gives the community."""
    for name, value in {
        "B2STREAM_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "B2STREAM_KAFKA_PARTITIONS": "4",
        "B2STREAM_GENERAL_COMMUNITY": community,
    }.items():
        monkeypatch.setenv(name, value)
    return community


def told(*arguments: str) -> str:
    return CliRunner().invoke(topics, list(arguments), catch_exceptions=False).output


def alter(bootstrap: str, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    client = AdminClient({"bootstrap.servers": bootstrap})
    client.incremental_alter_configs([resource])[resource].result(PATIENCE_S)


def test_create_makes_every_topic_of_the_contract_and_again_changes_nothing(settings: str, admin: Admin) -> None:
    assert told("create").splitlines() == [f"{settings}.{topic.name}: created" for topic in ALL]
    facts = {topic.name: admin.topic(topic.full_name(settings)) for topic in ALL}
    for topic in ALL:
        assert facts[topic.name].partitions == 4
        assert facts[topic.name].config.items() >= topic.config().items()
    assert told("create").splitlines() == [f"{settings}.{topic.name}: is there" for topic in ALL]
    assert told("check") == "all topics are as the contract says\n"
    assert admin.topic(f"{settings}.commits").topic_id == facts["commits"].topic_id


def test_check_names_each_deviation(settings: str, admin: Admin, kafka_bootstrap: str) -> None:
    told("create")
    alter(kafka_bootstrap, f"{settings}.measurements", "message.timestamp.type", "CreateTime")
    alter(kafka_bootstrap, f"{settings}.commits", "retention.ms", "1000")
    alter(kafka_bootstrap, f"{settings}.replicas", "cleanup.policy", "compact")
    alter(kafka_bootstrap, f"{settings}.events", "retention.bytes", "1048576")
    alter(kafka_bootstrap, f"{settings}.dead-letters", "max.message.bytes", "1048576")
    alter(kafka_bootstrap, f"{settings}.aggregates", "max.message.bytes", "9000000")  # more room does no harm
    grown = AdminClient({"bootstrap.servers": kafka_bootstrap})
    grown.create_partitions([NewPartitions(f"{settings}.aggregates", 5)])[f"{settings}.aggregates"].result(PATIENCE_S)
    with pytest.raises(ConfigurationError) as caught:
        told("check")
    assert sorted(each.partition(": ")[0] for each in caught.value.detail.split("; ")) == [
        f"{settings}.aggregates has 5 partitions, kafka.partitions is 4",
        f"{settings}.commits has retention.ms=1000, the contract says -1",
        f"{settings}.dead-letters has max.message.bytes=1048576, the contract says 1114112",
        f"{settings}.events has retention.bytes=1048576, the contract says -1",
        f"{settings}.measurements has message.timestamp.type=CreateTime, the contract says LogAppendTime",
        f"{settings}.replicas has cleanup.policy=compact, the contract says delete",
    ]
    found = CliRunner().invoke(topics, ["check", "--json"])
    assert len(json.loads(found.output)["findings"]) == 6
    assert isinstance(found.exception, ConfigurationError)


def test_check_names_the_topics_that_are_missing(settings: str, admin: Admin) -> None:
    admin.create_topic(f"{settings}.commits", 4, 1, ALL[3].config())
    with pytest.raises(ConfigurationError) as caught:
        told("check")
    assert sorted(caught.value.detail.split("; ")) == sorted(
        f"{settings}.{topic.name} is not there" for topic in ALL if topic.name != "commits"
    )


def test_check_wants_the_brokers_to_keep_offsets_longer_than_measurements(
    settings: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("create")
    monkeypatch.setattr(Admin, "offsets_retention_ms", lambda self: MEASUREMENTS.retention_ms)
    with pytest.raises(ConfigurationError, match=r"offsets for 20160 minutes \(offsets.retention.minutes\)"):
        told("check")


def test_the_sandboxes_broker_keeps_offsets_for_thirty_days(admin: Admin) -> None:
    assert admin.offsets_retention_ms() == 30 * 86_400_000


def test_a_topic_is_made_once_described_and_deleted(admin: Admin, community: str) -> None:
    name = f"{community}.own"
    assert admin.create_topic(name, 2, 1, {"retention.ms": "12345"})
    assert not admin.create_topic(name, 3, 1, {})
    facts = admin.topic(name)
    assert (facts.partitions, facts.config["retention.ms"]) == (2, "12345")
    assert len(facts.topic_id) == 22
    admin.delete_topic(name)
    with pytest.raises(ConfigurationError, match="topics create"):
        admin.topic(name)


def test_a_topic_that_is_deleted_and_made_again_has_another_id(admin: Admin, community: str) -> None:
    name = f"{community}.again"
    admin.create_topic(name, 1, 1, {})
    before = admin.topic(name).topic_id
    admin.delete_topic(name)
    assert admin.create_topic(name, 1, 1, {})
    assert admin.topic(name).topic_id != before


def test_offsets_of_a_group_are_set_and_read(admin: Admin, topic: str, community: str) -> None:
    assert admin.committed(community, topic, 3) == {}
    admin.set_committed(community, topic, {0: 7, 2: 0})
    assert admin.committed(community, topic, 3) == {0: 7, 2: 0}
    assert admin.committed(f"{community}-other", topic, 3) == {}


def test_offsets_of_a_group_at_work_cannot_be_set(
    admin: Admin, producer: Producer, topic: str, community: str, kafka_bootstrap: str
) -> None:
    publish(producer, topic, [b"a"])
    member = Consumer(kafka_bootstrap, topic, client_id="member", group=community)
    try:
        read(member, 1)
        with pytest.raises(Retryable):
            admin.set_committed(community, topic, {0: 1})
        assert admin.committed(community, topic, 3) == {}
    finally:
        member.close()


def test_ranges_say_what_each_partition_holds(admin: Admin, producer: Producer, topic: str) -> None:
    publish(producer, topic, [b"a", b"b"], 1)
    assert admin.ranges(topic, 3) == {0: LogRange(0, 0), 1: LogRange(0, 2), 2: LogRange(0, 0)}


def test_where_nobody_listens_everything_is_retryable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("b2stream.kafka.admin._ANSWER_S", 1.5)
    admin = Admin(f"127.0.0.1:{free_port()}")
    calls: list[Callable[[], object]] = [
        lambda: admin.topic("t"),
        lambda: admin.create_topic("t", 1, 1, {}),
        lambda: admin.committed("g", "t", 1),
        lambda: admin.ranges("t", 1),
        admin.offsets_retention_ms,
    ]
    for call in calls:
        with pytest.raises(Retryable):
            call()
