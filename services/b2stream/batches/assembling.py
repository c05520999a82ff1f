"""Which blocks of one partition belong together: a pure state machine over the log; no clock decides anything.

It keeps, per open attempt, where each block lies in the spool and in the log, and nothing of its bytes. Order of arrival within an
attempt does not matter, sequence does; equal sequence with equal bytes is a duplicate, with other bytes it poisons that attempt only.
"""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from b2stream.contracts.records import BatchAbandoned


class Arrival(Enum):
    """What became of a block."""

    KEPT = "kept"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"  # the sequence is taken by other bytes: the attempt is poisoned
    TO_POISONED = "to poisoned"  # of an attempt that is poisoned already
    TO_EVICTED = "to evicted"  # its bytes are read again at the close


@dataclass(frozen=True, slots=True)
class Piece:
    """One block of an attempt: its sequence, offset in the log, and place in the spool."""

    sequence: int
    offset: int
    position: int
    size_bytes: int


class Attempt:
    """The open blocks of one attempt, in the order of their arrival, 24 bytes each while they arrive in sequence."""

    def __init__(self, name: str, station: str, first_offset: int) -> None:
        self.name = name
        self.station = station
        self.first_offset = first_offset
        self.last_offset = first_offset
        self.size_bytes = 0
        self.poison: str | None = None
        self.evicted = False
        self._offsets = array("q")
        self._positions = array("q")
        self._sizes = array("l")
        self._places: dict[int, int] | None = None  # sequence -> place; None while place == sequence

    def __len__(self) -> int:
        return len(self._offsets)

    def add(self, piece: Piece) -> None:
        """Keep a block whose sequence is not here yet."""
        assert self.find(piece.sequence) is None
        place = len(self._offsets)
        if self._places is None and piece.sequence != place:
            self._places = {sequence: sequence for sequence in range(place)}
        if self._places is not None:
            self._places[piece.sequence] = place
        self._offsets.append(piece.offset)
        self._positions.append(piece.position)
        self._sizes.append(piece.size_bytes)
        self.size_bytes += piece.size_bytes

    def find(self, sequence: int) -> Piece | None:
        """The block of a sequence, None where it is not here."""
        place: int | None = sequence
        if self._places is not None:
            place = self._places.get(sequence)
        if place is None or place >= len(self._offsets):
            return None
        return Piece(sequence, self._offsets[place], self._positions[place], self._sizes[place])

    def in_sequence(self, count: int) -> Iterator[Piece]:
        """Blocks 0 to count-1; ask `missing` first."""
        for sequence in range(count):
            piece = self.find(sequence)
            assert piece is not None
            yield piece

    def pieces(self) -> Iterator[Piece]:
        """All blocks that are kept, in order of arrival."""
        for sequence in range(len(self)) if self._places is None else tuple(self._places):
            piece = self.find(sequence)
            assert piece is not None
            yield piece

    def missing(self, count: int) -> str | None:
        """What is wrong with the sequences for a close of `count` blocks, None where they are 0 to count-1."""
        if len(self) == count and (self._places is None or max(self._places, default=-1) == count - 1):
            return None
        absent = next((sequence for sequence in range(count) if self.find(sequence) is None), None)
        if absent is not None:
            return f"{len(self)} of {count} blocks are here, the first that is missing is {absent}"
        return f"{len(self)} blocks are here, the close says {count}"

    def offset_runs(self) -> tuple[tuple[int, int], ...]:
        """(first, last) offsets of runs, in order of offset."""
        runs: list[tuple[int, int]] = []
        for offset in sorted(self._offsets):
            if runs and runs[-1][1] == offset - 1:
                runs[-1] = (runs[-1][0], offset)
            else:
                runs.append((offset, offset))
        return tuple(runs)

    def forget_bytes(self) -> None:
        """Evict: keep only that it is open and from which offset on."""
        self.evicted = True
        self.size_bytes = 0
        self._offsets, self._positions, self._sizes = array("q"), array("q"), array("l")
        self._places = None


class Assembler:
    """The open attempts of one partition, by station and name: no station can disturb another's attempt."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, str], Attempt] = {}

    def block(
        self,
        name: str,
        station: str,
        sequence: int,
        offset: int,
        same_bytes: Callable[[Piece], bool],
        keep: Callable[[Attempt], tuple[int, int]],
    ) -> Arrival:
        """Take a block. `same_bytes` compares it with a kept one; `keep` spools it and gives position and size."""
        attempt = self.open.get((station, name))
        if attempt is None:
            attempt = self.open[station, name] = Attempt(name, station, offset)
        attempt.last_offset = offset
        if attempt.poison is not None:
            return Arrival.TO_POISONED
        if attempt.evicted:
            return Arrival.TO_EVICTED
        kept = attempt.find(sequence)
        if kept is None:
            position, size_bytes = keep(attempt)
            if attempt.evicted:  # by `keep`, to make room for this very block
                return Arrival.TO_EVICTED  # type: ignore[unreachable]  # mypy does not see that `keep` may do so
            attempt.add(Piece(sequence, offset, position, size_bytes))
            return Arrival.KEPT
        if same_bytes(kept):
            return Arrival.DUPLICATE
        attempt.poison = f"sequence {sequence} came with other bytes at offset {offset} than at {kept.offset}"
        return Arrival.CONFLICT

    def close(self, name: str, station: str, offset: int) -> Attempt:
        """End an attempt at its close; what arrives under its name afterwards is assembled anew."""
        attempt = self.open.pop((station, name), None)
        if attempt is None:  # not `or`: an evicted attempt has no length any more, and is still the one that began it
            attempt = Attempt(name, station, offset)
        attempt.last_offset = offset
        return attempt

    def abandon(self, record: BatchAbandoned) -> Attempt | None:
        """End an attempt that its owner gave up; None where the record takes no effect, because more of it came before the record."""
        attempt = self.open.get((record.station, record.attempt))
        if attempt is None or attempt.last_offset != record.last_offset:
            return None
        return self.open.pop((record.station, record.attempt))

    def drop(self, name: str, station: str) -> Attempt | None:
        """Drop the open blocks of an attempt that an announced close of the same station supersedes."""
        return self.open.pop((station, name), None)

    def largest(self) -> Attempt | None:
        """The open attempt with most bytes, to be evicted when the spool is full."""
        return max(
            (attempt for attempt in self.open.values() if attempt.size_bytes),
            key=lambda each: each.size_bytes,
            default=None,
        )
