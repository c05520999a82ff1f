"""One range of one partition, read once more."""

import logging
from collections.abc import Callable, Iterator

from confluent_kafka import Consumer, KafkaError, TopicPartition

from b2stream.contracts.messages import LogMessage
from b2stream.errors import LostOffsets, Retryable
from b2stream.kafka.errors import known_topic, of_known_topic, translated
from b2stream.kafka.ranges import LogRange
from b2stream.kafka.reading import held, log_message, read_again, reader_settings
from b2stream.kafka.security import Brokers

_ANSWER_S = 10.0

_log = logging.getLogger(__name__)


def read_range(
    brokers: Brokers,
    topic: str,
    partition: int,
    first: int,
    last: int,
    *,
    client_id: str,
    give_up: Callable[[], bool] = lambda: False,
) -> Iterator[LogMessage]:
    """Read offsets `first` to `last` of one partition once more, without a group.

    Raises LostOffsets where the log does not hold `first`, Retryable once `give_up()` says so, else what Kafka's refusal means.
    """
    consumer = Consumer(reader_settings(brokers, client_id, None, 8 << 20))
    try:
        there = _there(consumer, topic, partition)
        if not there.start <= first <= there.end:
            raise LostOffsets(f"{topic}[{partition}] does not hold {first}, it holds {there.start} to {there.end}")
        consumer.assign([TopicPartition(topic, partition, first)])
        expected = first
        while expected <= last:
            message = consumer.poll(0.2)
            if give_up():
                raise Retryable(f"{topic}[{partition}] from {expected}: stopped while reading")
            if message is None:
                continue
            error = message.error()
            if error is not None:
                _overcome(error, consumer, topic, partition, expected)
                continue
            read = log_message(message)
            if read.offset > last:
                return
            expected = read.offset + 1
            yield read
    finally:
        consumer.close()


def _overcome(error: KafkaError, consumer: Consumer, topic: str, partition: int, expected: int) -> None:
    """Go on at `expected` after an error. Raises LostOffsets where the log does not hold it any more, and what else is no passing one."""
    if error.code() not in (KafkaError._BAD_MSG, KafkaError._AUTO_OFFSET_RESET):
        ours = of_known_topic(translated(error))
        if not isinstance(ours, Retryable):
            raise ours
        _log.warning("reading %s[%d] from %d: %s", topic, partition, expected, ours)
        return
    if error.code() == KafkaError._AUTO_OFFSET_RESET:
        there = _there(consumer, topic, partition)
        if not there.start <= expected <= there.end:
            raise LostOffsets(f"{topic}[{partition}] does not hold {expected}")
    read_again(consumer, {partition: expected}, error)


def _there(consumer: Consumer, topic: str, partition: int) -> LogRange:
    """What the log holds. Raises Retryable."""
    with known_topic():
        return held(consumer, TopicPartition(topic, partition), _ANSWER_S)
