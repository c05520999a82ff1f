"""What is settled before a partition is read; Kafka, the log and the processor are played."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import CoverageStarted
from b2stream.errors import LostOffsets, Retryable
from b2stream.kafka import LogRange
from b2stream.kafka.admin import Admin
from b2stream.kafka.errors import NoSuchTopic
from b2stream.monitoring import Health
from b2stream.programs.processor import asking, joining
from b2stream.programs.processor.asking import Asking
from b2stream.programs.processor.joining import Joining
from b2stream.programs.processor.parts import Parts


class Cluster:
    """Two partitions, and where the group stands; `trouble` is raised at the first questions."""

    def __init__(self, committed: dict[int, int], *trouble: Exception) -> None:
        self._committed = committed
        self._trouble = list(trouble)
        self.health = Health()
        self.not_ready: list[dict[str, str]] = []
        self.told: list[CoverageStarted] = []
        self.begun: dict[int, int] = {}
        self.revoked = 0

    def committed(self, group: str, topic: str, partitions: int) -> dict[int, int]:
        self.not_ready.append(self.health.reasons)
        if self._trouble:
            raise self._trouble.pop(0)
        return self._committed

    def ranges(self, topic: str, partitions: int) -> dict[int, LogRange]:
        return {0: LogRange(20, 30), 1: LogRange(5, 5)}

    def reread(self, partition: int, first: int, last: int) -> Iterator[LogMessage]:
        return iter([LogMessage("t", partition, first, b"", b"", [], 1_700_000_000_000_000)])

    async def coverage(self, record: CoverageStarted) -> None:
        self.told.append(record)

    def revoke(self) -> None:
        self.revoked += 1

    def join(self, *numbers: int) -> bool:
        """What joining says when these partitions are assigned."""
        processor = SimpleNamespace(revoked=self.revoke, assigned=self.begun.__setitem__)
        parts: Any = SimpleNamespace(processor=processor, outbox=self, reread=self.reread)
        return asyncio.run(self._join(cast(Parts, parts), set(numbers)))

    async def _join(self, parts: Parts, numbers: set[int]) -> bool:
        stop = asyncio.Event()
        questions = Asking(stop, "127.0.0.1:1")
        try:
            admin = cast(Admin, self)
            names = {"group": "g-id", "topic": "t", "topic_id": "id"}
            return await Joining(admin, questions, self.health, stop, partitions=2, **names).begin(parts, numbers)
        finally:
            questions.close()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_AGAIN_S", 0.001)
    monkeypatch.setattr(joining, "_AGAIN_S", 0.001)


def test_a_group_goes_on_at_its_offset_and_tells_nothing() -> None:
    cluster = Cluster({0: 25, 1: 5})
    assert cluster.join(0, 1)
    assert (cluster.begun, cluster.told, cluster.revoked) == ({0: 25, 1: 5}, [], 1)


def test_a_group_without_an_offset_begins_at_the_logs_start_and_tells_from_when_on_it_reads() -> None:
    cluster = Cluster({})
    assert cluster.join(0, 1)
    assert cluster.begun == {0: 20, 1: 5}
    told = {each.partition: (each.offset, each.append_time_us) for each in cluster.told}
    assert told == {0: (20, 1_700_000_000_000_000), 1: (5, None)}, "of an empty log nothing says when"


def test_I8_a_loss_on_a_partition_of_ours_is_fatal_and_one_of_another_process_is_its_own() -> None:
    with pytest.raises(LostOffsets, match=r"stands at 19 of t\[0\]"):
        Cluster({0: 19, 1: 5}).join(0, 1)
    assert Cluster({0: 19, 1: 5}).join(1)


def test_I11_a_broker_that_does_not_know_the_topic_for_a_moment_is_asked_again_and_says_so_at_readyz() -> None:
    cluster = Cluster({0: 25}, NoSuchTopic("t"), Retryable("Kafka"))
    assert cluster.join(0)
    assert cluster.begun == {0: 25}
    assert "topics create" in cluster.not_ready[1]["program"]
