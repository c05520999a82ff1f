"""The partitions that a loop works off: how far each is done, and telling Kafka so."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from b2stream import failpoints
from b2stream.batches.progress import OffsetFrontier
from b2stream.contracts.messages import LogMessage
from b2stream.errors import Retryable
from b2stream.work.schedule import Work

_ACKNOWLEDGE_EVERY_S = 1.0
"""Each acknowledgement costs the loop's thread a round trip to Kafka per partition."""


@dataclass(slots=True)
class _Partition:
    """A partition as long as it is ours; a new generation each time that it is assigned."""

    generation: int
    frontier: OffsetFrontier
    committed: int


class Partitions:
    """Those of which messages came, until they are taken away.

    `done_up_to(partition, next_offset)` tells Kafka, and raises Retryable where it does not take it.
    """

    def __init__(
        self, done_up_to: Callable[[int, int], None], clock_s: Callable[[], float], log: logging.Logger
    ) -> None:
        self._done_up_to = done_up_to
        self._clock_s = clock_s
        self._log = log
        self._owned: dict[int, _Partition] = {}
        self._generation = 0
        self._acknowledge_at_s = 0.0
        self._kafka_answers = True

    def begin(self, message: LogMessage) -> int:
        """Work on this message is unfinished; gives the generation of its partition."""
        held = self._owned.get(message.partition)
        if held is None:
            self._generation += 1
            held = _Partition(self._generation, OffsetFrontier(message.offset), message.offset)
            self._owned[message.partition] = held
        held.frontier.begin(message.offset)
        return held.generation

    def have(self, work: Work) -> bool:
        """Whether the partition of this work is still ours; else somebody else has it, and will find the work done."""
        held = self._owned.get(work.message.partition)
        return held is not None and held.generation == work.generation

    def finish(self, work: Work) -> None:
        """This work is done; its partition is ours (`have`)."""
        self._owned[work.message.partition].frontier.finish(work.message.offset)

    def unfinished(self) -> int:
        """Works that were begun and are not finished."""
        return sum(held.frontier.unfinished() for held in self._owned.values())

    def forget(self, numbers: Collection[int]) -> None:
        """These partitions are taken away."""
        for number in numbers:
            self._owned.pop(number, None)

    def acknowledge(self, *, now: bool) -> None:
        """Commit each partition's frontier, `now` or once in a while; what Kafka does not take it takes next time."""
        now_s = self._clock_s()
        if now_s < self._acknowledge_at_s and not (now and self._kafka_answers):
            return
        self._acknowledge_at_s = now_s + _ACKNOWLEDGE_EVERY_S
        for number, held in self._owned.items():
            frontier = held.frontier.frontier()
            if frontier <= held.committed:
                continue
            try:
                failpoints.passing("acknowledge")
                self._done_up_to(number, frontier)
                failpoints.passing("acknowledged")
            except Retryable as error:
                self._log.info("offset %d of partition %d is not committed yet: %s", frontier, number, error)
                self._kafka_answers = False
            else:
                held.committed = frontier
                self._kafka_answers = True
