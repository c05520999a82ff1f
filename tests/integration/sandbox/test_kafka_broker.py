"""One real Kafka broker: messages go in and out, and it survives what a laptop does to it."""

from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from b2stream import kafka
from b2stream.sandbox.kafka import KafkaBroker, ProxiedListener
from b2stream.sandbox.kafka.broker import BrokerNotStarted
from b2stream.sandbox.ports import free_ports
from tests.waiting import PATIENCE_S


def make_topic(bootstrap: str, name: str, **config: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(name, 1, 1, config=config)])[name].result(timeout=PATIENCE_S)


def publish(bootstrap: str, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "message.max.bytes": 4_000_000})
    failures: list[object] = []
    producer.produce(topic, value, on_delivery=lambda error, _message: failures.append(error) if error else None)
    assert producer.flush(PATIENCE_S) == 0
    if failures:
        raise KafkaException(failures[0])


def read_all(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages = consumer.consume(count, timeout=PATIENCE_S)
    consumer.close()
    assert not [message.error() for message in messages if message.error()]
    return [message.value() for message in messages]


def test_a_message_comes_out_as_it_went_in(kafka_bootstrap: str, community: str) -> None:
    make_topic(kafka_bootstrap, f"{community}.measurements")
    publish(kafka_bootstrap, f"{community}.measurements", b"one row")
    assert read_all(kafka_bootstrap, f"{community}.measurements", 1) == [b"one row"]


def test_a_block_of_just_under_1_mib_is_accepted_and_a_dead_letter_topic_may_allow_64_kib_more(
    kafka_bootstrap: str, community: str
) -> None:
    make_topic(kafka_bootstrap, f"{community}.measurements")
    publish(kafka_bootstrap, f"{community}.measurements", bytes(1024 * 1024 - 1))
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        publish(kafka_bootstrap, f"{community}.measurements", bytes(1024 * 1024 + 70 * 1024))
    make_topic(kafka_bootstrap, f"{community}.dead-letters", **{"max.message.bytes": str(1024 * 1024 + 128 * 1024)})
    publish(kafka_bootstrap, f"{community}.dead-letters", bytes(1024 * 1024 + 70 * 1024))


def test_a_topic_that_nobody_made_does_not_appear_by_itself(kafka_bootstrap: str, community: str) -> None:
    settings = {"bootstrap.servers": kafka_bootstrap, "group.id": community, "allow.auto.create.topics": True}
    asked = Consumer(settings).list_topics(f"{community}.nowhere", timeout=PATIENCE_S).topics[f"{community}.nowhere"]
    assert asked.error is not None
    assert asked.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert (
        f"{community}.nowhere"
        not in AdminClient({"bootstrap.servers": kafka_bootstrap}).list_topics(timeout=PATIENCE_S).topics
    )


def test_a_killed_broker_comes_back_at_the_same_address_with_its_messages(
    breakable_broker: KafkaBroker, community: str
) -> None:
    topic, address = f"{community}.kept", breakable_broker.bootstrap
    make_topic(address, topic)
    publish(address, topic, b"before the kill")
    breakable_broker.kill()
    assert not breakable_broker.running
    assert breakable_broker.start() == address
    publish(address, topic, b"after it")
    assert read_all(address, topic, 2) == [b"before the kill", b"after it"]


def test_a_frozen_broker_answers_nothing_and_goes_on_when_thawed(breakable_broker: KafkaBroker, community: str) -> None:
    topic, address = f"{community}.frozen", breakable_broker.bootstrap
    make_topic(address, topic)
    breakable_broker.freeze()
    assert not kafka.wait_until_answers(address, timeout_s=2.0)
    assert breakable_broker.running
    breakable_broker.thaw()
    assert kafka.wait_until_answers(address, PATIENCE_S)
    publish(address, topic, b"after the thaw")
    assert read_all(address, topic, 1) == [b"after the thaw"]


def test_a_stopped_broker_leaves_no_process_and_another_object_finds_its_data(
    breakable_broker: KafkaBroker, community: str
) -> None:
    topic = f"{community}.kept"
    make_topic(breakable_broker.bootstrap, topic)
    publish(breakable_broker.bootstrap, topic, b"before the stop")
    breakable_broker.stop()
    assert not breakable_broker.running
    again = KafkaBroker(breakable_broker.directory)
    try:
        assert read_all(again.start(), topic, 1) == [b"before the stop"]
    finally:
        again.kill()


def test_who_comes_by_the_proxied_door_is_sent_to_the_port_that_it_advertises(tmp_path: Path, quick_java: None) -> None:
    port, advertised_port = free_ports(2)
    broker = KafkaBroker(tmp_path, proxied=ProxiedListener(port, advertised_port))
    try:
        usual = AdminClient({"bootstrap.servers": broker.start()}).list_topics(timeout=PATIENCE_S).brokers
        proxied = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"}).list_topics(timeout=PATIENCE_S).brokers
    finally:
        broker.kill()
    assert [one.port for one in usual.values()] == [broker.port]
    assert [one.port for one in proxied.values()] == [advertised_port]


def test_a_broker_whose_port_is_taken_does_not_mistake_the_other_one_for_itself(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    second = KafkaBroker(tmp_path / "second", port=kafka_broker.port)
    with pytest.raises(BrokerNotStarted, match=rf"--kafka-port.*127.0.0.1:{kafka_broker.port} is in use"):
        second.start()
    assert not second.running


def test_a_broker_that_cannot_start_says_so_at_once_with_the_end_of_its_log(tmp_path: Path, quick_java: None) -> None:
    broker = KafkaBroker(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=2\n")
    for_ever_s = 86_400.0  # it does not wait for that: the process has ended
    with pytest.raises(BrokerNotStarted, match=r"damaged directory[\s\S]*meta.properties"):
        broker.start(timeout_s=for_ever_s)
