"""Reads the topic of measurements into the oracle by plain confluent-kafka, and says where the log is no longer what it was."""

import hashlib
import time
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient

from .oracle import Acknowledged, Look, Oracle

ANSWER_S = 15.0
READ_S = 120.0
GROUP = "processor"  # as the settings name the group; the topic's id is added to it
SETTLING = ("commits", "dead-letters")  # topics of the events that say when a message was done with
GONE = {KafkaError._AUTO_OFFSET_RESET, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID}
"""What the log says that lost, while it is read, what was to be read next."""


class CannotRecord(Exception):
    """Kafka did not answer: this says nothing about the log; try again."""


class Recorder:
    """Of one topic by name, which may be made anew meanwhile. Raises CannotRecord where Kafka does not answer."""

    def __init__(self, bootstrap: str, topic: str, oracle: Oracle) -> None:
        self._bootstrap, self._topic, self._oracle = bootstrap, topic, oracle
        self._admin = self._new_admin()
        # Kept, because one that goes while an answer is on its way may take the process with it.
        self._retired: list[AdminClient] = []

    def catch_up(self) -> int:
        """Keep what was acknowledged since the last time; returns how many messages."""
        topic_id = self.topic_id()
        begin = self._oracle.next_offsets(topic_id)
        fresh = [of(message, topic_id) for message in self._read(begin)]
        if self.topic_id() != topic_id:
            raise CannotRecord(f"{self._topic} was made again while it was read")
        self._oracle.keep(fresh)
        return len(fresh)

    def differences(self) -> list[str]:
        """Read the whole log once more: what was acknowledged and is gone, or has other bytes now."""
        topic_id = self.topic_id()
        now = {each.place: each.sha256 for each, _ in (of(message, topic_id) for message in self._read({}))}
        return differences([each for each in self._oracle.messages if each.topic_id == topic_id], now)

    def look(self) -> None:
        """Keep the offsets that the processor's group has committed by now.

        Asked by a consumer that joins nothing: librdkafka 2.16.0 ends the process where an admin client asks a broker that just started.
        """
        topic_id, events_id = self.topic_id(), self.events_id()
        consumer = self._consumer(f"{GROUP}-{topic_id}")
        try:
            partitions = consumer.list_topics(self._topic, timeout=ANSWER_S).topics[self._topic].partitions
            found = consumer.committed([Place(self._topic, number) for number in partitions], timeout=ANSWER_S)
            if wrong := [each.error for each in found if each.error is not None]:
                raise KafkaException(wrong[0])
        except KafkaException as error:
            raise CannotRecord(f"{GROUP}-{topic_id}: {error}") from error
        finally:
            consumer.close()
        committed = {one.partition: one.offset for one in found if one.offset >= 0}
        self._oracle.looked(Look(time.time(), topic_id, committed, events_id))

    def topic_id(self) -> str:
        """Kafka's id of the topic as it is now."""
        return self._ids(self._topic)

    def events_id(self) -> str:
        """Kafka's ids of the topics of events as they are now: with others the earlier events are gone."""
        community = self._topic.removesuffix(".measurements")
        return self._ids(*(f"{community}.{each}" for each in SETTLING))

    def _ids(self, *names: str) -> str:
        try:
            asked = self._admin.describe_topics(TopicCollection(list(names)), request_timeout=ANSWER_S)
            return " ".join(str(asked[name].result(timeout=2 * ANSWER_S).topic_id) for name in names)
        except (KafkaException, TimeoutError) as error:
            raise self._unanswered(" ".join(names), error) from error

    def _new_admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 2})

    def _unanswered(self, what: str, error: Exception) -> CannotRecord:
        """A client that knew a broker before it was started anew goes on asking the old one for a while: take another."""
        self._retired.append(self._admin)
        self._admin = self._new_admin()
        return CannotRecord(f"{what}: {error!r}")

    def _read(self, begin: dict[int, int]) -> Iterator[Message]:
        """Messages from these offsets (else from the log's start) to the end as it is now."""
        consumer = self._consumer("b2stream-oracle")
        try:
            left: dict[int, int] = {}
            places = []
            for partition in consumer.list_topics(self._topic, timeout=ANSWER_S).topics[self._topic].partitions:
                start, end = consumer.get_watermark_offsets(Place(self._topic, partition), timeout=ANSWER_S)
                first = max(begin.get(partition, start), start)  # what retention took before is not to be had
                if end > first:
                    left[partition] = end
                    places.append(Place(self._topic, partition, first))
            consumer.assign(places)
            yield from self._until(consumer, left)
        except KafkaException as error:
            raise CannotRecord(f"{self._topic}: {error}") from error
        finally:
            consumer.close()

    def _consumer(self, group: str) -> Consumer:
        """A client that joins no group and commits nothing."""
        return Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "log_level": 2,
            }
        )

    def _until(self, consumer: Consumer, left: dict[int, int]) -> Iterator[Message]:
        deadline = time.monotonic() + READ_S
        while left:
            message = consumer.poll(1.0)
            error = message.error() if message is not None else None
            if message is None or error is not None:
                if error is not None and error.code() in GONE:
                    raise CannotRecord(f"{self._topic}: {error}")
                if time.monotonic() > deadline:
                    told = f": {error}" if error is not None else ""
                    raise CannotRecord(f"{self._topic} could not be read to its end within {READ_S:.0f} s{told}")
                continue
            partition, offset = message.partition() or 0, message.offset() or 0
            if partition not in left:
                continue
            if offset + 1 >= left[partition]:
                del left[partition]
            yield message


def of(message: Message, topic_id: str) -> tuple[Acknowledged, bytes]:
    """A message as it is kept, and its value."""
    given: Any = message.headers() or []
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in given}
    value, sequence = message.value() or b"", headers.get("ce_sequence", "")
    kept = Acknowledged(
        topic_id=topic_id,
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        appended_ms=message.timestamp()[1],
        kind=headers.get("ce_type", "").removeprefix("b2stream."),
        station=(message.key() or b"").decode("utf-8", "replace"),
        attempt=headers.get("ce_attempt", ""),
        sequence=int(sequence) if sequence.isdecimal() else None,
        sha256=hashlib.sha256(value).hexdigest(),
        position=0,
        size_bytes=len(value),
    )
    return kept, value


def differences(kept: list[Acknowledged], now: dict[tuple[str, int, int], str]) -> list[str]:
    """Each message that was acknowledged, and whether the log still holds it as it was."""
    wrong = []
    for each in kept:
        found = now.get(each.place)
        if found is None:
            wrong.append(f"{each}: it was acknowledged, and the log holds it no longer")
        elif found != each.sha256:
            wrong.append(f"{each}: it was acknowledged, and the log holds other bytes there")
    return wrong
