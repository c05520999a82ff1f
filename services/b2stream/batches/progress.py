"""How far a partition is done when work on its messages ends in any order. Processor and replicator acknowledge by this.

Invariant I8: the offset that may be committed never passes a message whose work is unfinished.
"""

import heapq
from collections import Counter

from b2stream.errors import BrokenInvariant

_MOST_FINISHED = 1_000
"""So many offsets whose work is finished are kept beside those that are held: one old unit can hold the frontier for days."""


class OffsetFrontier:
    """The frontier of one partition: the lowest offset that unfinished work holds, else the next offset to read.

    A unit of work holds one offset, that of its first message, from `begin` to `finish`. Several units may hold the same
    one. The frontier never moves back, and over many calls none costs more than the logarithm of the number of units.
    """

    def __init__(self, next_offset: int) -> None:
        self._next = next_offset
        self._held: Counter[int] = Counter()
        self._lowest: list[int] = []  # a heap; offsets that nobody holds any more are removed once they are on top

    def begin(self, offset: int) -> None:
        """Work that starts with this offset is unfinished. Raises BrokenInvariant behind the frontier."""
        if offset < self.frontier():
            raise BrokenInvariant(f"work begins at offset {offset}, behind {self.frontier()}, which may be committed")
        if self._held[offset] == 0:
            heapq.heappush(self._lowest, offset)
        self._held[offset] += 1
        self._next = max(self._next, offset + 1)

    def read(self, offset: int) -> None:
        """This offset was read and begins no work of its own, e.g. a later block of an attempt."""
        self._next = max(self._next, offset + 1)

    def finish(self, offset: int) -> None:
        """One unit of work that holds this offset is finished. Raises BrokenInvariant where none does."""
        if offset not in self._held:
            raise BrokenInvariant(f"work at offset {offset} is finished, but none was begun there")
        self._held[offset] -= 1
        if self._held[offset] == 0:
            del self._held[offset]
            if len(self._lowest) > 2 * len(self._held) + _MOST_FINISHED:
                self._lowest = sorted(self._held)

    def frontier(self) -> int:
        """The offset that may be committed: everything before it is done."""
        while self._lowest and self._lowest[0] not in self._held:
            heapq.heappop(self._lowest)
        return self._lowest[0] if self._lowest else self._next

    def unfinished(self) -> int:
        """Units of work that were begun and are not finished."""
        return self._held.total()
