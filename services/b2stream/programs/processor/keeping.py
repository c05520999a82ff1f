"""Keeps the blocks of attempts in the spool, within its budget: the largest attempt that nobody is reading leaves first.

An evicted attempt costs a second reading of the log at its close and changes no result.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from b2stream.batches.assembling import Attempt, Piece
from b2stream.contracts.messages import LogMessage
from b2stream.programs.processor import metrics
from b2stream.programs.processor.bodies import OnceMore, RereadBodies, SpooledBodies
from b2stream.programs.processor.committing import ClosedBatch
from b2stream.programs.processor.partition import Partition
from b2stream.programs.processor.spool import Spool, SpoolFull, spool_key

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Work:
    """A closed attempt, and where it comes from."""

    closed: ClosedBatch
    attempt: Attempt
    partition: Partition
    message: LogMessage
    holds_room: bool = True
    is_running: bool = False  # a thread reads its bytes


class Keeper:
    """The spool as the processor uses it. `closed_waiting` gives closed attempts that no thread is working on."""

    def __init__(
        self,
        spool: Spool,
        log: OnceMore,
        partitions: dict[int, Partition],
        closed_waiting: Callable[[], Iterable[Work]],
    ) -> None:
        self._spool = spool
        self._log = log
        self._partitions = partitions
        self._closed_waiting = closed_waiting

    def keep(self, partition: Partition, attempt: Attempt, value: bytes) -> tuple[int, int]:
        """Spool a block; where the disk is full, make room by evicting, and at last evict this attempt itself."""
        while not attempt.evicted:
            try:
                place = self._spool.append(_key(partition, attempt), value)
            except SpoolFull as full:
                _log.warning("the spool is full: %s", full)
                if not self._evict_largest():
                    self._evict(partition, attempt)
            else:
                metrics.SPOOL_BYTES.set(self._spool.size_bytes)
                return place
        return 0, 0

    def is_same(self, partition: Partition, attempt: Attempt, piece: Piece, value: bytes) -> bool:
        """Whether a kept block has these bytes."""
        return self._spool.is_same(_key(partition, attempt), piece, value)

    def stay_within_budget(self) -> None:
        """Evict until the spool's budget holds."""
        while self._spool.over_budget() and self._evict_largest():
            pass

    def bodies(self, partition: Partition, attempt: Attempt, count: int) -> SpooledBodies | RereadBodies:
        """The blocks of a closed attempt, from the spool or from the log."""
        if attempt.evicted:
            return RereadBodies(self._log, partition.number, attempt, count)
        return SpooledBodies(self._spool, _key(partition, attempt), attempt, count)

    def kept(self, partition: Partition, attempt: Attempt) -> Iterator[tuple[int, bytes]] | None:
        """(offset, value) of the blocks of an attempt; None where not all of them lie in the spool."""
        if attempt.evicted or attempt.poison is not None:
            return None
        if not len(attempt):
            return iter(())
        offsets = [piece.offset for piece in attempt.pieces()]
        return zip(offsets, self._spool.read(_key(partition, attempt), attempt.pieces()), strict=True)

    def shrink(self, work: Work) -> None:
        """Let a closed attempt that waits keep nothing but its range of offsets."""
        work.closed.examined = None
        if not work.attempt.evicted:
            self._evict(work.partition, work.attempt)
        work.closed.bodies = self.bodies(work.partition, work.attempt, work.closed.close.count)

    def forget(self, partition: Partition, attempt: Attempt) -> None:
        """Remove an attempt's blocks."""
        self._spool.forget(_key(partition, attempt))
        metrics.SPOOL_BYTES.set(self._spool.size_bytes)

    def _evict_largest(self) -> bool:
        largest_open = max(
            (
                (partition, attempt)
                for partition in self._partitions.values()
                if (attempt := partition.assembler.largest()) is not None
            ),
            key=lambda found: found[1].size_bytes,
            default=None,
        )
        largest_closed = max(
            (work for work in self._closed_waiting() if work.attempt.size_bytes and not work.is_running),
            key=lambda work: work.attempt.size_bytes,
            default=None,
        )
        open_bytes = largest_open[1].size_bytes if largest_open else 0
        if largest_closed is not None and largest_closed.attempt.size_bytes > open_bytes:
            self.shrink(largest_closed)
            return True
        if largest_open is not None:
            self._evict(*largest_open)
        return largest_open is not None

    def _evict(self, partition: Partition, attempt: Attempt) -> None:
        attempt.forget_bytes()
        self.forget(partition, attempt)
        metrics.EVICTIONS.inc()
        _log.info("attempt %s of %s leaves the spool; its blocks are read again", attempt.name, attempt.station)


def _key(partition: Partition, attempt: Attempt) -> str:
    return spool_key(partition.number, partition.generation, attempt)
