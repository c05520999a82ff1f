"""The blocks of a closed attempt in sequence, as often as they are asked for: from the spool, or once more from the log."""

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from b2stream.batches.assembling import Attempt
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.errors import Poison, Retryable
from b2stream.programs.processor.intake import Address, Block, read_message
from b2stream.programs.processor.spool import Spool

Reread = Callable[[int, int, int], Iterator[LogMessage]]
"""(partition, first offset, last offset) -> the messages of that range, read by a second consumer without a group."""


class Incomplete(Poison):
    """Blocks of this attempt are missing from the log: the station sends the batch again as a new attempt."""

    reason = "hole"


class Conflicting(Poison):
    """Two blocks of this attempt have one sequence and different bytes: the station sends the batch again as a new attempt."""

    reason = "conflicting_blocks"


def problem_of(attempt: Attempt, count: int) -> Poison | None:
    """Why the attempt's blocks cannot be examined, as far as is known without reading the log again."""
    if attempt.poison is not None:
        return Conflicting(attempt.poison)
    if attempt.evicted:
        return None
    missing = attempt.missing(count)
    return Incomplete(missing) if missing else None


@dataclass(frozen=True, slots=True)
class SpooledBodies:
    """The blocks of an attempt whose bytes lie in the spool."""

    spool: Spool
    key: str
    attempt: Attempt
    count: int

    def __call__(self) -> Iterator[bytes]:
        if self.count == 0:
            return iter(())
        return self.spool.read(self.key, self.attempt.in_sequence(self.count))

    def offset_runs(self) -> tuple[tuple[int, int], ...]:
        return self.attempt.offset_runs()

    @property
    def path(self) -> str:
        """The file that holds them."""
        return self.spool.path(self.key)

    def places(self) -> "tuple[array[int], array[int]]":
        """Where they lie in it, in sequence: positions and sizes in bytes."""
        positions, sizes_bytes = array("q"), array("q")
        for piece in self.attempt.in_sequence(self.count):
            positions.append(piece.position)
            sizes_bytes.append(piece.size_bytes)
        return positions, sizes_bytes


@dataclass(frozen=True, slots=True)
class OnceMore:
    """The log, to be read once more: which of its messages are an attempt's blocks is decided as at the first reading."""

    reread: Reread
    framing: Framing
    partitions: int

    def blocks(self, partition: int, attempt: Attempt) -> Iterator[tuple[int, LogMessage]]:
        """The blocks of one attempt, with their sequences, in order of offset; duplicates included."""
        key, name = attempt.station.encode(), attempt.name.encode()
        for message in self.reread(partition, attempt.first_offset, attempt.last_offset):
            if message.key != key or not any(value == name for _, value in message.headers):
                continue  # of somebody else, which is most of what lies between
            try:
                found = read_message(message, self.framing, self.partitions, Address())
            except Poison:
                continue  # it is a dead letter of its own
            if isinstance(found, Block) and found.attempt == attempt.name:
                yield found.sequence, message


class RereadBodies:
    """The blocks of an evicted attempt: read from the log in as many passes as disorder needs; holds one block at a time."""

    def __init__(self, log: OnceMore, partition: int, attempt: Attempt, count: int) -> None:
        self._log = log
        self._partition = partition
        self._attempt = attempt
        self._count = count
        self._first_seen: dict[int, tuple[int, bytes]] | None = None  # sequence -> offset, digest

    def __call__(self) -> Iterator[bytes]:
        seen = self._seen()
        expected = 0
        while expected < self._count:
            before = expected
            for sequence, message in self._log.blocks(self._partition, self._attempt):
                if sequence == expected and message.offset == seen[sequence][0]:
                    assert message.value is not None
                    yield message.value
                    expected += 1
            if expected == before:
                raise Retryable(f"attempt {self._attempt.name}: block {expected} was in the log a moment ago")

    def offset_runs(self) -> tuple[tuple[int, int], ...]:
        return runs_of(offset for offset, _ in self._seen().values())

    def _seen(self) -> dict[int, tuple[int, bytes]]:
        """One pass that finds each sequence's first block, and any conflict or hole. Raises Incomplete, Conflicting."""
        if self._first_seen is None:
            seen: dict[int, tuple[int, bytes]] = {}
            for sequence, message in self._log.blocks(self._partition, self._attempt):
                digest = hashlib.sha256(message.value or b"").digest()
                offset, before = seen.setdefault(sequence, (message.offset, digest))
                if before != digest:
                    raise Conflicting(f"sequence {sequence} at offsets {offset} and {message.offset}")
            missing = next((sequence for sequence in range(self._count) if sequence not in seen), None)
            if missing is not None or len(seen) != self._count:
                raise Incomplete(f"{len(seen)} of {self._count} blocks are in the log, first missing: {missing}")
            self._first_seen = seen
        return self._first_seen


def runs_of(offsets: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """(first, last) offsets of runs, in order of offset."""
    runs: list[tuple[int, int]] = []
    for offset in sorted(offsets):
        if runs and runs[-1][1] == offset - 1:
            runs[-1] = (runs[-1][0], offset)
        else:
            runs.append((offset, offset))
    return tuple(runs)
