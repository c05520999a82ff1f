"""The producer on a real Kafka: it keeps the order, waits while Kafka is away, and tells what Kafka refuses."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import aiokafka
import confluent_kafka
import pytest

from b2stream.contracts.envelopes import block_headers
from b2stream.contracts.partitions import partition_of
from b2stream.errors import ConfigurationError, Poison, Retryable
from b2stream.kafka import Consumer, Producer
from b2stream.kafka.admin import Admin
from b2stream.sandbox.kafka import KafkaBroker
from tests.integration.kafka.conftest import publish, read
from tests.waiting import PATIENCE_S, until

Consumers = Callable[..., Consumer]
MIB = 1024 * 1024


@pytest.fixture
def frozen(breakable_broker: KafkaBroker, community: str) -> Iterator[str]:
    """A topic of a broker that is frozen now."""
    name = f"{community}.frozen"
    Admin(breakable_broker.bootstrap).create_topic(name, 1, 1, {})
    breakable_broker.freeze()
    yield name
    breakable_broker.thaw()


def test_a_message_lies_where_its_future_says_with_key_headers_and_append_time(
    producer: Producer, topic: str, consumer: Consumers
) -> None:
    headers = block_headers("SE-Htm", "s", "0" * 32, 5)
    before_us = time.time_ns() // 1_000
    delivered = producer.publish(topic, 2, b"SE-Htm", b"value", headers).result(PATIENCE_S)
    assert (delivered.partition, delivered.offset) == (2, 0)
    (found,) = read(consumer(topic), 1)
    assert (found.topic, found.partition, found.offset, found.key, found.value) == (topic, 2, 0, b"SE-Htm", b"value")
    assert found.headers == headers
    assert before_us - 1_000_000 < found.appended_at_us < time.time_ns() // 1_000 + 1_000_000


def test_messages_keep_the_order_in_which_they_were_handed_over(
    producer: Producer, topic: str, consumer: Consumers
) -> None:
    values = [str(number).encode() for number in range(3_000)]
    assert publish(producer, topic, values) == list(range(3_000))
    assert [message.value for message in read(consumer(topic, partitions=[0]), 3_000)] == values
    assert producer.waiting() == 0


def test_I1_a_message_that_is_too_large_is_poison_and_the_others_arrive_in_order(
    producer: Producer, topic: str, consumer: Consumers
) -> None:
    values = [b"before", bytes(2 * MIB - 100_000), b"behind", bytes(3 * MIB), b"last", bytes(MIB - 4_096)]
    futures = [producer.publish(topic, 0, b"SE-Htm", value, []) for value in values]
    refused = [future.exception(PATIENCE_S) for future in futures]
    assert [type(error) for error in refused] == [type(None), Poison, type(None), Poison, type(None), type(None)]
    assert [error.reason for error in refused if isinstance(error, Poison)] == ["too_large", "too_large"]
    assert [message.value for message in read(consumer(topic, partitions=[0]), 4)] == [
        b"before",
        b"behind",
        b"last",
        values[-1],
    ]


def test_a_partition_that_is_not_there_is_a_wrong_configuration_with_its_cure(producer: Producer, topic: str) -> None:
    publish(producer, topic, [b"so that the number of partitions is known"])
    with pytest.raises(ConfigurationError, match="b2stream topics create"):
        producer.publish(topic, 7, b"k", b"v", []).result(PATIENCE_S)


def test_I1_while_kafka_is_frozen_messages_wait_and_arrive_once_and_in_order_afterwards(
    breakable_broker: KafkaBroker, frozen: str, consumer: Consumers
) -> None:
    producer = Producer(breakable_broker.bootstrap, "patient")
    try:
        futures = [producer.publish(frozen, 0, b"k", str(number).encode(), []) for number in range(50)]
        assert producer.flush(3.0) == 50
        assert not any(future.done() for future in futures)
        breakable_broker.thaw()
        assert [future.result(PATIENCE_S).offset for future in futures] == list(range(50))
    finally:
        producer.close()
    found = read(consumer(frozen, breakable_broker.bootstrap), 50)
    assert [message.value for message in found] == [str(number).encode() for number in range(50)]


def test_I10_what_waits_is_limited_and_then_publish_waits_too(breakable_broker: KafkaBroker, frozen: str) -> None:
    producer = Producer(breakable_broker.bootstrap, "bounded", buffer_bytes=MIB)
    handed_over: list[int] = []

    def publish_much() -> None:
        for number in range(30):
            producer.publish(frozen, 0, b"k", bytes(100_000), [])
            handed_over.append(number)

    thread = threading.Thread(target=publish_much)
    thread.start()
    try:
        until(lambda: len(handed_over) >= 9, "the buffer fills")
        thread.join(1.0)
        assert thread.is_alive(), "it does not take more than its buffer holds"
        assert len(handed_over) <= 11
        breakable_broker.thaw()
        thread.join(PATIENCE_S)
        assert len(handed_over) == 30
        assert producer.flush(PATIENCE_S) == 0
    finally:
        breakable_broker.thaw()
        thread.join(PATIENCE_S)
        producer.close()


def test_closing_gives_up_what_nobody_acknowledged_and_says_so(breakable_broker: KafkaBroker, frozen: str) -> None:
    producer = Producer(breakable_broker.bootstrap, "closed")
    future = producer.publish(frozen, 0, b"k", b"v", [])
    began = time.monotonic()
    producer.close(timeout_s=0.5)
    assert time.monotonic() - began < PATIENCE_S
    assert isinstance(future.exception(1.0), Retryable)


def test_a_callers_cancel_does_not_disturb_the_deliveries_of_others(producer: Producer, topic: str) -> None:
    first = producer.publish(topic, 0, b"k", b"one", [])
    assert not first.cancel()
    assert publish(producer, topic, [b"two"]) == [1]
    assert first.result(PATIENCE_S).offset == 0


def test_librdkafkas_own_murmur2_sends_a_station_to_the_same_partition(kafka_bootstrap: str, topic: str) -> None:
    """Whoever uses Kafka's Java clients, or librdkafka with this setting, agrees with us without our code."""
    theirs = confluent_kafka.Producer({"bootstrap.servers": kafka_bootstrap, "partitioner": "murmur2"})
    found: dict[str, int | None] = {}
    stations = ["SE-Htm", "SE-Nor", "DE-HoH", "HTM", "GAT", "26NA", "Ny-Ålesund", "XX-Demo"]
    for station in stations:
        theirs.produce(
            topic,
            b"",
            key=station.encode(),
            on_delivery=lambda error, message: found.update({(message.key() or b"").decode(): message.partition()}),
        )
    assert theirs.flush(PATIENCE_S) == 0
    assert found == {station: partition_of(station, 3) for station in stations}


@pytest.mark.parametrize("compression", ["gzip", "lz4", "snappy", "zstd"])
def test_I11_whatever_a_producer_compresses_lies_unpacked_and_a_large_value_cannot_hide_in_it(
    admin: Admin, kafka_bootstrap: str, topic: str, compression: str
) -> None:
    """Else one message that is 10 KB on the wire and 10 MB in memory, or of a codec that is not there, would end each processor."""
    packing = confluent_kafka.Producer(
        {"bootstrap.servers": kafka_bootstrap, "compression.type": compression, "message.max.bytes": 64 * MIB}
    )
    answers: list[confluent_kafka.KafkaError | None] = []
    for value in (bytes(10 * MIB), bytes(100_000)):
        packing.produce(topic, value, partition=1, on_delivery=lambda error, _: answers.append(error))
        assert packing.flush(PATIENCE_S) == 0
    refusal, taken = answers
    assert refusal is not None
    assert refusal.code() == confluent_kafka.KafkaError.MSG_SIZE_TOO_LARGE
    assert taken is None
    assert admin.ranges(topic, 3)[1].end == 1
    assert asyncio.run(_first_for_aiokafka(kafka_bootstrap, topic, 1)) == bytes(100_000)


async def _first_for_aiokafka(bootstrap: str, topic: str, partition: int) -> bytes:
    """What the client below the processor reads, which comes without codecs."""
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([place := aiokafka.TopicPartition(topic, partition)])
        await consumer.seek_to_beginning(place)
        value: bytes = (await asyncio.wait_for(consumer.getone(), PATIENCE_S)).value
        return value
    finally:
        await consumer.stop()
