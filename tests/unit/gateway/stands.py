"""A stand for tests: a gateway on a temporary folder and journal, with a log in memory instead of Kafka, and a judge of that log."""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from b2stream.batches.examining import Examination, Examined
from b2stream.batches.manifest import batch_of
from b2stream.contracts import blocks, schemas
from b2stream.contracts.envelopes import Headers, read_envelope
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed
from b2stream.errors import Poison
from b2stream.formats.base import Station
from b2stream.kafka import Delivered
from b2stream.programs.gateway.closing import close_digest
from b2stream.programs.gateway.journal.journal import Journal
from b2stream.programs.gateway.program import Gateway
from b2stream.programs.gateway.publisher import Publisher
from b2stream.programs.gateway.watch import Folder

STATION = "DE-Tst"
TOPIC_ID = "topic-1"


@dataclass
class Log:
    """What Kafka holds: one partition of the measurements topic. `before_append` and `after_append` may raise, as a kill would."""

    messages: list[tuple[bytes, Headers]] = field(default_factory=list)
    before_append: Callable[[], None] = lambda: None
    after_append: Callable[[], None] = lambda: None

    def append(self, value: bytes, headers: Headers) -> int:
        self.before_append()
        self.messages.append((value, headers))
        self.after_append()
        return len(self.messages) - 1

    def closes(self) -> list[BatchClosed]:
        """All closes, in the order of the log, repeats included."""
        framing = Framing()
        return [
            BatchClosed.from_framed(framing.unframe(value))
            for value, headers in self.messages
            if read_envelope(headers).type == "BatchClosed"
        ]

    def bodies(self, attempt: str) -> dict[int, bytes]:
        """Record bodies of an attempt by sequence. Raises Poison where one sequence has two contents."""
        found: dict[int, bytes] = {}
        for value, headers in self.messages:
            envelope = read_envelope(headers)
            if envelope.attempt == attempt and envelope.sequence is not None:
                body = bytes(Framing().unframe(value).body)
                if found.setdefault(envelope.sequence, body) != body:
                    raise Poison(f"sequence {envelope.sequence} of {attempt} has two contents")
        return found


class InMemoryProducer:
    """Acknowledges at once, or, with `hold`, when told to."""

    def __init__(self, log: Log, *, hold: bool = False) -> None:
        self.log = log
        self.hold = hold
        self.held: list[Future[Delivered]] = []
        self.closed = False

    def publish(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> "Future[Delivered]":
        assert key == STATION.encode()
        future: Future[Delivered] = Future()
        if self.hold:
            self.held.append(future)
        else:
            future.set_result(Delivered(partition, self.log.append(value, headers)))
        return future

    def close(self, timeout_s: float = 5.0) -> None:
        self.closed = True


@dataclass(frozen=True)
class Batch:
    """One close that the judge accepted: its file, rows and what Examination found."""

    close: BatchClosed
    raw: bytes
    times_us: list[int]
    examined: Examined


def judge(log: Log) -> dict[str, Batch]:
    """The batches of a log by batch id, as a processor would accept them.

    Every close must have all its blocks, equal repeats only, and be what it promises; series chains must be without gap or fork.
    """
    framing = Framing()
    accepted: dict[str, Batch] = {}
    numbers: dict[tuple[str, int], BatchClosed] = {}
    for close in log.closes():
        same = numbers.setdefault((close.series, close.series_number), close)
        assert same == close, f"number {close.series_number} of {close.series} was given twice: a fork"
        before = numbers.get((close.series, close.series_number - 1))
        assert close.previous == (None if before is None else close_digest(before)), "the chain has a gap"
        assert (close.series_number == 0) == (before is None)
        bodies = log.bodies(close.attempt)
        assert sorted(bodies) == list(range(close.count)), "a close without all its blocks"
        examination, pieces, times = Examination(close), [], []
        for sequence in range(close.count):
            framed = framing.unframe(framing.header(schemas.current("MeasurementBlock")) + bodies[sequence])
            examination.take(framed)
            block = blocks.decode(framed)
            pieces.append(bytes(block.raw or b""))
            times += [round(offset * 1e6) + (block.start_us or 0) for offset in block.offsets_s]
        accepted[batch_of(close)] = Batch(close, b"".join(pieces), times, examination.result())
    return accepted


class Clock:
    """A clock that goes only when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Stand:
    """A folder, a journal and a log that outlive gateways: `start` makes a new gateway, as after a kill."""

    def __init__(self, directory: Path, *, block_bytes: int = 4096, name: str = STATION) -> None:
        self.folder = directory / "watched"
        self.folder.mkdir(parents=True)
        self.journal_path = directory / "journal.sqlite"
        self.log = Log()
        self.stop = threading.Event()
        self.clock = Clock()
        self.topic_id = TOPIC_ID
        self.block_bytes = block_bytes
        self.producers: list[InMemoryProducer] = []
        self._numbers = itertools.count(1)
        self._journals: list[Journal] = []

    def connect(self) -> InMemoryProducer:
        self.producers.append(InMemoryProducer(self.log))
        return self.producers[-1]

    def start(self, settle_s: float = 0.0) -> Gateway:
        for journal in self._journals:
            journal.close_file()  # a killed process has no open files
        self._journals = [Journal(self.journal_path, STATION)]
        return Gateway(
            station=Station(STATION, 1.0),
            journal=self._journals[0],
            folder=Folder(self.folder, settle_s, self.clock),
            publisher=Publisher(self.connect, "test.measurements", STATION, 12, stop=self.stop),
            topic_id=lambda: self.topic_id,
            block_bytes=self.block_bytes,
            new_attempt=lambda: f"{next(self._numbers):032x}",
        )

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def close(self) -> None:
        for journal in self._journals:
            journal.close_file()


def toa5(rows: int, first: float = 0.0, table: str = "Met") -> bytes:
    """A Campbell TOA5 file of our own: one row a minute from 2026-03-01 00:00 station time, two variables and a text column."""
    head = (
        f'"TOA5","{STATION}","CR1000X","1234","CR1000X.Std.05","CPU:met.CR1X","4711","{table}"\r\n'
        '"TIMESTAMP","RECORD","T_air","RH","State"\r\n"TS","RN","degC","%",""\r\n"","","Avg","Avg","Smp"\r\n'
    )
    lines = []
    for row in range(rows):
        day, minute = divmod(row, 1440)
        stamp = f"2026-03-{day + 1:02d} {minute // 60:02d}:{minute % 60:02d}:00"
        lines.append(f'"{stamp}",{row},{first + row * 0.25:.2f},{50 + row % 40},"ok{row % 3}"\r\n')
    return (head + "".join(lines)).encode()
