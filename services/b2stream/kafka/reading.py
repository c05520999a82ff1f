"""What all readers share: how they are set, what a partition holds, messages in our form, batches whose checksum did not hold."""

import logging
from collections.abc import Mapping
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from b2stream.contracts.envelopes import Headers
from b2stream.contracts.messages import LogMessage
from b2stream.errors import Retryable
from b2stream.kafka.errors import translated
from b2stream.kafka.ranges import LogRange
from b2stream.kafka.security import Brokers
from b2stream.kafka.settings import client_settings

_log = logging.getLogger(__name__)


def reader_settings(brokers: Brokers, client_id: str, group: str | None, buffer_bytes: int) -> dict[str, Any]:
    """librdkafka's settings of one that reads; at most `buffer_bytes` wait in memory to be polled."""
    return client_settings(
        brokers,
        client_id,
        **{
            "group.id": group or f"{client_id}-without-group",
            "enable.auto.commit": False,
            "check.crcs": True,  # librdkafka's default believes every byte that comes
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "fetch.queue.backoff.ms": 5,  # default 1000: throttles a batch reader 4-5 times (measured with librdkafka 2.16)
            "queued.max.messages.kbytes": buffer_bytes >> 10,
            "fetch.message.max.bytes": 2 << 20,
            "session.timeout.ms": 10_000,
            "heartbeat.interval.ms": 2_000,
        },
    )


def held(consumer: Consumer, which: TopicPartition, timeout_s: float) -> LogRange:
    """What a partition holds now. Raises Retryable where nobody answers."""
    try:
        found = consumer.get_watermark_offsets(which, timeout=timeout_s)
    except KafkaException as error:
        raise translated(error) from error
    if found is None:
        raise Retryable(f"Kafka: no answer for {which.topic}[{which.partition}] in {timeout_s} s")
    return LogRange(*found)


def log_message(message: Message) -> LogMessage:
    """Our form of confluent-kafka's message."""
    kind, milliseconds = message.timestamp()
    return LogMessage(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=message.key(),
        value=message.value(),
        headers=_headers(message.headers()),
        appended_at_us=0 if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds * 1000,
    )


def read_again(consumer: Consumer, next_offsets: Mapping[int, int], error: KafkaError) -> None:
    """Ask once more for a batch whose checksum did not hold, because a byte changed on the way or on a broker's disk.

    librdkafka 2.16.0 goes on by itself, but takes bytes of the bad batch for the header of the next one, asks for an offset that was
    never written, and calls the log too short. So all partitions are assigned anew, from `next_offsets`.
    """
    assigned = consumer.assignment()
    _log.warning("%s; reading again", error.str())
    for each in assigned:
        each.offset = next_offsets.get(each.partition, OFFSET_BEGINNING)
    consumer.assign(assigned)


def _headers(headers: Any) -> Headers:
    return [(name, value or b"") for name, value in headers or []]
