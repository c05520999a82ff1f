"""Helpers for tests of the edge to Kafka: a topic of one's own, clients that are closed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from b2stream.contracts.messages import LogMessage
from b2stream.contracts.topics import MEASUREMENTS
from b2stream.kafka import Consumer, Producer
from b2stream.kafka.admin import Admin
from tests.waiting import PATIENCE_S, until


@pytest.fixture
def admin(kafka_bootstrap: str) -> Admin:
    return Admin(kafka_bootstrap)


@pytest.fixture
def topic(admin: Admin, community: str) -> str:
    """The measurements topic as the contract wants it, with three partitions."""
    name = f"{community}.measurements"
    admin.create_topic(name, 3, 1, MEASUREMENTS.config())
    return name


@pytest.fixture
def producer(kafka_bootstrap: str) -> Iterator[Producer]:
    made = Producer(kafka_bootstrap, "test")
    yield made
    made.close()


@pytest.fixture
def consumer(kafka_bootstrap: str) -> Iterator[Callable[..., Consumer]]:
    """Makes consumers that are closed at the end."""
    with ExitStack() as stack:

        def make(topic: str, bootstrap: str = kafka_bootstrap, **options: object) -> Consumer:
            made = Consumer(bootstrap, topic, client_id="test", **options)  # type: ignore[arg-type]
            stack.callback(made.close)
            return made

        yield make


def read(consumer: Consumer, count: int) -> list[LogMessage]:
    """The next messages."""
    found: list[LogMessage] = []
    while len(found) < count:
        found.append(until(lambda: consumer.poll(0.2), f"message {len(found) + 1} of {count}"))  # type: ignore[arg-type]
    return found


def publish(producer: Producer, topic: str, values: list[bytes], partition: int = 0) -> list[int]:
    """Publish and wait; gives the offsets."""
    futures = [producer.publish(topic, partition, b"SE-Htm", value, []) for value in values]
    return [future.result(PATIENCE_S).offset for future in futures]
