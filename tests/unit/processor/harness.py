"""A deployment in memory: a log, a centre, and a processor between them that can be killed, rebuilt and rebalanced; deterministic."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from b2stream.archive.memory import MemoryStore
from b2stream.contracts.envelopes import Headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.letters import Letter, read_letter
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import Aggregate, BatchCommitted, BatchRepeated
from b2stream.contracts.stations import StationDescription
from b2stream.errors import B2streamError, LostOffsets
from b2stream.kafka import Delivered
from b2stream.programs.processor.bodies import OnceMore
from b2stream.programs.processor.burial import Undertaker
from b2stream.programs.processor.commits import Limits
from b2stream.programs.processor.committing import Committed, Committer
from b2stream.programs.processor.examining.examiners import Here
from b2stream.programs.processor.origin import OriginRules
from b2stream.programs.processor.outbox import Outbox
from b2stream.programs.processor.processor import Processor
from b2stream.programs.processor.spool import Spool
from tests.unit.processor.stations import Sent
from tests.unit.processor.virtual_time import Dead, SteppingExecutor, VirtualClock

COMMUNITY = "test"
TOPIC_ID = "topic-id"
APPENDED_US = 1_790_000_000_000_000


class MemoryLog:
    """Topics with partitions, offsets, append times and headers; knows what was read once more."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.topics: dict[str, list[list[LogMessage]]] = defaultdict(lambda: [[] for _ in range(partitions)])
        self.starts: dict[int, int] = dict.fromkeys(range(partitions), 0)
        self.rereads: list[tuple[int, int, int]] = []
        self.on_append: Callable[[str, Sent], None] = lambda topic, sent: None
        self._ticks = itertools.count()

    def append(self, topic: str, partition: int, sent: Sent) -> int:
        """Append a message; its offset."""
        messages = self.topics[topic][partition]
        appended_at_us = APPENDED_US + next(self._ticks) * 1000
        offset = len(messages)
        self.on_append(topic, sent)
        messages.append(LogMessage(topic, partition, offset, sent.key, sent.value, list(sent.headers), appended_at_us))
        return offset

    def reread(self, partition: int, first: int, last: int) -> Iterator[LogMessage]:
        """As `b2stream.kafka.read_range`, of the measurements."""
        self.rereads.append((partition, first, last))
        if first < self.starts[partition]:
            raise LostOffsets(f"[{partition}] no longer holds {first}")
        yield from self.measurements(partition)[first : last + 1]

    def measurements(self, partition: int) -> list[LogMessage]:
        """What stations sent."""
        return self.topics[f"{COMMUNITY}.measurements"][partition]

    def all(self, topic: str) -> list[LogMessage]:
        """Every message of a topic, partition by partition."""
        return [message for messages in self.topics[f"{COMMUNITY}.{topic}"] for message in messages]


@dataclass
class MemoryPublisher:
    """Publishes into the log. `before` may raise, as Kafka would answer; while `is_away` nothing is acknowledged."""

    log: MemoryLog
    before: Callable[[str], None] = lambda topic: None
    is_away: bool = False
    is_dead: bool = False
    published: list[str] = field(default_factory=list)
    _waiting: list[Callable[[], None]] = field(default_factory=list)

    def publish(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> "Future[Delivered]":
        future: Future[Delivered] = Future()

        def deliver() -> None:
            if self.is_dead:
                return
            try:
                self.before(topic)
            except Dead:
                return
            except B2streamError as error:
                future.set_exception(error)
                return
            offset = self.log.append(topic, partition, Sent(key, value, headers))
            self.published.append(topic.removeprefix(f"{COMMUNITY}."))
            future.set_result(Delivered(partition, offset))

        if self.is_away:
            self._waiting.append(deliver)
        else:
            deliver()
        return future

    def back(self) -> None:
        """Kafka answers again; what waited is delivered, in order."""
        self.is_away = False
        waiting, self._waiting = self._waiting, []
        for deliver in waiting:
            deliver()


@dataclass
class MemoryStations:
    """Descriptions of stations as a processor knows them."""

    descriptions: dict[str, StationDescription] = field(default_factory=dict)
    version: int = 0

    def publish(self, *descriptions: StationDescription) -> None:
        """Every processor knows them at once."""
        self.descriptions = self.descriptions | {each.station: each for each in descriptions}
        self.version += 1


@dataclass
class Deployment:
    """Everything that outlives a processor, and the settings of the next one."""

    folder: Path
    partitions: int = 1
    commits_in_flight: int = 4
    closed_limit: int = 200
    silence_s: float = 900.0
    overtake_s: float = 600.0
    give_up_s: float = 302_400.0
    dead_letters_per_minute: int = 1_000_000
    open_attempts: int = 20_000
    spool_bytes: int = 1 << 30
    latency_s: float = 0.01
    unsigned: str = "accept"
    unknown_key_s: float = 3_600.0
    levels: dict[str, int] = field(default_factory=dict)
    copies: dict[str, int] = field(default_factory=dict)  # by series
    not_taken: set[str] = field(default_factory=set)  # series
    framing: Framing = field(default_factory=Framing)

    def __post_init__(self) -> None:
        self.log = MemoryLog(self.partitions)
        self.stations = MemoryStations()
        self.store = MemoryStore("csc")
        self.committed: dict[int, int] = {}
        self.now_us = 0  # of the processors' wall clock

    # Stations ---------------------------------------------------------------------------------------------------------

    def send(self, *messages: Sent | Iterable[Sent], partition: int | None = None) -> int:
        """Append messages to the partition of their station; the last offset."""
        offset = -1
        for each in messages:
            for sent in [each] if isinstance(each, Sent) else each:
                where = partition_of(sent.key.decode("latin-1"), self.partitions) if partition is None else partition
                offset = self.log.append(f"{COMMUNITY}.measurements", where, sent)
        return offset

    # What came out ----------------------------------------------------------------------------------------------------

    def events(self) -> list[BatchCommitted]:
        """Commit events in order."""
        return [BatchCommitted.from_framed(Framing().unframe(each.value)) for each in self.log.all("commits")]

    def aggregates(self) -> list[Aggregate]:
        """Summaries in order."""
        return [Aggregate.from_framed(Framing().unframe(each.value)) for each in self.log.all("aggregates")]

    def repeats(self) -> list[BatchRepeated]:
        """Repeated closes in order."""
        return [BatchRepeated.from_framed(Framing().unframe(each.value)) for each in self.log.all("events")]

    def letters(self) -> list[Letter]:
        """Dead letters in order."""
        found = [read_letter(each.headers) for each in self.log.all("dead-letters")]
        assert None not in found
        return [letter for letter in found if letter is not None]

    def letters_by_id(self) -> dict[str, Letter]:
        """Dead letters; one written twice is one."""
        return {letter.identity: letter for letter in self.letters()}

    def objects(self) -> dict[str, bytes]:
        """What lies in the archive, by path."""
        return {state.path: self.store.content(state.path) for state in self.store.list()}

    def data_objects(self) -> dict[str, bytes]:
        """The data objects alone."""
        return {path: content for path, content in self.objects().items() if not path.endswith(".manifest.json")}

    def running(self) -> "Running":
        """A processor that owns all partitions, from the group's offsets on."""
        return Running(self)


class Running:
    """One life of a processor."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.log = deployment.log
        self.executor = SteppingExecutor(deployment.latency_s)
        self.publisher = MemoryPublisher(deployment.log)
        self.crashes: list[B2streamError] = []
        self.announced: list[Committed] = []
        self.spool = Spool(str(deployment.folder), deployment.spool_bytes)
        self.is_dead = False
        outbox = Outbox(self.publisher, deployment.framing, COMMUNITY, deployment.partitions)
        log = OnceMore(deployment.log.reread, deployment.framing, deployment.partitions)
        clock = VirtualClock()
        limits = Limits(
            commits_in_flight=deployment.commits_in_flight,
            closed_limit=deployment.closed_limit,
            silence_s=deployment.silence_s,
            overtake_s=deployment.overtake_s,
            give_up_s=deployment.give_up_s,
            partitions=deployment.partitions,
            dead_letters_per_minute=deployment.dead_letters_per_minute,
            open_attempts=deployment.open_attempts,
        )
        self.processor = Processor(
            committer=Committer(
                deployment.store,
                deployment.framing,
                Here(deployment.framing),
                TOPIC_ID,
                "21.T1",
                clock,
                now_us=lambda: deployment.now_us,
                policy="rules-1 sha256:00",
                copies=lambda station, series: deployment.copies.get(series, 2),
                descriptions=lambda: deployment.stations.descriptions,
            ),
            outbox=outbox,
            undertaker=Undertaker(outbox, log, deployment.store, clock, TOPIC_ID, self.executor),
            log=log,
            spool=self.spool,
            framing=deployment.framing,
            limits=limits,
            origin=OriginRules(
                stations=deployment.stations,
                accept_unsigned=deployment.unsigned == "accept",
                unknown_key_s=deployment.unknown_key_s,
                now_us=lambda: deployment.now_us,
                levels=deployment.levels,
                takes=lambda station, series: series not in deployment.not_taken,
            ),
            executor=self.executor,
            crash=self.crashes.append,
            announced=self.announced.append,
            clock_s=asyncio.get_running_loop().time,
        )
        self.position: dict[int, int] = {}
        self._one_at_a_time = asyncio.Lock()
        self._feeding: asyncio.Task[None] | None = None
        self.assign(range(deployment.partitions))

    # Rebalances -------------------------------------------------------------------------------------------------------

    def assign(self, numbers: Iterable[int]) -> None:
        """Take partitions over, from where the group stands."""
        for number in numbers:
            start = self.deployment.committed.get(number, self.log.starts[number])
            self.position[number] = start
            self.processor.assigned(number, start)

    def revoke(self) -> None:
        """All partitions are taken away."""
        self.processor.revoked()
        self.position.clear()

    def kill(self) -> None:
        """SIGKILL: from now on nothing that this processor does reaches anybody."""
        self.is_dead = self.executor.is_dead = self.publisher.is_dead = True
        self.processor.stop()
        self.processor.revoked()

    # Messages ---------------------------------------------------------------------------------------------------------

    async def feed(self) -> None:
        """Hand over every message up to the end of the log, partition by partition, as Faust would."""
        moved = True
        while moved and not self.is_dead:
            moved = False
            for number in list(self.position):
                moved = await self.feed_one(number) or moved

    async def feed_one(self, number: int = 0) -> bool:
        """Hand over the next message of a partition; False at its end."""
        async with self._one_at_a_time:
            at = self.position.get(number)
            messages = self.log.measurements(number)
            if at is None or at >= len(messages):
                return False
            self.position[number] = at + 1
            await self.processor.handle(messages[at])
            return True

    def ends(self) -> dict[int, int]:
        """Where the logs end."""
        return {number: len(self.log.measurements(number)) for number in self.position}

    async def acknowledge(self) -> None:
        """Commit offsets, as the program does again and again; they never move back."""

        async def sink(partition: int, next_offset: int) -> bool:
            if self.is_dead:
                return False
            assert next_offset >= self.deployment.committed.get(partition, 0)
            self.deployment.committed[partition] = next_offset
            return True

        await self.processor.acknowledge(sink)

    async def settle(self, within_s: float = 3_600.0) -> None:
        """Feed, and wait until everything closed is announced or dead, then acknowledge."""
        await self.until(self.is_idle, within_s)
        await self.acknowledge()

    def is_idle(self) -> bool:
        """Whether nothing is left to do until the next message."""
        at_end = all(self.position[number] >= end for number, end in self.ends().items())
        return at_end and not self.processor.closed_batches() and not self.processor.unwritten_letters()

    async def until(self, is_so: Callable[[], bool], within_s: float = 3_600.0) -> None:
        """Feed and wait until it is so; fails after so much virtual time."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + within_s
        if self._feeding is None:
            self._feeding = asyncio.ensure_future(self._keep_feeding())
        pauses_s = itertools.chain(itertools.repeat(0.01, 200), itertools.repeat(1.0))
        while not is_so() and not self.is_dead and not self.crashes:
            assert loop.time() < deadline_s, "it did not come to be so"
            await asyncio.sleep(next(pauses_s))
            if self._feeding.done():
                self._feeding.result()

    async def _keep_feeding(self) -> None:
        pauses_s = itertools.chain(itertools.repeat(0.01, 200), itertools.repeat(1.0))
        while not self.is_dead:
            await self.feed()
            await asyncio.sleep(next(pauses_s))

    async def look_around(self, for_s: float, every_s: float = 10.0) -> None:
        """Let time pass with a look at the logs' ends every so often: what abandons silent attempts."""
        for _ in range(round(for_s / every_s)):
            await asyncio.sleep(every_s)
            await self.processor.abandon_silent(self.ends())
            await self.processor.look_again()
            await self.feed()
