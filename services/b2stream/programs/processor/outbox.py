"""What the processor publishes: commit events, summaries, dead letters, abandonments, events.

Each id is deterministic, so twice is once.
"""

import asyncio
import logging
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Protocol

from b2stream.batches.identity import sha256_hex
from b2stream.contracts import schemas, topics
from b2stream.contracts.envelopes import Headers, abandonment_headers, event_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.letters import Letter, letter_headers
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import Aggregate, BatchAbandoned, CoverageStarted, Record
from b2stream.contracts.topics import Topic
from b2stream.errors import Poison
from b2stream.failpoints import passing
from b2stream.programs.processor.committing import Committed

_log = logging.getLogger(__name__)


class Publisher(Protocol):
    """The part of `b2stream.kafka.Producer` that is needed here."""

    def publish(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> "Future[Any]":
        """A future that is done once the message is acknowledged."""
        ...


class Outbox:
    """Publishes records to the community's topics; every method returns once Kafka has acknowledged."""

    def __init__(self, publisher: Publisher, framing: Framing, community: str, partitions: int) -> None:
        self._publisher = publisher
        self._framing = framing
        self._community = community
        self._partitions = partitions

    async def announce(self, committed: Committed) -> None:
        """Publish summary and repeat first, the commit event last: when it is visible, everything else is."""
        event = committed.event
        series = f"{event.station}/{event.series}"
        key = f"{series}/{event.batch}"
        await self._aggregate(event.station, key, committed.aggregate, series)
        if committed.repeated is not None:
            identity = f"{event.batch}/{sha256_hex(committed.repeated.close.encode())}"
            await self._record(topics.EVENTS, event.station, event.station, committed.repeated, identity, series)
        await self._record(topics.COMMITS, event.station, event.station, event, event.batch, series)

    async def _aggregate(self, station: str, key: str, aggregate: Aggregate, series: str) -> None:
        """One message per batch; without its windows where those outgrow a message (the manifest has them all)."""
        try:
            await self._record(topics.AGGREGATES, station, key, aggregate, aggregate.batch, series)
        except Poison as error:
            _log.error("the summary of batch %s is published without its windows: %s", aggregate.batch, error)
            bare = replace(aggregate, windows=[])
            await self._record(topics.AGGREGATES, station, key, bare, aggregate.batch, series)

    async def letter(self, partition: int, value: bytes, letter: Letter) -> None:
        """Write a dead letter: the original value, the reason in headers; where its station's gateway looks, if it has one."""
        station = letter.station
        partition = partition_of(station, self._partitions) if station else partition
        passing("write letter")
        await self._publish(topics.DEAD_LETTERS, partition, station, value, letter_headers(letter))
        passing("letter written")

    async def dead_batch(self, letter: Letter, record: Record) -> None:
        """Write the one letter that stands for a dead batch whose blocks lie in the archive."""
        value = self._framing.frame(schemas.current(record.SCHEMA), record.to_body())
        partition = partition_of(letter.station, self._partitions)
        await self._publish(topics.DEAD_LETTERS, partition, letter.station, value, letter_headers(letter))

    async def abandon(self, record: BatchAbandoned, partition: int) -> None:
        """Say in the log that an attempt is void up to an offset."""
        value = self._framing.frame(schemas.current(record.SCHEMA), record.to_body())
        headers = abandonment_headers(record.station, record.attempt, record.last_offset)
        await self._publish(topics.MEASUREMENTS, partition, record.station, value, headers)

    async def coverage(self, record: CoverageStarted) -> None:
        """Say that the group began to read a partition without a committed offset."""
        identity = f"{record.group}/{record.partition}/{record.offset}"
        await self._record(topics.EVENTS, record.group, record.group, record, identity, record.topic_id)

    async def _record(self, topic: Topic, station: str, key: str, record: Record, identity: str, subject: str) -> None:
        value = self._framing.frame(schemas.current(record.SCHEMA), record.to_body())
        headers = event_headers(record.SCHEMA, identity, subject, source="processor")
        await self._publish(topic, partition_of(station, self._partitions), key, value, headers)

    async def _publish(self, topic: Topic, partition: int, key: str, value: bytes, headers: Headers) -> None:
        future = self._publisher.publish(topic.full_name(self._community), partition, key.encode(), value, headers)
        await asyncio.wrap_future(future)
