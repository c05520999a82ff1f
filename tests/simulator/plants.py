"""Bugs that are planted to see whether the judge complains: one of each kind, as a patch of the pipeline's code in this process.

Each is a mistake that somebody could make in one line. Nothing of it is in the product.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

from b2stream.archive import placing, staging
from b2stream.archive.store import Placement
from b2stream.batches.progress import OffsetFrontier
from b2stream.errors import Retryable
from b2stream.programs.processor import commits, outbox
from b2stream.programs.processor.committing import Committed
from b2stream.programs.processor.keeping import Work
from b2stream.work import schedule
from tests.simulator.centres import Client


def acknowledge_before_announce(delay_s: float = 0.0) -> Any:
    """The commit event is given to a task of its own, so much later, and nobody waits until Kafka has it."""
    announce = outbox.Outbox.announce
    under_way = set()

    async def regardless(self: outbox.Outbox, committed: Committed) -> None:
        with suppress(Retryable):
            await asyncio.sleep(delay_s)
            await announce(self, committed)

    async def announced_later(self: outbox.Outbox, committed: Committed) -> None:
        task = asyncio.ensure_future(regardless(self, committed))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    return patch.object(outbox.Outbox, "announce", announced_later)


def overwrite_on_conflict() -> Any:
    """A move onto a path that is taken replaces what lies there, as with iRODS's force flag."""
    place = Client._place

    def replacing(self: Client, staged_name: str, path: str) -> Placement:
        there = self._there
        if path in there.placed and staged_name in self._memory._staged:
            there.placed[path] = self._memory._staged.pop(staged_name)
            there.foreign.discard(path)
            return Placement.PLACED
        return place(self, staged_name, path)

    return patch.object(Client, "_place", replacing)


def skip_verification() -> Any:
    """What was staged is taken for good without a look, and so is what was placed."""

    def unseen(self: staging.Staging, new: Any, attempt: Any) -> Any:
        return attempt

    def unchecked(self: placing.Placing, pair: Any) -> None:
        return None

    return _both(
        patch.object(staging.Staging, "_until_good", unseen), patch.object(placing.Placing, "final_check", unchecked)
    )


def acknowledge_out_of_order() -> Any:
    """The offset behind the last work that ended is committed, whatever is unfinished before it."""
    finish, frontier = OffsetFrontier.finish, OffsetFrontier.frontier
    done: WeakKeyDictionary[OffsetFrontier, int] = WeakKeyDictionary()

    def finished(self: OffsetFrontier, offset: int) -> None:
        finish(self, offset)
        done[self] = max(done.get(self, 0), offset + 1)

    def ahead(self: OffsetFrontier) -> int:
        return max(frontier(self), min(done.get(self, 0), self._next))

    return _both(patch.object(OffsetFrontier, "finish", finished), patch.object(OffsetFrontier, "frontier", ahead))


def pop_retry_of_commit() -> Any:
    """A batch to which nobody answered leaves the list of what is unfinished before it is tried again."""
    try_once, finish = commits.Commits._try, OffsetFrontier.finish

    async def popping(self: commits.Commits, work: Work) -> Committed | None:
        try:
            return await try_once(self, work)
        except Retryable:
            work.partition.finish(work.attempt.first_offset)
            raise

    def finished(self: OffsetFrontier, offset: int) -> None:
        if self._held[offset]:  # it may have been popped
            finish(self, offset)

    return _both(patch.object(commits.Commits, "_try", popping), patch.object(OffsetFrontier, "finish", finished))


def pop_retry_of_copy() -> Any:
    """The replicator takes a work that failed out of its list, and only then would try it again."""

    def popped(self: schedule.Schedule, work: Any, error: Any, now_s: float) -> float:
        self.running -= 1
        self._next_of(work.key)
        return 0.0

    return patch.object(schedule.Schedule, "failed", popped)


PLANTS: dict[str, tuple[Callable[[], Any], frozenset[str]]] = {
    "acknowledge before announce": (acknowledge_before_announce, frozenset({"I8"})),
    "overwrite on conflict": (overwrite_on_conflict, frozenset({"I4"})),
    "skip verification": (skip_verification, frozenset({"I5"})),
    "out-of-order acknowledgement": (acknowledge_out_of_order, frozenset({"I8"})),
    "pop the retry before the work is done": (pop_retry_of_commit, frozenset({"I8"})),
    "pop the copy's retry before the work is done": (pop_retry_of_copy, frozenset({"I7", "I11"})),
}
"""By name: how to plant it, and the invariants of which the judge must name at least one."""


@contextmanager
def _both(*patches: Any) -> Iterator[None]:
    with patches[0], patches[1]:
        yield
