"""When a consumer that gives nothing stands still, and when it has only nothing to give."""

import itertools
from dataclasses import dataclass, field

import pytest

from b2stream.errors import Retryable
from b2stream.kafka import LogRange
from b2stream.kafka.errors import NoSuchTopic
from b2stream.kafka.standstill import CONFIRM_S, LONGEST_PATIENCE_S, PATIENCE_S, Standstill


@dataclass
class Cluster:
    """What the cluster says of a topic with two partitions."""

    ends: dict[int, int] = field(default_factory=lambda: {0: 5, 1: 0})
    done: dict[int, int] = field(default_factory=dict)
    answers: bool = True
    knows_topic: bool = True
    looks: int = 0
    now_s: float = 0.0

    def partition_count(self, topic: str) -> int:
        return len(self.ends)

    def ranges(self, topic: str, partitions: int) -> dict[int, LogRange]:
        self.looks += 1
        if not self.answers:
            raise Retryable("Kafka")
        if not self.knows_topic:
            raise NoSuchTopic(topic)
        return {number: LogRange(0, self.ends[number]) for number in range(partitions)}

    def committed(self, group: str, topic: str, partitions: int) -> dict[int, int]:
        return dict(self.done)

    def standstill(self) -> Standstill:
        return Standstill(lambda: self, "icos.commits", "replicator", clock=lambda: self.now_s)


def test_I11_a_member_that_is_behind_and_gets_nothing_stands_still() -> None:
    cluster = Cluster()
    standstill = cluster.standstill()
    assert not standstill.is_certain({0: 3, 1: 0}), "the patience has just begun"
    assert cluster.looks == 0, "nobody is asked while there is patience"
    cluster.now_s += PATIENCE_S
    assert not standstill.is_certain({0: 3, 1: 0}), "a message may have come just now"
    cluster.now_s += CONFIRM_S
    assert standstill.is_certain({0: 3, 1: 0})


def test_a_member_that_reads_on_between_two_looks_does_not_stand_still() -> None:
    cluster = Cluster()
    standstill = cluster.standstill()
    cluster.now_s += PATIENCE_S
    assert not standstill.is_certain({0: 3})
    cluster.now_s += CONFIRM_S
    assert not standstill.is_certain({0: 4})


@pytest.mark.parametrize("next_offsets", [{0: 5, 1: 0}, {1: 0}], ids=["all is read", "not its partition"])
def test_a_member_that_has_read_all_of_its_own_waits(next_offsets: dict[int, int]) -> None:
    cluster = Cluster()
    standstill = cluster.standstill()
    cluster.now_s += PATIENCE_S
    assert not standstill.is_certain(next_offsets)


def test_a_message_begins_the_patience_anew() -> None:
    cluster = Cluster()
    standstill = cluster.standstill()
    cluster.now_s += PATIENCE_S
    standstill.gave()
    assert not standstill.is_certain({0: 3})
    assert cluster.looks == 0


def test_I11_a_member_without_partitions_stands_still_where_its_group_does() -> None:
    cluster = Cluster(done={0: 3})
    standstill = cluster.standstill()
    cluster.now_s += PATIENCE_S
    assert not standstill.is_certain({}), "one look alone cannot say that nothing moves"
    cluster.done = {0: 4}
    cluster.now_s += PATIENCE_S
    assert not standstill.is_certain({}), "somebody else reads on"
    cluster.now_s += PATIENCE_S
    assert standstill.is_certain({})


def test_a_member_without_partitions_of_a_group_that_is_done_waits() -> None:
    cluster = Cluster(done={0: 5})
    standstill = cluster.standstill()
    for _ in range(3):
        cluster.now_s += PATIENCE_S
        assert not standstill.is_certain({})


def test_joining_anew_that_changes_nothing_is_tried_ever_more_seldom() -> None:
    cluster = Cluster()
    standstill = cluster.standstill()
    joined_s = []
    while cluster.now_s < 3_600.0:
        cluster.now_s += 1.0
        if standstill.is_certain({0: 3}):
            joined_s.append(cluster.now_s)
            standstill.assigned()
    waits_s = [later - earlier for earlier, later in itertools.pairwise(joined_s)]
    assert waits_s == [each + CONFIRM_S for each in (120.0, 240.0, 480.0, *[LONGEST_PATIENCE_S] * 2)]


@pytest.mark.parametrize("trouble", [{"answers": False}, {"knows_topic": False}], ids=["away", "just thawed"])
def test_while_kafka_is_away_or_does_not_know_its_topics_nothing_is_certain(trouble: dict[str, bool]) -> None:
    cluster = Cluster(**trouble)  # type: ignore[arg-type]
    standstill = cluster.standstill()
    for _ in range(3):
        cluster.now_s += PATIENCE_S
        assert not standstill.is_certain({0: 3})
    cluster.answers = cluster.knows_topic = True
    cluster.now_s += PATIENCE_S
    assert not standstill.is_certain({0: 3})
    cluster.now_s += CONFIRM_S
    assert standstill.is_certain({0: 3})
