"""How far partitions are done, and what of that Kafka is told."""

import logging

from b2stream.contracts.messages import LogMessage
from b2stream.errors import Retryable
from b2stream.work.partitions import Partitions
from b2stream.work.schedule import Work


class Kafka:
    """Takes offsets, or does not; its clock stands still unless it is moved."""

    def __init__(self) -> None:
        self.committed: list[tuple[int, int]] = []
        self.answers = True
        self.now_s = 0.0
        self.partitions = Partitions(self.done_up_to, lambda: self.now_s, logging.getLogger("test"))

    def done_up_to(self, partition: int, next_offset: int) -> None:
        if not self.answers:
            raise Retryable("Kafka")
        self.committed.append((partition, next_offset))

    def begin(self, partition: int, offset: int) -> Work:
        message = LogMessage("t", partition, offset, b"", b"", [], 0)
        return Work(message, f"{partition}/{offset}", self.partitions.begin(message))


def test_I8_nothing_behind_unfinished_work_is_acknowledged() -> None:
    kafka = Kafka()
    first, second = kafka.begin(0, 5), kafka.begin(0, 6)
    kafka.partitions.finish(second)
    kafka.partitions.acknowledge(now=True)
    assert kafka.committed == []
    assert kafka.partitions.unfinished() == 1
    kafka.partitions.finish(first)
    kafka.partitions.acknowledge(now=True)
    kafka.partitions.acknowledge(now=True)
    assert kafka.committed == [(0, 7)]


def test_I8_work_of_a_partition_that_was_taken_away_is_not_ours_even_where_it_comes_back() -> None:
    kafka = Kafka()
    before = kafka.begin(0, 5)
    assert kafka.partitions.have(before)
    kafka.partitions.forget([0])
    assert not kafka.partitions.have(before)
    again = kafka.begin(0, 5)
    assert kafka.partitions.have(again)
    assert not kafka.partitions.have(before)


def test_what_kafka_does_not_take_is_told_it_once_a_second_until_it_does() -> None:
    kafka = Kafka()
    kafka.partitions.finish(kafka.begin(0, 5))
    kafka.answers = False
    kafka.partitions.acknowledge(now=True)
    kafka.answers = True
    kafka.partitions.acknowledge(now=True)
    assert kafka.committed == [], "not at each turn of the loop while nobody answers"
    kafka.now_s += 1.0
    kafka.partitions.acknowledge(now=False)
    assert kafka.committed == [(0, 6)]
