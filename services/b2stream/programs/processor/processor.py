"""The processor without Kafka's client: what is done with each message, in which order, and when an offset may be acknowledged.

Lives in one event loop; commits and the reading of dead attempts run in threads. The edges are interfaces, so that the
same code runs on Faust and on a log in memory.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor

from b2stream.batches.assembling import Attempt
from b2stream.batches.progress import OffsetFrontier
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import BatchAbandoned, BatchClosed
from b2stream.contracts.schemas import LaterRelease
from b2stream.errors import B2streamError, LostOffsets, Poison, Retryable
from b2stream.failpoints import passing
from b2stream.programs.processor import metrics
from b2stream.programs.processor.appending import Appending
from b2stream.programs.processor.bodies import OnceMore, problem_of
from b2stream.programs.processor.burial import Cause, Undertaker
from b2stream.programs.processor.commits import Commits, Limits
from b2stream.programs.processor.committing import ClosedBatch, Committed, Committer
from b2stream.programs.processor.intake import Address, Block, read_message
from b2stream.programs.processor.keeping import Keeper, Work
from b2stream.programs.processor.letter_rate import LetterRate
from b2stream.programs.processor.letters import ABANDONED, Letters
from b2stream.programs.processor.origin import Gate, OriginRules
from b2stream.programs.processor.outbox import Outbox
from b2stream.programs.processor.ownership import Ownership
from b2stream.programs.processor.partition import Partition
from b2stream.programs.processor.patience import Patience
from b2stream.programs.processor.refusing import Refusing
from b2stream.programs.processor.silence import Silence
from b2stream.programs.processor.spool import Spool

_log = logging.getLogger(__name__)

Acknowledge = Callable[[int, int], Awaitable[bool]]
"""(partition, next offset): everything before it is archived or a dead letter; False where Kafka did not take it."""


class Processor:
    """Takes the messages of owned partitions in order; announces batches and acknowledges offsets."""

    def __init__(
        self,
        *,
        committer: Committer,
        outbox: Outbox,
        undertaker: Undertaker,
        log: OnceMore,
        spool: Spool,
        framing: Framing,
        limits: Limits,
        origin: OriginRules,
        executor: Executor,
        crash: Callable[[B2streamError], None],
        announced: Callable[[Committed], None] = lambda committed: None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._framing = framing
        self._limits = limits
        self._announced = announced
        self._clock_s = clock_s
        self.partitions: dict[int, Partition] = {}
        self._ownership = Ownership()
        self._keeper = Keeper(spool, log, self.partitions, lambda: self._commits.waiting())
        self._appending = Appending(self._keeper, clock_s)
        self._silence = Silence(self.partitions, self._ownership, outbox, limits.silence_s, clock_s)
        self._letters = Letters(
            undertaker,
            self._ownership,
            limits.closed_limit,
            self._keeper.kept,
            self._forget,
            crash,
            LetterRate(limits.dead_letters_per_minute, clock_s),
            limits.open_attempts,
        )
        self._refusing = Refusing(
            limits.open_attempts,
            self.partitions,
            self._letters.attempt_first,
            clock_s,
        )
        self._commits = Commits(
            committer=committer,
            executor=executor,
            keeper=self._keeper,
            ownership=self._ownership,
            limits=limits,
            announce=outbox.announce,
            finish=self._finish,
            bury=lambda work, cause: self._letters.attempt(work.partition, work.attempt, cause, work.message),
            crash=crash,
            clock_s=clock_s,
        )
        self._gate = Gate(
            origin,
            self.partitions,
            self._ownership,
            accept=self._close,
            refuse=lambda partition, message, close, cause: self._letters.message(
                partition, message, Address(close.station, close.attempt, close.SCHEMA), cause
            ),
        )

    # Ownership --------------------------------------------------------------------------------------------------------

    def assigned(self, number: int, next_offset: int) -> None:
        """This process owns the partition from now on, and reads it from `next_offset`."""
        frontier = OffsetFrontier(next_offset)
        generation, openings = self._ownership.generation, self._refusing.openings
        self.partitions[number] = Partition(number, generation, next_offset, next_offset, frontier, openings)

    def revoked(self) -> None:
        """All partitions are taken away. Uploads finish; nothing of the old generation is acknowledged, retried or dead-lettered."""
        self._ownership.end()
        for partition in self.partitions.values():
            for attempt in partition.assembler.open.values():
                self._keeper.forget(partition, attempt)
        self.partitions.clear()
        self._refusing.begin_anew()
        metrics.OPEN_ATTEMPTS.set(0)

    # Messages ---------------------------------------------------------------------------------------------------------

    async def handle(self, message: LogMessage) -> None:
        """Take the next message of an owned partition. Waits while too much is closed and unannounced. Raises LostOffsets."""
        generation = self._ownership.generation
        await self._letters.while_flooded()
        partition = self.partitions.get(message.partition)
        if partition is None or generation != self._ownership.generation or message.offset < partition.next_offset:
            return  # of an older generation, or delivered again
        if message.offset > partition.next_offset:
            raise LostOffsets(
                f"{message.topic}[{message.partition}]: {message.offset} came where {partition.next_offset} was next"
            )
        partition.next_offset = message.offset + 1
        metrics.MESSAGES.inc()
        address = Address()
        try:
            content = await self._read(partition, message, address)
        except Poison as poison:
            await self._bury_message(partition, message, address, poison)
        else:
            if isinstance(content, Block):
                await self._block(partition, message, address, content)
            elif isinstance(content, BatchClosed):
                await self._gate.take(partition, message, content)
            elif isinstance(content, BatchAbandoned):
                await self._abandonment(partition, content)
        partition.frontier.read(message.offset)

    async def _read(
        self, partition: Partition, message: LogMessage, address: Address
    ) -> Block | BatchClosed | BatchAbandoned | None:
        """What the message is; None where the generation ended while a schema registry did not answer."""
        patience = Patience()
        while self._ownership.is_current(partition):
            try:
                return read_message(message, self._framing, self._limits.partitions, address)
            except Retryable as error:
                _log.warning("message %d of partition %d waits: %s", message.offset, message.partition, error)
                with metrics.PAUSES.because("schema_registry"):
                    await self._ownership.pause(partition, patience.pause_s())
        return None

    async def _block(self, partition: Partition, message: LogMessage, address: Address, block: Block) -> None:
        refusal = self._refusing.refusal(block.station, block.attempt)
        if refusal is not None:
            await self._letters.message(partition, message, address, refusal)
            return
        self._appending.take(partition, message, block)
        await self._refusing.stay_within_limit()

    async def _close(self, partition: Partition, message: LogMessage, close: BatchClosed) -> None:
        attempt = self._end(partition, message, close.station, close.attempt)
        closed = ClosedBatch(
            close=close,
            partition=partition.number,
            close_offset=message.offset,
            closed_at_us=message.appended_at_us,
            bodies=self._keeper.bodies(partition, attempt, close.count),
            problem=self._refusing.closed(close.station, close.attempt) or problem_of(attempt, close.count),
        )
        await self._commits.add(Work(closed, attempt, partition, message))

    def _end(self, partition: Partition, message: LogMessage, station: str, name: str) -> Attempt:
        was_open = (station, name) in partition.assembler.open
        attempt = partition.assembler.close(name, station, message.offset)
        partition.forget(station, name)
        if not was_open:
            partition.begin(attempt.first_offset, message.appended_at_us)
        return attempt

    async def _abandonment(self, partition: Partition, record: BatchAbandoned) -> None:
        attempt = partition.assembler.abandon(record)
        if attempt is None:
            return
        partition.forget(attempt.station, attempt.name)
        cause = Cause(ABANDONED, f"silent after offset {attempt.last_offset}", poison=False)
        await self._letters.attempt_later(partition, attempt, cause)

    async def _bury_message(self, partition: Partition, message: LogMessage, address: Address, poison: Poison) -> None:
        """A close that can become nothing takes its attempt with it: nothing else could ever close that.

        Not where the station signs: its own close may still come, and this one is nobody's. What a later release wrote is no poison:
        its gateway sends again by itself, and a processor that was upgraded by then reads it.
        """
        cause = Cause(poison.reason, str(poison), poison=not isinstance(poison, LaterRelease))
        is_close = address.kind == "BatchClosed" and not self._gate.signs(address.station)
        if is_close and (address.station, address.attempt) in partition.assembler.open:
            attempt = self._end(partition, message, address.station, address.attempt)
            await self._letters.attempt_later(partition, attempt, cause, message)
        else:
            await self._letters.message(partition, message, address, cause)

    # The end of a batch -----------------------------------------------------------------------------------------------

    def _finish(self, work: Work, committed: Committed) -> None:
        """The commit event is visible: forget the batch, and the attempts that it supersedes."""
        metrics.COMMITTED.inc()
        metrics.COMMITTED_BYTES.inc(committed.event.size_bytes)
        self._announced(committed)
        self._forget(work.partition, work.attempt)
        for name in work.closed.close.supersedes:
            dropped = work.partition.assembler.drop(name, work.closed.close.station)
            if dropped is not None:
                work.partition.forget(dropped.station, dropped.name)
                self._forget(work.partition, dropped)

    def _forget(self, partition: Partition, attempt: Attempt) -> None:
        self._keeper.forget(partition, attempt)
        partition.finish(attempt.first_offset)

    # Time and acknowledgement -----------------------------------------------------------------------------------------

    async def acknowledge(self, sink: Acknowledge) -> None:
        """Hand on how far each partition is done, where that moved."""
        for partition in list(self.partitions.values()):
            frontier = partition.frontier.frontier()
            if frontier == partition.committed_offset or not self._ownership.is_current(partition):
                continue
            moved = frontier > partition.start_offset  # else it only says where the group begins
            if moved:
                passing("acknowledge")
            if await sink(partition.number, frontier):
                partition.committed_offset = frontier
                if moved:
                    passing("acknowledged")

    async def abandon_silent(self, ends: Mapping[int, int]) -> None:
        """Publish an abandonment for each attempt that was silent for T at the end of the log; `ends` as in `Silence.look`."""
        await self._silence.look(ends)

    async def look_again(self) -> None:
        """Judge closes anew that wait for their key; call it every second or so."""
        await self._gate.look_again()

    def waiting_closes(self) -> int:
        """Closes whose key nobody has yet."""
        return self._gate.waiting()

    def oldest_us(self) -> int | None:
        """Append time of the oldest message whose work is unfinished; None where there is none."""
        return min(
            (oldest for partition in self.partitions.values() if (oldest := partition.oldest_us()) is not None),
            default=None,
        )

    def open_attempts(self) -> int:
        """Attempts without a close, over all owned partitions."""
        return sum(len(partition.assembler.open) for partition in self.partitions.values())

    def closed_batches(self) -> int:
        """Closed batches that are not announced yet."""
        return self._commits.unfinished()

    def troubles(self, outage_s: float) -> dict[str, str]:
        """What keeps this processor from its work now, by short name; also sets the gauges of it."""
        now_s, outage = self._clock_s(), self._commits.outage
        metrics.STUCK_NOW.set(outage.refused)
        metrics.UNANSWERED_NOW.set(outage.unanswered)
        metrics.OUTAGE_SECONDS.set(outage.lasts_s(now_s))
        metrics.CENTRE_ANSWERED_SECONDS.labels(outage.centre).set(now_s - outage.answered_at_s)
        metrics.PAUSES.look()
        found = {}
        if (why := outage.why(now_s, outage_s)) is not None:
            found["centre"] = why
        if self._letters.is_flooded:
            most = self._limits.dead_letters_per_minute
            found["dead_letters"] = f"more than {most} dead letters in a minute: reading stands still again and again"
        if (why_refused := self._refusing.why()) is not None:
            found["open_attempts"] = why_refused
        return found

    def unwritten_letters(self) -> int:
        """Messages and attempts whose letters are under way."""
        return self._letters.unfinished()

    async def drain(self, timeout_s: float) -> bool:
        """Let commits in flight and letters finish; False where some are given up."""
        started_s = self._clock_s()
        is_done = await self._commits.drain(timeout_s)
        await self._letters.drain(max(0.0, timeout_s - (self._clock_s() - started_s)))
        return is_done and not self._letters.unfinished()

    def stop(self) -> None:
        """Give up what is queued."""
        self._commits.cancel()
        self._letters.cancel()
