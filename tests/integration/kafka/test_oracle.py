"""The oracle's recorder on a real Kafka: what it keeps outlives the log, and it looks at the offsets that a group has committed."""

from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from b2stream.contracts.topics import COMMITS, DEAD_LETTERS, MEASUREMENTS
from b2stream.kafka import Producer
from b2stream.kafka.admin import Admin
from tests.faults.judge.oracle import Oracle
from tests.faults.judge.recorder import GROUP, Recorder
from tests.integration.kafka.conftest import publish
from tests.waiting import PATIENCE_S, until


@pytest.fixture
def topic(community: str, admin: Admin) -> str:
    """The measurements of a community that has the topics of events, too."""
    for each in (MEASUREMENTS, COMMITS, DEAD_LETTERS):
        admin.create_topic(each.full_name(community), 1, 1, each.config())
    return MEASUREMENTS.full_name(community)


def test_I12_what_was_kept_outlives_messages_that_are_deleted_and_a_topic_that_is_made_again(
    kafka_bootstrap: str, topic: str, admin: Admin, producer: Producer, tmp_path: Path
) -> None:
    recorder = Recorder(kafka_bootstrap, topic, Oracle(tmp_path))
    publish(producer, topic, [b"1", b"2", b"3"])
    assert recorder.catch_up() == 3
    publish(producer, topic, [b"4", b"5"])
    client = AdminClient({"bootstrap.servers": kafka_bootstrap})
    client.delete_records([TopicPartition(topic, 0, 4)])[TopicPartition(topic, 0, 4)].result(PATIENCE_S)
    assert recorder.catch_up() == 1, "it goes on where the log begins now"
    earlier = recorder.topic_id()
    admin.delete_topic(topic)
    until(lambda: admin.create_topic(topic, 1, 1, MEASUREMENTS.config()))
    publish(producer, topic, [b"1 again"])
    assert recorder.catch_up() == 1
    kept = Oracle(tmp_path)
    assert [kept.value(each) for each in kept.messages] == [b"1", b"2", b"3", b"5", b"1 again"]
    assert [each.topic_id == earlier for each in kept.messages] == [True] * 4 + [False]


def test_I8_a_look_has_the_committed_offsets_and_the_topics_of_events_of_its_time(
    kafka_bootstrap: str, topic: str, admin: Admin, producer: Producer, tmp_path: Path
) -> None:
    recorder = Recorder(kafka_bootstrap, topic, oracle := Oracle(tmp_path))
    publish(producer, topic, [b"1", b"2"])
    recorder.look()
    admin.set_committed(f"{GROUP}-{recorder.topic_id()}", topic, {0: 2})
    recorder.look()
    before, after = oracle.looks()
    assert (before.committed, after.committed) == ({}, {0: 2})
    assert (after.topic_id, after.events_id) == (recorder.topic_id(), recorder.events_id())
    assert len(after.events_id.split()) == 2
