"""Asking and telling the cluster: topics, their settings, the offsets of groups."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import Consumer as _Consumer
from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # imported there, but not declared as exports
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
    TopicDescription,
)

from b2stream.errors import Fatal
from b2stream.kafka.errors import NoSuchTopic, translated
from b2stream.kafka.ranges import LogRange
from b2stream.kafka.security import Brokers, librdkafka_settings
from b2stream.kafka.settings import Complaint, client_settings

_ANSWER_S = 15.0
_LOOK_EVERY_S = 0.1  # whether the connections are refused; an answer is taken at once
_NO_COORDINATOR_YET = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError._WAIT_COORD,
}
_WORN_AFTER_S = 30.0
_OLD_LEADER = {
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.NOT_LEADER_FOR_PARTITION,
}

_OFFSETS_TOPIC = "__consumer_offsets"  # Kafka's own name for it
_BETWEEN_ELECTIONS_S = 0.5
_MOST_BEFORE = 8  # several threads may ask one Admin, and each give up its client

_kept: list[AdminClient] = []
"""Clients that were still waiting for an answer when they were given up. The answer's thread could be the last that knows
such a client, and librdkafka aborts the process where a client's own thread destroys it."""

Answer = TypeVar("Answer")


def wait_until_answers(
    brokers: Brokers, timeout_s: float, give_up: Callable[[], bool] = lambda: False, node_id: int | None = None
) -> bool:
    """Wait until a broker answers a request for its topics; False after `timeout_s` or once `give_up()`.

    With a `node_id`: until the cluster names that broker among those that serve.

    An open port is not enough: a starting broker accepts connections long before it serves them, and it answers with an
    empty list of brokers until its controller has let it in. Raises Refused or ConfigurationError where brokers refuse us.
    """
    complaint = Complaint(brokers, tells_silence=False)
    # Nobody is there at first, so librdkafka's growing pauses between connection attempts would only add to the wait.
    settings: dict[str, Any] = {
        **librdkafka_settings(brokers),
        "error_cb": complaint.heard,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 100,
    }
    admin = AdminClient({**settings, "log_level": 0, "socket.timeout.ms": 2000})
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and not give_up():
        try:
            serving = admin.list_topics(timeout=1.0).brokers
            if serving and (node_id is None or node_id in serving):
                return True
        except KafkaException:
            admin.poll(0)
            complaint.stop_if_refused(timeout_s / 2)
            continue
        time.sleep(0.05)
    return False


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic as Kafka describes it."""

    topic_id: str
    partitions: int
    config: dict[str, str]


class Admin:
    """Creates and describes topics, reads and writes the offsets of groups."""

    def __init__(self, brokers: Brokers, client_id: str = "b2stream-admin") -> None:
        self._brokers = brokers
        self._client_id = client_id
        self._complaint = Complaint(brokers)
        self._admin = self._client()
        self._before: deque[AdminClient] = deque(maxlen=_MOST_BEFORE)
        # Topics that the controller has, whatever a broker says that has not heard of them yet.
        self._there: set[str] = set()

    def _client(self) -> AdminClient:
        self._made_s = time.monotonic()
        settings = client_settings(self._brokers, self._client_id)
        return AdminClient(settings | {"error_cb": self._complaint.heard})

    def _answer(self, future: "Future[Answer]") -> Answer:
        """What the cluster answers. Raises KafkaException; Refused or ConfigurationError where it does not let us in."""
        while True:
            try:
                answer = future.result(timeout=_LOOK_EVERY_S)
            except TimeoutError:
                self._admin.poll(0)  # only then librdkafka says what became of its connections
                try:
                    self._complaint.stop_if_refused()
                except Fatal:
                    _kept.append(self._admin)
                    raise
            except KafkaException as error:
                if self._is_worn(error.args[0].code()):
                    self._begin_anew()
                raise
            else:
                self._complaint.answered()
                return answer

    def _is_worn(self, code: int) -> bool:
        """Whether to ask with another client: a time-out may be this client's doing, and so may an old one's "no broker at all"."""
        is_old = time.monotonic() - self._made_s > _WORN_AFTER_S
        return code == KafkaError._TIMED_OUT or (code == KafkaError._TRANSPORT and is_old)

    def _begin_anew(self) -> None:
        """Ask with another client from now on; those before stay for a while, for their own threads may know them still.

        An admin client of librdkafka 2.16.0 that was told of a cluster without a controller, as right after a broker's thaw, was seen to
        wait for one for minutes, while every new client had its answer at once.
        """
        self._before.append(self._admin)
        self._admin = self._client()

    def create_topic(self, name: str, partitions: int, replication: int, config: dict[str, str]) -> bool:
        """Create a topic; False where it is there already."""
        new = NewTopic(name, num_partitions=partitions, replication_factor=replication, config=config)
        try:
            self._answer(self._admin.create_topics([new], request_timeout=_ANSWER_S)[name])
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                self._there.add(name)
                return False
            raise translated(error) from error
        self._there.add(name)
        self.topic(name)
        return True

    def delete_topic(self, name: str) -> None:
        """Delete a topic."""
        self._there.discard(name)
        try:
            self._answer(self._admin.delete_topics([name], request_timeout=_ANSWER_S)[name])
        except KafkaException as error:
            raise translated(error) from error

    def topic(self, name: str) -> TopicFacts:
        """Describe a topic. Raises ConfigurationError where there is none, Retryable where nobody answers.

        The controller makes a topic; each broker learns of it a moment later, and until then says "unknown topic". One that this
        admin made or found there is asked for again.
        """
        deadline = time.monotonic() + _ANSWER_S
        while True:
            try:
                return self._described(name)
            except KafkaException as error:
                ours = translated(error)
                if not isinstance(ours, NoSuchTopic) or name not in self._there or time.monotonic() > deadline:
                    raise ours from error
            time.sleep(0.02)

    def partition_count(self, name: str) -> int:
        """How many partitions a topic has. Raises NoSuchTopic, or Retryable where nobody answers."""
        try:
            return len(self._partitioned(name).partitions)
        except KafkaException as error:
            raise translated(error) from error

    def _partitioned(self, name: str) -> TopicDescription:
        asked = self._admin.describe_topics(TopicCollection([name]), request_timeout=_ANSWER_S)
        described: TopicDescription = self._answer(asked[name])
        return described

    def _described(self, name: str) -> TopicFacts:
        described = self._partitioned(name)
        resource = ConfigResource(ResourceType.TOPIC, name)
        config = self._answer(self._admin.describe_configs([resource], request_timeout=_ANSWER_S)[resource])
        values = {each.name: each.value for each in config.values()}
        return TopicFacts(str(described.topic_id), len(described.partitions), values)

    def offsets_retention_ms(self) -> int:
        """How long the brokers keep the offsets of a group without members: the shortest of all."""
        try:
            brokers = self._admin.list_topics(timeout=_ANSWER_S).brokers
            # librdkafka refuses a request for several brokers: each answers for itself alone.
            asked = [ConfigResource(ResourceType.BROKER, str(number)) for number in brokers]
            answers = [self._admin.describe_configs([one], request_timeout=_ANSWER_S)[one] for one in asked]
            minutes = [int(self._answer(answer)["offsets.retention.minutes"].value) for answer in answers]
        except KafkaException as error:
            raise translated(error) from error
        return min(minutes) * 60_000

    def keeps_offsets(self) -> bool:
        """Whether the topic of all groups' offsets has a leader and every replica in each partition.

        Without, Kafka may refuse offsets while it answers everything else. True as well where we may not look at that topic.
        """
        try:
            kept = self._admin.list_topics(_OFFSETS_TOPIC, timeout=_ANSWER_S).topics[_OFFSETS_TOPIC]
        except KafkaException as error:
            raise translated(error) from error
        return all(each.leader >= 0 and len(each.isrs) == len(each.replicas) for each in kept.partitions.values())

    def committed(self, group: str, topic: str, partitions: int) -> dict[int, int]:
        """Committed offset by partition; partitions without one are left out."""
        asked = [TopicPartition(topic, partition) for partition in range(partitions)]
        answer = self._of_group(group, lambda consumer: consumer.committed(asked, timeout=_ANSWER_S))
        return {each.partition: each.offset for each in answer if each.offset >= 0}

    def set_committed(self, group: str, topic: str, offsets: dict[int, int]) -> None:
        """Set a group's offsets; Kafka refuses while the group has members (Retryable)."""
        wanted = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        self._of_group(group, lambda consumer: consumer.commit(offsets=wanted, asynchronous=False) or [])

    def _of_group(self, group: str, ask: Callable[[_Consumer], list[TopicPartition]]) -> list[TopicPartition]:
        """What a consumer that joins nothing is told; asked again while the group's coordinator is being found or is loading.

        librdkafka 2.16.0 ends the process (SIGSEGV in rd_kafka_cgrp_op) where an admin client's request for a group's offsets is
        answered NOT_COORDINATOR, as right after a broker's start; a consumer gets an error that it may ask again.
        """
        more = {"group.id": group, "enable.auto.commit": False}
        consumer = _Consumer(client_settings(self._brokers, f"{group}-offsets", **more))
        deadline = time.monotonic() + _ANSWER_S
        try:
            while True:
                try:
                    return _all_taken(ask(consumer))
                except KafkaException as error:
                    if error.args[0].code() not in _NO_COORDINATOR_YET or time.monotonic() > deadline:
                        raise translated(error) from error
                time.sleep(0.1)  # between two questions; the answer is the condition
        finally:
            consumer.close()

    def ranges(self, topic: str, partitions: int) -> dict[int, LogRange]:
        """What each partition holds now."""
        earliest = self._offsets(topic, partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        latest = self._offsets(topic, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        return {partition: LogRange(earliest[partition], latest[partition]) for partition in range(partitions)}

    def _offsets(self, topic: str, partitions: int, spec: OffsetSpec) -> dict[int, int]:
        asked = {TopicPartition(topic, partition): spec for partition in range(partitions)}
        deadline = time.monotonic() + _ANSWER_S
        while True:
            try:
                answers = self._admin.list_offsets(asked, request_timeout=_ANSWER_S)
                return {each.partition: self._answer(future).offset for each, future in answers.items()}
            except KafkaException as error:
                # After an election an admin client of librdkafka 2.16.0 asks with the old leader epoch for ever: take a new one. And
                # a broker that was just thawed does not know the new epoch yet.
                if error.args[0].code() not in _OLD_LEADER or time.monotonic() > deadline:
                    raise translated(error) from error
                self._begin_anew()
            time.sleep(_BETWEEN_ELECTIONS_S)  # between two questions; the answer is the condition


def _all_taken(answer: list[TopicPartition]) -> list[TopicPartition]:
    """The answer. Raises KafkaException for a partition's refusal, which confluent-kafka only writes beside it."""
    for each in answer:
        if each.error is not None:
            raise KafkaException(each.error)
    return answer
