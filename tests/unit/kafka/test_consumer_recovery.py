"""A broker that was just thawed may say that it does not know a partition: the group's consumer assigns it anew and goes on."""

import threading
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from b2stream.errors import Retryable
from b2stream.kafka import LogRange, commits, consumer
from b2stream.kafka.consumer import Consumer
from b2stream.kafka.security import Brokers


class Broken:
    """A message that is an error."""

    def error(self) -> KafkaError:
        return KafkaError(KafkaError._UNKNOWN_PARTITION)


class FakeClient:
    """What librdkafka is asked, and what it answers: one error, then nothing."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.answers: list[Any] = [Broken()]
        self.assigned: list[list[tuple[int, int]]] = []

    def subscribe(self, topics: list[str], **callbacks: Any) -> None:
        pass

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("t", 0, 5)]

    def committed(self, asked: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        return [TopicPartition("t", 0, 7)]

    def get_watermark_offsets(self, which: TopicPartition, timeout: float) -> tuple[int, int]:
        return 0, 9

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned.append([(each.partition, each.offset) for each in partitions])

    def poll(self, timeout_s: float) -> Any:
        return self.answers.pop() if self.answers else None


def test_I11_a_partition_that_the_broker_forgot_for_a_moment_is_assigned_anew_at_its_committed_offset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumer, "_Consumer", FakeClient)
    reading = Consumer("127.0.0.1:1", "t", client_id="test", group="g")
    assert reading.poll(0.0) is None
    assert reading.poll(0.0) is None
    client: Any = reading._consumer
    assert client.assigned == [[(0, 7)]]


class ThawedClient(FakeClient):
    """Its broker was just thawed: it knows the partition as little when it is asked what that holds."""

    def get_watermark_offsets(self, which: TopicPartition, timeout: float) -> tuple[int, int]:
        if not self.assigned:
            self.assigned.append([])
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        return 0, 9


def test_I11_a_broker_that_knows_no_topic_for_a_moment_ends_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "_Consumer", ThawedClient)
    reading = Consumer("127.0.0.1:1", "t", client_id="test", group="g")
    for _ in range(3):
        assert reading.poll(0.0) is None
    client: Any = reading._consumer
    assert client.assigned == [[], [(0, 7)]]


class StuckClient(FakeClient):
    """The first that is made reaches nobody any more and says nothing of it; those that are made later read on."""

    made = 0

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self.answers = []
        StuckClient.made += 1
        self.is_stuck = StuckClient.made == 1

    def list_topics(self, topic: str, timeout: float) -> Any:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT, "Failed to get metadata"))

    def close(self) -> None:
        pass


class Cluster:
    """What a client of its own is told: one partition of nine messages, of which the group has done five."""

    def __init__(self, brokers: Brokers, client_id: str) -> None:
        pass

    def partition_count(self, topic: str) -> int:
        return 1

    def ranges(self, topic: str, partitions: int) -> dict[int, LogRange]:
        return dict.fromkeys(range(partitions), LogRange(0, 9))

    def committed(self, group: str, topic: str, partitions: int) -> dict[int, int]:
        return {0: 5}


@pytest.mark.parametrize("group", ["g", None], ids=["in a group", "alone"])
def test_I11_a_client_that_reaches_nobody_any_more_is_replaced_though_it_cannot_be_asked(
    monkeypatch: pytest.MonkeyPatch, group: str | None
) -> None:
    monkeypatch.setattr(StuckClient, "made", 0)
    monkeypatch.setattr(consumer, "_Consumer", StuckClient)
    monkeypatch.setattr(consumer, "Admin", Cluster)
    partitions, offsets = (None, None) if group else ([0], {0: 5})
    reading = Consumer(
        "127.0.0.1:1", "t", client_id="test", group=group, partitions=partitions, offsets=offsets, patience_s=0.0
    )
    while StuckClient.made == 1:
        assert reading.poll(0.0) is None
    client: Any = reading._consumer
    assert client.assigned == ([] if group else [[(0, 5)]])


class HangingClient(FakeClient):
    """Whose commit of offsets has no end, until it is let go; those that are made later answer."""

    let_go = threading.Event()
    made = 0
    closed = 0

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self.answers = []
        HangingClient.made += 1
        self.hangs = HangingClient.made == 1

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        if self.hangs:
            self.let_go.wait()
        return offsets

    def close(self) -> None:
        HangingClient.closed += 1


def test_I11_a_commit_of_offsets_that_hangs_holds_up_nobody_and_the_group_is_joined_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(HangingClient, "made", 0)
    monkeypatch.setattr(consumer, "_Consumer", HangingClient)
    monkeypatch.setattr(commits, "COMMIT_S", 0.05)
    monkeypatch.setattr(commits, "HANGS_FOR_GOOD_S", 0.0)
    reading = Consumer("127.0.0.1:1", "t", client_id="test", group="g")
    with pytest.raises(Retryable, match="no answer to offsets"):
        reading.done_up_to(0, 5)
    with pytest.raises(Retryable, match="an earlier commit"):
        reading.done_up_to(0, 5)
    reading.poll(0.0)
    assert HangingClient.made == 2
    reading.done_up_to(0, 5)
    HangingClient.let_go.set()


def test_a_client_that_is_inside_a_commit_is_not_destroyed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HangingClient, "made", 0)
    monkeypatch.setattr(HangingClient, "closed", 0)
    monkeypatch.setattr(HangingClient, "let_go", threading.Event())
    monkeypatch.setattr(consumer, "_Consumer", HangingClient)
    monkeypatch.setattr(commits, "COMMIT_S", 0.05)
    reading = Consumer("127.0.0.1:1", "t", client_id="test", group="g")
    with pytest.raises(Retryable, match="no answer to offsets"):
        reading.done_up_to(0, 5)
    reading.close()
    assert HangingClient.closed == 0
    HangingClient.let_go.set()
