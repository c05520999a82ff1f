"""One simulated processor: the real `Processor`, `Committer`, `Outbox`, `Undertaker` and all below, on a log and a centre in memory."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from b2stream.archive.placing import Writer
from b2stream.batches.assembling import Piece
from b2stream.contracts.framing import Framing
from b2stream.contracts.stations import StationDescription
from b2stream.errors import B2streamError, Retryable
from b2stream.programs.processor import patience
from b2stream.programs.processor.bodies import OnceMore
from b2stream.programs.processor.burial import Undertaker
from b2stream.programs.processor.commits import Limits
from b2stream.programs.processor.committing import Committer
from b2stream.programs.processor.examining.examiners import Examiner
from b2stream.programs.processor.origin import OriginRules
from b2stream.programs.processor.outbox import Outbox
from b2stream.programs.processor.processor import Processor
from b2stream.programs.processor.spool import SpoolFull
from tests.simulator.agenda import Agenda
from tests.simulator.centres import Centre, Client
from tests.simulator.kafka import APPENDED_US, COMMUNITY, MEASUREMENTS, Group, Log, Publisher
from tests.simulator.process import Process, running

FRAMING = Framing()
SILENCE_S, OVERTAKE_S, GIVE_UP_S, UNKNOWN_KEY_S = 45.0, 20.0, 90.0, 60.0
_LOOK_EVERY_S = 9.0  # more seldom, and it would not count as having looked
_ACKNOWLEDGE_S, _LONGEST_ACKNOWLEDGE_S = 0.3, 8.0


class SimulatedClock:
    """The clock of code that waits in a thread of a process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def monotonic(self) -> float:
        return self._process.agenda.now_s

    def sleep(self, seconds: float) -> None:
        self._process.pause(seconds)


class MemorySpool:
    """What the processor asks of a `Spool`, without a disk. Writing `full_at` of it fails, as on a disk that is full."""

    def __init__(self, limit_bytes: int, full_at: frozenset[int], on_full: Callable[[], None]) -> None:
        self.size_bytes = 0
        self._on_full = on_full
        self._limit_bytes = limit_bytes
        self._full_at = full_at
        self._writes = 0
        self._blocks: dict[str, list[bytes]] = {}

    def append(self, key: str, value: bytes) -> tuple[int, int]:
        self._writes += 1
        if self._writes in self._full_at:
            self._on_full()
            raise SpoolFull("no space left")
        kept = self._blocks.setdefault(key, [])
        kept.append(value)
        self.size_bytes += len(value)
        return len(kept) - 1, len(value)

    def read(self, key: str, pieces: Iterable[Piece]) -> Iterator[bytes]:
        try:
            kept = self._blocks[key]
        except KeyError:
            raise FileNotFoundError(key) from None
        return iter([kept[piece.position] for piece in pieces])

    def is_same(self, key: str, piece: Piece, value: bytes) -> bool:
        return self._blocks[key][piece.position] == value

    def forget(self, key: str) -> None:
        self.size_bytes -= sum(map(len, self._blocks.pop(key, ())))

    def over_budget(self) -> bool:
        return self.size_bytes > self._limit_bytes


class KnownStations:
    """Descriptions of stations as all processors know them."""

    def __init__(self, descriptions: dict[str, StationDescription]) -> None:
        self.descriptions = descriptions
        self.version = 1

    def publish(self, descriptions: dict[str, StationDescription]) -> None:
        """All processors know them at once."""
        self.descriptions = descriptions
        self.version += 1


class Worker:
    """One life of a processor process, a member of the group."""

    def __init__(
        self,
        process: Process,
        log: Log,
        centre: Centre,
        group: Group,
        stations: KnownStations,
        examiner: Examiner,
        spool: MemorySpool,
        number: int,
        letters_per_minute: int,
    ) -> None:
        self.process = process
        self.spool = spool
        self._letters_per_minute = letters_per_minute
        self._log = log
        self._group = group
        self._agenda: Agenda = process.agenda
        self._is_acknowledging = False
        self._acknowledge_s = _ACKNOWLEDGE_S
        self._publisher = Publisher(log, process)
        self._position: dict[int, int] = {}
        with running(process.loop):
            self.processor = self._processor(centre, stations, examiner, number)
            self._news, self._to_look = asyncio.Event(), asyncio.Event()
        process.loop.call_soon(lambda: process.loop.create_task(self._feed()))
        process.loop.call_soon(lambda: process.loop.create_task(self._look_around()))
        log.listeners.append(self._heard)

    def _processor(self, centre: Centre, stations: KnownStations, examiner: Examiner, number: int) -> Processor:
        store: Any = Client(centre, self.process)
        clock = SimulatedClock(self.process)
        outbox = Outbox(self._publisher, FRAMING, COMMUNITY, self._log.partitions)
        log = OnceMore(self._log.reread, FRAMING, self._log.partitions)
        writer = Writer()
        writer.id = f"{number:016x}"
        executor: Any = None  # the loop has threads of its own
        topic_id = self._log.topic_id
        return Processor(
            committer=Committer(
                store, FRAMING, examiner, topic_id, "21.T1", clock, now_us=self._now_us, writer=writer, policy="p"
            ),
            outbox=outbox,
            undertaker=Undertaker(outbox, log, store, clock, topic_id, executor, writer),
            log=log,
            spool=self.spool,  # type: ignore[arg-type]  # the methods that are asked for here
            framing=FRAMING,
            limits=Limits(
                commits_in_flight=3,
                closed_limit=50,
                silence_s=SILENCE_S,
                overtake_s=OVERTAKE_S,
                give_up_s=GIVE_UP_S,
                partitions=self._log.partitions,
                dead_letters_per_minute=self._letters_per_minute,
            ),
            origin=OriginRules(stations, accept_unsigned=True, unknown_key_s=UNKNOWN_KEY_S, now_us=self._now_us),
            executor=executor,
            crash=self._crash,
            clock_s=self.process.loop.time,
        )

    def _now_us(self) -> int:
        return APPENDED_US + int(self._agenda.now_s * 1e6)

    def _crash(self, error: B2streamError) -> None:
        self.process.crashed(error)

    # As a member of the group -----------------------------------------------------------------------------------------

    def revoked(self) -> None:
        """Partitions are taken away; a frozen process hears of it when it thaws."""

        def forget() -> None:
            self._position.clear()
            self.processor.revoked()

        self._soon(forget)

    def assigned(self, starts: dict[int, int]) -> None:
        """It is told what it owns, and from where on to read it."""

        def begin() -> None:
            self.processor.revoked()
            self._position = dict(starts)
            for number, start in starts.items():
                self.processor.assigned(number, start)
            self._news.set()
            self._look_soon()
            self.acknowledge_soon()

        self._soon(begin)

    def _soon(self, act: Any) -> None:
        self.process.loop.call_soon(act)

    # Messages ---------------------------------------------------------------------------------------------------------

    def _heard(self, message: Any) -> None:
        if message.topic == MEASUREMENTS and not self.process.is_dead:
            self.process.loop.call_soon(self._news.set)

    async def _feed(self) -> None:
        """Hand over messages one by one, partition by partition, as Faust does."""
        while True:
            number = self._next()
            if number is None:
                self._news.clear()
                await self._news.wait()
                continue
            at = self._position[number]
            self._position[number] = at + 1
            try:
                await self.processor.handle(self._log.topics[MEASUREMENTS][number][at])
            except B2streamError as error:
                self._crash(error)
                return
            self._look_soon()
            self.acknowledge_soon()
            await asyncio.sleep(0)

    def _next(self) -> int | None:
        messages = self._log.topics[MEASUREMENTS]
        return next((number for number, at in self._position.items() if at < len(messages[number])), None)

    async def _look_around(self) -> None:
        """Look at the logs' ends while attempts are open: what abandons the silent ones."""
        while True:
            await self._to_look.wait()
            await asyncio.sleep(_LOOK_EVERY_S)
            messages = self._log.topics[MEASUREMENTS]
            try:
                await self.processor.abandon_silent({number: len(messages[number]) for number in self._position})
                await self.processor.look_again()
            except Retryable:
                continue  # the next look tries again
            except B2streamError as error:
                self._crash(error)
                return
            self._acknowledge_later()
            if not self._is_waiting():
                self._to_look.clear()

    def _is_waiting(self) -> bool:
        return bool(self.processor.open_attempts() or self.processor.waiting_closes())

    def _look_soon(self) -> None:
        if self._is_waiting():
            self._to_look.set()

    # Offsets ----------------------------------------------------------------------------------------------------------

    def acknowledge_soon(self) -> None:
        """As the program does several times a second; here the more seldom the longer nothing moves."""
        self._acknowledge_s = _ACKNOWLEDGE_S
        self._acknowledge_later()

    def _acknowledge_later(self) -> None:
        if not self._is_acknowledging and not self.process.is_dead:
            self._is_acknowledging = True
            self.process.loop.call_later(self._acknowledge_s, self._acknowledge)

    def _acknowledge(self) -> None:
        self._is_acknowledging = False
        self.process.loop.create_task(self._acknowledge_now())

    async def _acknowledge_now(self) -> None:
        await self.processor.acknowledge(self._sink)
        if any(each.committed_offset != self._end(number) for number, each in self.processor.partitions.items()):
            self._acknowledge_s = min(self._acknowledge_s * 3, _LONGEST_ACKNOWLEDGE_S)
            self._acknowledge_later()

    def _end(self, number: int) -> int:
        return len(self._log.topics[MEASUREMENTS][number])

    async def _sink(self, partition: int, offset: int) -> bool:
        self.process.step("commit offset")
        await asyncio.sleep(self._log.latency_s())
        is_taken = self._group.commit(self, partition, offset)
        self.process.step("offset is committed")
        return is_taken

    # Whether all is done ----------------------------------------------------------------------------------------------

    def is_idle(self) -> bool:
        """Whether nothing is left to do until the next message."""
        processor = self.processor
        return (
            not processor.closed_batches()
            and not processor.unwritten_letters()
            and not processor.open_attempts()
            and all(
                self._group.committed.get(number, 0) == self._end(number) == self._position.get(number)
                for number, owner in self._group.owners.items()
                if owner is self
            )
        )


def seed_patience(seed: int) -> None:
    """The pauses of this run; all processors draw from one source."""
    patience._SPREAD.seed(seed)
