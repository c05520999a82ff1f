"""Closed attempts on their way to the end: announced, or dead. How many at once, in which order, how often, and how long.

Each commit runs in a thread; everything here runs in the event loop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass

from b2stream.errors import B2streamError, BrokenInvariant, Poison, Retryable, Stuck
from b2stream.failpoints import passing
from b2stream.outages import Outage
from b2stream.programs.processor import metrics
from b2stream.programs.processor.bodies import Conflicting, Incomplete
from b2stream.programs.processor.burial import Cause
from b2stream.programs.processor.committing import Committed, Committer, NotPermittedYet
from b2stream.programs.processor.keeping import Keeper, Work
from b2stream.programs.processor.ordering import SeriesOrder, Turn
from b2stream.programs.processor.ownership import Ownership
from b2stream.programs.processor.patience import LONGEST_STUCK_PAUSE_S, CentreRecord, Patience
from b2stream.programs.processor.refusing import TooManyOpen

_log = logging.getLogger(__name__)

STUCK_LIMIT = 10_000
"""So many stuck batches, and batches queued behind them, cost a few MB; beyond that they count as closed work again."""


class Unexpected(Stuck):
    """Something failed here on this batch that nobody foresaw: report it with its log lines; other batches go on."""

    reason = "unexpected"


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds the processor (I10). Times in seconds."""

    commits_in_flight: int
    closed_limit: int
    silence_s: float
    overtake_s: float
    give_up_s: float
    partitions: int
    dead_letters_per_minute: int = 6_000
    open_attempts: int = 20_000


class Commits:
    """Brings closed attempts to their end. `announce` returns once the commit event is visible.

    `finish` is called when that is so, `bury` is awaited to write the letters of an attempt that is dead.
    """

    def __init__(
        self,
        *,
        committer: Committer,
        executor: Executor,
        keeper: Keeper,
        ownership: Ownership,
        limits: Limits,
        announce: Callable[[Committed], Awaitable[None]],
        finish: Callable[[Work, Committed], None],
        bury: Callable[[Work, Cause], Awaitable[None]],
        crash: Callable[[B2streamError], None],
        clock_s: Callable[[], float],
    ) -> None:
        self._committer = committer
        self._executor = executor
        self._keeper = keeper
        self._ownership = ownership
        self._limits = limits
        self._announce = announce
        self._finish = finish
        self._bury = bury
        self._crash = crash
        self._clock_s = clock_s
        self._slots = asyncio.Semaphore(limits.commits_in_flight)
        self._room = asyncio.Semaphore(limits.closed_limit)
        self._without_room = 0
        self._draining = False
        self._order: SeriesOrder[Work] = SeriesOrder(self._commit)
        self._centre = CentreRecord()
        self.outage = Outage(committer.store.centre, clock_s())

    async def add(self, work: Work) -> None:
        """Queue a closed attempt; waits while too much is closed and unannounced. Never for what is behind a stuck one."""
        close = work.closed.close
        series = (close.station, close.series)
        work.holds_room = not (self._order.is_stuck(series) and self._without_room < STUCK_LIMIT)
        if work.holds_room:
            with metrics.PAUSES.because("closed_limit") if self._room.locked() else nullcontext():
                await self._room.acquire()
        else:
            self._without_room += 1
        if self._draining or not self._ownership.is_current(work.partition):
            self._keeper.forget(work.partition, work.attempt)
            self._leave_room(work)
            return
        metrics.CLOSED_BATCHES.inc()
        self._order.add(Turn(series, work.closed.batch, work))

    def waiting(self) -> Iterator[Work]:
        """Closed attempts of this generation that no thread is working on: their bytes may leave the spool."""
        for works in (self._order.queued(), self._order.begun()):
            for work in works:
                if not work.is_running and self._ownership.is_current(work.partition):
                    yield work

    def unfinished(self) -> int:
        """Closed attempts that are not announced yet."""
        return self._order.unfinished()

    async def drain(self, timeout_s: float) -> bool:
        """Take nothing more and let what is on its way finish; False where some is given up."""
        self._draining = True
        return await self._order.drain(timeout_s)

    def cancel(self) -> None:
        """Give up what is queued."""
        self._draining = True
        self._order.cancel()

    async def _commit(self, turn: Turn[Work]) -> None:
        """Bring one closed attempt to its end. Never raises; a fatal error stops the program."""
        work = turn.work
        try:
            committed = await self._place(turn)
            if committed is None:
                return
            announced = await self._ownership.until_answered(work.partition, lambda: self._tell(committed))
            if announced and self._ownership.is_current(work.partition):
                self._finish(work, committed)
        except B2streamError as error:
            self._crash(error)
        except Exception as error:
            _log.exception("commit of batch %s", work.closed.batch)
            self._crash(BrokenInvariant(repr(error)))
        finally:
            self.outage.forget(work.attempt.name)
            if not self._ownership.is_current(work.partition):
                self._keeper.forget(work.partition, work.attempt)
            metrics.CLOSED_BATCHES.dec()
            self._leave_room(work)

    async def _tell(self, committed: Committed) -> None:
        passing("announce")
        await self._announce(committed)
        passing("announced")

    async def _place(self, turn: Turn[Work]) -> Committed | None:
        """Try until it is in place; None where it is dead, or of an old generation."""
        work, patience = turn.work, Patience()
        while self._ownership.is_current(work.partition):
            longest_s = None
            try:
                committed = await self._try(work)
            except Poison as poison:
                again = isinstance(poison, (Incomplete, Conflicting, TooManyOpen))
                await self._give_up(work, Cause(poison.reason, str(poison), not again, work.closed.batch))
                return None
            except Stuck as stuck:
                self.outage.failed(work.attempt.name, stuck, self._clock_s(), is_refused=True)
                if await self._is_stuck_for_good(turn, stuck, patience):
                    return None
                longest_s = LONGEST_STUCK_PAUSE_S if turn.passed.is_set() else None
            except NotPermittedYet as early:  # says nothing about the centre
                self.outage.forget(work.attempt.name)
                _log.info("batch %s of %s waits: %s", work.closed.close.stem, turn.series[0], early)
            except Retryable as error:
                self.outage.failed(work.attempt.name, error, self._clock_s(), is_refused=False)
                metrics.RETRIES.inc()
                _log.warning("batch %s of %s waits: %s", work.closed.close.stem, turn.series[0], error)
            else:
                if committed is not None:
                    self.outage.succeeded(work.attempt.name, self._clock_s(), is_new=not committed.was_there)
                if committed is not None and not committed.was_there:
                    self._centre.committed(self._clock_s())
                return committed
            await self._ownership.pause(work.partition, patience.pause_s(longest_s))
        return None

    async def _try(self, work: Work) -> Committed | None:
        """One try in a thread. What nobody foresaw concerns this batch alone, and is tried again from the log."""
        async with self._slots:
            if not self._ownership.is_current(work.partition):
                return None
            work.is_running = True
            loop = asyncio.get_running_loop()
            try:
                with metrics.COMMIT_SECONDS.time():
                    return await loop.run_in_executor(self._executor, self._committer.commit, work.closed)
            except B2streamError:
                raise
            except Exception as error:
                _log.exception("commit of batch %s", work.closed.batch)
                self._keeper.shrink(work)
                raise Unexpected(repr(error)) from error
            finally:
                work.is_running = False
                work.closed.rest()

    async def _is_stuck_for_good(self, turn: Turn[Work], stuck: Stuck, patience: Patience) -> bool:
        """Refused: let others pass after a while, forget its bytes, and give up at a quarter of the retention."""
        work, now_s = turn.work, self._clock_s()
        refused_s = patience.refused(now_s)
        metrics.STUCK.labels(stuck.reason).inc()
        _log.error(
            "batch %s of %s is refused since %.0f s: %s", work.closed.close.stem, turn.series[0], refused_s, stuck
        )
        if not self._ownership.is_current(work.partition):
            return False
        if refused_s >= self._limits.overtake_s:
            self._keeper.shrink(work)
            self._order.let_pass(turn)
            for each in (work, *self._order.queued(turn.series)):
                if self._without_room < STUCK_LIMIT:
                    self._give_back_room(each)
        if not self._is_time_to_give_up(work, refused_s) or self._centre.is_outage(now_s):
            return False
        await self._give_up(work, Cause(stuck.reason, str(stuck), poison=False, batch=work.closed.batch))
        return True

    def _is_time_to_give_up(self, work: Work, refused_s: float) -> bool:
        """Refused for so long; or closed so long ago, and refused for a while by now.

        The second is for processors that are restarted, and partitions that move, more often than that: else the batch would hold
        the frontier until the log loses what lies behind it.
        """
        closed_s = (self._committer.now_us() - work.closed.closed_at_us) / 1e6
        give_up_s = self._limits.give_up_s
        return refused_s >= give_up_s or (closed_s >= give_up_s and refused_s >= self._limits.overtake_s)

    async def _give_up(self, work: Work, cause: Cause) -> None:
        if not self._ownership.is_current(work.partition):
            return
        if work.closed.placing is not None:
            await asyncio.get_running_loop().run_in_executor(self._executor, work.closed.placing.give_up)
        await self._bury(work, cause)

    def _give_back_room(self, work: Work) -> None:
        """It waits behind a stuck one, or is one: the room is for work that moves, so that others never stop."""
        if work.holds_room:
            work.holds_room = False
            self._without_room += 1
            self._room.release()

    def _leave_room(self, work: Work) -> None:
        if work.holds_room:
            self._room.release()
        else:
            self._without_room -= 1
