"""Dead letters under way: single messages and whole attempts, side by side with everything else, and never too many at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import nullcontext

from b2stream.batches.assembling import Attempt
from b2stream.contracts.messages import LogMessage
from b2stream.errors import B2streamError, BrokenInvariant, Retryable
from b2stream.programs.processor import metrics
from b2stream.programs.processor.burial import Cause, Undertaker
from b2stream.programs.processor.intake import Address
from b2stream.programs.processor.letter_rate import LetterRate
from b2stream.programs.processor.ownership import Ownership
from b2stream.programs.processor.partition import Partition

_log = logging.getLogger(__name__)

ABANDONED = "abandoned"
_LOOK_AGAIN_S = 1.0
BURIALS_AT_ONCE = 2
"""Each reads the log with a consumer of its own, 8 MiB of buffer; thousands of attempts can fall silent together."""


class Letters:
    """Writes letters until Kafka has them; then the frontier may pass.

    `kept` gives an attempt's blocks where the spool has them, `finish` is called for each attempt that needs it no more.
    """

    def __init__(
        self,
        undertaker: Undertaker,
        ownership: Ownership,
        room: int,
        kept: Callable[[Partition, Attempt], Iterator[tuple[int, bytes]] | None],
        finish: Callable[[Partition, Attempt], None],
        crash: Callable[[B2streamError], None],
        rate: LetterRate,
        most_dying: int,
    ) -> None:
        self._undertaker = undertaker
        self._ownership = ownership
        self._room = asyncio.Semaphore(room)
        self._burials = asyncio.Semaphore(BURIALS_AT_ONCE)
        self._dying = asyncio.Semaphore(most_dying)
        self._kept = kept
        self._finish = finish
        self._crash = crash
        self._rate = rate
        self._tasks: set[asyncio.Task[None]] = set()

    async def message(self, partition: Partition, message: LogMessage, address: Address, cause: Cause) -> None:
        """One letter for a message that can become nothing; a flood of them waits for Kafka like everything else."""
        partition.begin(message.offset, message.appended_at_us)
        _log.error("message %d of partition %d is dead: %s", message.offset, message.partition, cause.detail)
        self._rate.count(1, cause.detail)
        with metrics.PAUSES.because("dead_letters_waiting") if self._room.locked() else nullcontext():
            await self._room.acquire()

        async def write() -> None:
            try:
                if await self._ownership.until_answered(
                    partition,
                    lambda: self._undertaker.bury_message(message, address.station, address.attempt, cause),
                ):
                    metrics.DEAD_LETTERS.labels(cause.reason).inc()
                    if self._ownership.is_current(partition):
                        partition.finish(message.offset)
            finally:
                self._room.release()

        self._spawn(write())

    async def attempt(self, partition: Partition, attempt: Attempt, cause: Cause, close: LogMessage | None) -> None:
        """Letters for all blocks of an attempt, and for its close; returns once they are written."""

        async def write() -> None:
            kept = self._kept(partition, attempt)
            try:
                count = await self._undertaker.bury_attempt(partition.number, attempt, cause, close, kept)
            except OSError as error:
                attempt.forget_bytes()
                raise Retryable(f"the spool cannot be read, the log can: {error}") from error
            metrics.DEAD_LETTERS.labels(cause.reason).inc(count)
            if cause.reason != ABANDONED:  # a network that was cut abandons all that was open at once: that is no flood
                self._rate.count(count, cause.detail)

        _log.error("attempt %s of %s is dead: %s", attempt.name, attempt.station, cause.detail)
        async with self._burials:
            await self.while_flooded()
            await self._ownership.until_answered(partition, write)
            self._finish(partition, attempt)  # of an old generation, too: its blocks leave the spool

    async def while_flooded(self) -> None:
        """Wait while letters come too fast, but not beyond the generation. Called before a message is taken: so reading stops."""
        generation = self._ownership.generation
        while (wait_s := self._rate.wait_s()) > 0 and generation == self._ownership.generation:
            with metrics.PAUSES.because("dead_letter_rate"):
                await asyncio.sleep(min(wait_s, _LOOK_AGAIN_S))

    @property
    def is_flooded(self) -> bool:
        """Whether letters came too fast within the last minute."""
        return self._rate.is_tripped

    async def attempt_later(
        self, partition: Partition, attempt: Attempt, cause: Cause, close: LogMessage | None = None
    ) -> None:
        """The same, while the next messages are taken; waits while too many do so."""
        with metrics.PAUSES.because("dead_letters_waiting") if self._dying.locked() else nullcontext():
            await self._dying.acquire()

        async def write() -> None:
            try:
                await self.attempt(partition, attempt, cause, close)
            finally:
                self._dying.release()

        self._spawn(write())

    async def attempt_first(self, partition: Partition, attempt: Attempt, cause: Cause) -> None:
        """The same, before the next message is taken."""
        await asyncio.wait([self._spawn(self.attempt(partition, attempt, cause, None))])

    def unfinished(self) -> int:
        """Letters and attempts that are not written yet."""
        return len(self._tasks)

    async def drain(self, timeout_s: float) -> None:
        """Wait for what is under way, at most so long."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)

    def cancel(self) -> None:
        """Give up; the next owner finds all of it in the log."""
        for task in list(self._tasks):
            task.cancel()

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work
            except B2streamError as error:
                self._crash(error)
            except Exception as error:
                _log.exception("dead letters")
                self._crash(BrokenInvariant(repr(error)))

        task = asyncio.ensure_future(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
