"""Commits of one series in the order of their closes, commits of different series side by side.

Only a stuck batch is overtaken, after `overtake_s`; the series number in its event shows it. A close of a batch that is already on
its way waits for that one: then it finds it in the archive, or takes its place if it became a dead letter.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Work = TypeVar("Work")
Series = tuple[str, str]


@dataclass(slots=True, eq=False)
class Turn(Generic[Work]):
    """One closed batch in its series' queue."""

    series: Series
    batch: str
    work: Work
    passed: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class SeriesOrder(Generic[Work]):
    """Runs the work of each series in order. `run` must not raise; what it cannot do it keeps trying."""

    def __init__(self, run: Callable[[Turn[Work]], Awaitable[None]]) -> None:
        self._run = run
        self._queues: dict[Series, deque[Turn[Work]]] = {}
        self._begun: set[Turn[Work]] = set()
        self._by_batch: dict[str, Turn[Work]] = {}  # the last one of each batch that has begun
        self._stuck: Counter[Series] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, turn: Turn[Work]) -> None:
        """Queue a closed batch."""
        queue = self._queues.get(turn.series)
        if queue is not None:
            queue.append(turn)
            return
        self._queues[turn.series] = deque([turn])
        self._spawn(self._series(turn.series))

    def let_pass(self, turn: Turn[Work]) -> None:
        """This batch is stuck: later ones of its series may overtake it."""
        if not turn.passed.is_set():
            turn.passed.set()
            self._stuck[turn.series] += 1

    def is_stuck(self, series: Series) -> bool:
        """Whether a batch of the series was overtaken and is not done."""
        return self._stuck[series] > 0

    def queued(self, series: Series | None = None) -> Iterator[Work]:
        """Work that has not begun, of one series or of all."""
        queues = list(self._queues.values()) if series is None else [self._queues.get(series, deque())]
        for queue in queues:
            for turn in list(queue):
                yield turn.work

    def begun(self) -> Iterator[Work]:
        """Work that has begun and is not done."""
        for turn in list(self._begun):
            yield turn.work

    def unfinished(self) -> int:
        """Batches queued or on their way."""
        return sum(len(queue) for queue in self._queues.values()) + len(self._begun)

    async def drain(self, timeout_s: float) -> bool:
        """Wait until everything queued is done; False where `timeout_s` was not enough."""
        if not self._tasks:
            return True
        _, pending = await asyncio.wait(set(self._tasks), timeout=timeout_s)
        return not pending

    def cancel(self) -> None:
        """Give up everything queued; work that runs in threads ends by itself."""
        for task in list(self._tasks):
            task.cancel()

    async def _series(self, series: Series) -> None:
        queue = self._queues[series]
        while queue:
            turn = queue.popleft()
            earlier = self._by_batch.get(turn.batch)
            self._by_batch[turn.batch] = turn  # a third one of this batch waits for this one
            self._begun.add(turn)
            running = self._spawn(self._one(turn, earlier))
            if earlier is not None:
                continue  # it waits for the stuck one of the same batch; others need not
            passed = asyncio.ensure_future(turn.passed.wait())
            await asyncio.wait({running, passed}, return_when=asyncio.FIRST_COMPLETED)
            passed.cancel()
        del self._queues[series]

    async def _one(self, turn: Turn[Work], earlier: Turn[Work] | None) -> None:
        if earlier is not None:
            await earlier.done.wait()
        try:
            await self._run(turn)
        finally:
            self._begun.discard(turn)
            if self._by_batch.get(turn.batch) is turn:
                del self._by_batch[turn.batch]
            if turn.passed.is_set():
                self._stuck[turn.series] -= 1
                if not self._stuck[turn.series]:
                    del self._stuck[turn.series]
            turn.done.set()

    def _spawn(self, work: "Awaitable[None]") -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
