"""How blocks become dead letters: read once more from the log, so that each letter has its original value."""

import asyncio
import io
import logging
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field

import fastavro

from b2stream.archive.placing import NewObject, Placing, Writer
from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import Clock
from b2stream.batches.assembling import Attempt
from b2stream.batches.container import container_chunks
from b2stream.batches.paths import DEAD_FOLDER
from b2stream.contracts import schemas
from b2stream.contracts.letters import Letter
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import DeadLetter
from b2stream.errors import B2streamError, Stuck
from b2stream.programs.processor.bodies import OnceMore
from b2stream.programs.processor.outbox import Outbox

_log = logging.getLogger(__name__)

LARGE_BATCH_BYTES = 8 << 20
"""A dead batch above this goes to the archive as one object, and one letter names it."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something is dead."""

    reason: str
    detail: str
    poison: bool
    batch: str = ""


@dataclass(slots=True)
class Undertaker:
    """Writes dead letters for single messages and for the blocks of whole attempts."""

    outbox: Outbox
    log: OnceMore
    store: ObjectStore
    clock: Clock
    topic_id: str
    executor: Executor
    writer: Writer = field(default_factory=Writer)

    async def bury_message(self, message: LogMessage, station: str, attempt: str, cause: Cause) -> None:
        """One message, one letter."""
        letter = self._letter(message.partition, message.offset, station, attempt, cause)
        await self.outbox.letter(message.partition, message.value or b"", letter)

    async def bury_attempt(
        self,
        partition: int,
        attempt: Attempt,
        cause: Cause,
        close: LogMessage | None,
        kept: Iterator[tuple[int, bytes]] | None = None,
    ) -> int:
        """All blocks of an attempt, and its close where there is one; gives the number of letters.

        `kept` are (offset, value) of its blocks where the spool has them all: thousands of attempts may fall silent together, and
        each of them would read the log of all.
        Raises Retryable where log, centre or Kafka do not answer: all of it may be done again, each id is the message's place.
        """
        written = 0
        loop = asyncio.get_running_loop()
        if kept is not None and attempt.size_bytes <= LARGE_BATCH_BYTES:
            values = kept
        else:
            values = ((message.offset, message.value or b"") for _, message in self.log.blocks(partition, attempt))
            size_bytes, count = await loop.run_in_executor(self.executor, self._measure, partition, attempt)
            if size_bytes > LARGE_BATCH_BYTES:
                written = await self._bury_in_archive(partition, attempt, cause, count)
        if not written:
            while (found := await loop.run_in_executor(self.executor, next, values, None)) is not None:
                offset, value = found
                await self.outbox.letter(
                    partition, value, self._letter(partition, offset, attempt.station, attempt.name, cause)
                )
                written += 1
        if close is not None:
            await self.bury_message(close, attempt.station, attempt.name, cause)
            written += 1
        return written

    async def _bury_in_archive(self, partition: int, attempt: Attempt, cause: Cause, count: int) -> int:
        loop = asyncio.get_running_loop()
        try:
            record = await loop.run_in_executor(self.executor, self._store, partition, attempt, count)
        except Stuck as refused:
            _log.error(
                "attempt %s cannot lie in %s, each block becomes a letter: %s", attempt.name, DEAD_FOLDER, refused
            )
            return 0
        await self.outbox.dead_batch(
            self._letter(partition, attempt.first_offset, attempt.station, attempt.name, cause), record
        )
        return 1

    def _measure(self, partition: int, attempt: Attempt) -> tuple[int, int]:
        size_bytes = count = 0
        for _, message in self.log.blocks(partition, attempt):
            size_bytes += len(message.value or b"")
            count += 1
        return size_bytes, count

    def _store(self, partition: int, attempt: Attempt, count: int) -> DeadLetter:
        """Write the dead blocks below `.dead/`; the name has the first offset, because an attempt can die twice."""
        path = f"{DEAD_FOLDER}/{attempt.name}-{attempt.first_offset}.avro"
        new = NewObject.measured(path, lambda: self._chunks(partition, attempt))
        placing = Placing(self.store, self.writer, attempt.name, clock=self.clock)
        try:
            placed = placing.place_data_object(placing.stage_object(new), new)
        except B2streamError:
            placing.give_up()
            raise
        return DeadLetter(
            station=attempt.station,
            attempt=attempt.name,
            path=path,
            blocks=count,
            size_bytes=placed.size_bytes,
            sha256=placed.sha256,
            first_offset=attempt.first_offset,
            last_offset=attempt.last_offset,
        )

    def _chunks(self, partition: int, attempt: Attempt) -> Iterator[bytes | memoryview]:
        schema = schemas.current("DeadBlock")
        bodies = (_dead_block(message) for _, message in self.log.blocks(partition, attempt))
        return container_chunks(schema, attempt.station, attempt.name, attempt.first_offset, bodies)

    def _letter(self, partition: int, offset: int, station: str, attempt: str, cause: Cause) -> Letter:
        return Letter(
            topic_id=self.topic_id,
            partition=partition,
            offset=offset,
            station=station,
            reason=cause.reason,
            detail=cause.detail,
            poison=cause.poison,
            attempt=attempt,
            batch=cause.batch,
        )


def _dead_block(message: LogMessage) -> bytes:
    out = io.BytesIO()
    headers = [{"name": name, "value": value} for name, value in message.headers]
    record = {"offset": message.offset, "headers": headers, "value": message.value or b""}
    fastavro.schemaless_writer(out, schemas.current("DeadBlock").parsed, record)
    return out.getvalue()
