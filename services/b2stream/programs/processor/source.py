"""The log as Faust delivers it: the only module that knows Faust. A thin source: raw bytes in, "done up to" out.

What is known of Faust 0.15.3 and aiokafka 0.14 and worked around here, each with a test:
- an agent's exception acknowledges the message, `take()` the whole buffer, and a committed offset can jump over a message
  in flight (upstream issue 606): so the topic has `acks=False`, Faust itself never commits, and `done_up_to` hands our own
  frontier to aiokafka;
- whatever a commit raises after a rebalance or while Kafka is away crashes Faust's app: so `done_up_to` goes past it, too;
- `stream_wait_empty` hangs a stop for as long as anything is unfinished: it is off;
- its buffers are counted in messages, of which 4,096 could be 1 GiB, and aiokafka fetches 50 MiB from each broker: both are
  sized from the largest block;
- a pause longer than `broker_max_poll_interval` costs group membership: that is set to the longest there is;
- aiokafka starts at the log's begin where a committed offset is outside the log, without a word: `offsets.py` checks first;
- uvloop's transport raises RuntimeError for a write between a connection's break and the moment that its reader notices, and
  aiokafka expects OSError (upstream issue 1038): its task for metadata ended by it, and with it every later look-up of the
  group's coordinator, so a broker that came back saw no heartbeat and no commit any more. `_Connection` says what is expected;
- a record batch whose checksum does not hold (a byte that changed on the way) ends Faust, and what the same poll had taken before it
  would be passed over: `_Records` ends there, and aiokafka asks again from that very offset;
- an error that ends one of aiokafka's tasks, or that it keeps for a caller of `getmany`, is told to nobody, because Faust
  calls neither: `crashed` looks for them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiokafka.conn
import aiokafka.consumer.fetcher
import faust
from aiokafka.errors import CorruptRecordException, KafkaConnectionError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.types import TP

from b2stream.contracts.messages import LogMessage
from b2stream.errors import Fatal
from b2stream.kafka.security import Brokers, addresses, login_of, tls_context
from b2stream.programs.processor.chunks import ChunkReader
from b2stream.programs.processor.repeats import Repeats

_log = logging.getLogger(__name__)

BUFFERED_MESSAGES = 16
"""In the stream's queue, and again in what one poll gives: 32 MiB together if each message is as large as can be."""
FETCH_BYTES = 8 << 20
"""Of one answer of one broker, which lies in memory until it is used up."""
_LARGEST_MESSAGE_BYTES = 1 << 20
_LONGEST_POLL_INTERVAL_S = 2_000_000.0  # int32 milliseconds, 23 days
_SESSION_S = 10.0
_HEARTBEAT_S = 2.0
_METADATA_MS = 30_000
"""Faust's own 5 min would be the time without partitions after a broker, just thawed, did not know the topic for a moment."""
_COMMIT_ANSWER_S = 10.0
_ANSWER_S = 30.0
"""Faust's own 90 s would be the time to notice a broker that vanished without closing its connections."""


class _Connection(aiokafka.conn.AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no types
    """A connection whose break is always told as such, on uvloop too, and which copies large answers less often."""

    def _create_reader_task(self) -> Any:
        ChunkReader.take_over(self._reader)  # `connect` just made it, and has asked nothing yet
        return super()._create_reader_task()

    def send(self, request: Any, expect_response: bool = True) -> Any:
        try:
            return super().send(request, expect_response)
        except RuntimeError as error:
            self.close(reason=aiokafka.conn.CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error


aiokafka.conn.AIOKafkaConnection = _Connection  # what aiokafka's own `create_conn` makes


class _Records(aiokafka.consumer.fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """What was fetched of one partition; it ends before a batch whose checksum does not hold. Where that lasts, `Stalls` tells."""

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except CorruptRecordException as error:
            _fetcher_log.warning("%s at offset %d: asking Kafka again", error, self.next_fetch_offset)
            raise StopIteration from error


aiokafka.consumer.fetcher.PartitionRecords = _Records  # what aiokafka's own fetcher makes

_fetcher_log = logging.getLogger("aiokafka.consumer.fetcher")
_repeats = Repeats()
for _complains in ("aiokafka", "aiokafka.conn", "aiokafka.consumer.fetcher", "aiokafka.consumer.group_coordinator"):
    logging.getLogger(_complains).addFilter(_repeats)

# Faust warns at its first rebalance that a sensor's state is missing; nobody here asks its sensors anything.
logging.getLogger("faust.app.base").addFilter(lambda record: "Missing sensor state" not in str(record.msg))


class FaustSource:
    """Reads one topic as a member of a group and calls back, always in one event loop.

    `assigned(partitions)` is awaited before any message of the new generation is handed to `handle`; `revoked()` is called as
    soon as partitions are taken away.
    """

    def __init__(
        self,
        *,
        brokers: Brokers,
        group: str,
        topic: str,
        data_directory: str,
        assigned: Callable[[set[int]], Awaitable[None]],
        revoked: Callable[[], None],
        handle: Callable[[LogMessage], Awaitable[None]],
    ) -> None:
        self._topic_name = topic
        self._assigned = assigned
        self._handle = handle
        self._ready = asyncio.Event()
        self._is_paused = False
        self._is_member = False
        self._is_running = False
        self.is_refused = False
        """Whether Kafka did not take, or did not answer, the last offset of ours that was committed."""
        self.app = _app(brokers, group, data_directory)
        source = self.app.topic(topic, value_serializer="raw", key_serializer="raw", acks=False)

        async def read(stream: Any) -> None:
            await self._read(stream)

        self.app.agent(source, concurrency=1, name="blocks")(read)

        async def on_revoked(app: Any, revoked_partitions: Any, **_: Any) -> None:
            self._ready.clear()
            self.is_refused = False
            revoked()

        async def on_assigned(app: Any, assigned_partitions: Any, **_: Any) -> None:
            await self._on_assigned(assigned_partitions)

        self._keep = (read, on_revoked, on_assigned)  # signals hold weak references
        self.app.on_partitions_revoked.connect(on_revoked)
        self.app.on_partitions_assigned.connect(on_assigned)

    async def _on_assigned(self, assigned: set[TP]) -> None:
        # Faust has no setting for it, and before the first fetch of a generation is early enough.
        self._consumer()._fetcher._fetch_max_bytes = FETCH_BYTES
        numbers = {tp.partition for tp in assigned if tp.topic == self._topic_name}
        self._is_member = True
        await self._assigned(numbers)
        if not self._is_paused:
            self._ready.set()

    async def _read(self, stream: Any) -> None:
        async for event in stream.noack().events():
            await self._ready.wait()
            message = event.message
            event.ack()  # forgets the message; with acks=False nothing is committed by it
            if message.generation_id != self.app.consumer_generation_id:
                continue  # it was taken out of the buffer just before a rebalance
            await self._handle(
                LogMessage(
                    topic=message.topic,
                    partition=message.partition,
                    offset=message.offset,
                    key=message.key,
                    value=message.value,
                    headers=_headers(message.headers),
                    appended_at_us=round(message.timestamp * 1000) * 1000,
                )
            )

    async def done_up_to(self, partition: int, next_offset: int) -> bool:
        """Commit an offset; False where Kafka did not take it: under an old generation, or while it is away."""
        if not self._is_member:
            return False
        try:
            committing = asyncio.run_coroutine_threadsafe(
                self._commit(TopicPartition(self._topic_name, partition), next_offset),
                self.app.consumer._thread.thread_loop,
            )
            is_taken = await asyncio.wait_for(asyncio.wrap_future(committing), _COMMIT_ANSWER_S)
            self.is_refused = False
            return is_taken
        except Exception as error:  # aiokafka's whole tree, time-outs, or no consumer at this moment
            self.is_refused = True
            _log.warning("offset %d of partition %d is not acknowledged yet: %r", next_offset, partition, error)
            return False

    async def _commit(self, partition: TopicPartition, next_offset: int) -> bool:
        """Runs in the thread of aiokafka's consumer."""
        consumer = self._consumer()
        if partition not in consumer.assignment():
            return False
        await consumer.commit({partition: OffsetAndMetadata(next_offset, "")})
        return True

    def _consumer(self) -> Any:
        return self.app.consumer._thread._ensure_consumer()

    async def start(self) -> None:
        """Join the group and begin to read. Raises Fatal where Kafka went away just before: Faust asks no second time."""
        self.app.finalize()
        try:
            await self.app.start()
        except KafkaError as error:
            raise Fatal(
                f"Kafka went away before Faust had joined its group, start the processor again: {error}"
            ) from error
        self._is_running = True

    def pause(self) -> None:
        """Take no more messages; membership stays, and what is done can still be acknowledged."""
        self._is_paused = True
        self._ready.clear()

    async def stop(self) -> None:
        """Leave the group."""
        self._is_running = False
        await self.app.stop()

    def crashed(self) -> BaseException | None:
        """What Faust stopped itself for, or what ended a task of aiokafka, without which it only seems to go on."""
        if self.app.crash_reason is not None or not self._is_running:
            return self.app.crash_reason  # type: ignore[no-any-return]
        consumer = self._consumer()
        coordinator = consumer._coordinator
        for task in (consumer._client._sync_task, consumer._fetcher._fetch_task, coordinator._coordination_task):
            if task.done() and not task.cancelled():
                return task.exception() or RuntimeError(f"{task.get_coro().__name__} of aiokafka has ended")
        return coordinator._pending_exception  # type: ignore[no-any-return]


def _app(brokers: Brokers, group: str, data_directory: str) -> faust.App:
    """Faust with nothing but a topic's raw bytes, and with buffers and times of ours."""
    return faust.App(
        group,
        broker=[f"kafka://{address}" for address in addresses(brokers).split(",")],
        broker_credentials=_credentials(brokers),
        value_serializer="raw",
        key_serializer="raw",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        stream_buffer_maxsize=BUFFERED_MESSAGES,
        broker_request_timeout=_ANSWER_S,
        broker_session_timeout=_SESSION_S,
        broker_heartbeat_interval=_HEARTBEAT_S,
        broker_max_poll_interval=_LONGEST_POLL_INTERVAL_S,
        broker_max_poll_records=BUFFERED_MESSAGES,
        broker_commit_interval=3600.0,
        consumer_max_fetch_size=_LARGEST_MESSAGE_BYTES,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=_METADATA_MS,
        datadir=data_directory,
        cython_optimizations=True,
    )


def _credentials(brokers: Brokers) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """TLS and password in Faust's words. Faust 0.15.3 and aiokafka 0.14 know all mechanisms that the settings can name."""
    if isinstance(brokers, str):
        return None
    context, login = tls_context(brokers), login_of(brokers)
    if login is not None:
        return faust.SASLCredentials(
            username=login.user, password=login.password, mechanism=login.mechanism, ssl_context=context
        )
    return None if context is None else faust.SSLCredentials(context)


def _headers(headers: Any) -> list[tuple[str, bytes]]:
    pairs = headers.items() if isinstance(headers, dict) else headers or ()
    return [(name, value or b"") for name, value in pairs]
