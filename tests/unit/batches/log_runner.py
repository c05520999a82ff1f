"""What a processor does with a log, reduced to the core: no clock, no threads, an archive that is a dictionary.

It is the reference that says what "one log gives one result" means. A run reads from an offset up to another and then dies; the
next begins at any offset that its predecessor could have committed, or earlier.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from b2stream.batches.assembling import Assembler, Attempt, Piece
from b2stream.batches.container import container_header, frame, sync_marker
from b2stream.batches.examining import Examination
from b2stream.batches.manifest import InLog, build_manifest, paths_of
from b2stream.batches.progress import OffsetFrontier
from b2stream.contracts import blocks, schemas
from b2stream.contracts.envelopes import read_envelope
from b2stream.contracts.framing import Framed
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import CONTAINER_AVRO, BatchAbandoned, BatchClosed
from b2stream.errors import Poison
from tests.unit.batches.samples import FRAMING, TOPIC_ID


@dataclass
class Result:
    """What is in the archive by path, and the reason of each dead letter by its offset. Writing is create-if-absent."""

    objects: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    letters: dict[int, str] = field(default_factory=dict)

    def without_log(self) -> dict[str, dict[str, Any]]:
        """Manifests but for the member `log`."""
        documents = {path: json.loads(content) for path, content in self.manifests.items()}
        return {
            path: {name: value for name, value in each.items() if name != "log"} for path, each in documents.items()
        }


class Run:
    """One life of a processor that owns the partition."""

    def __init__(self, log: Sequence[LogMessage], result: Result, begin: int) -> None:
        self._log = log
        self._result = result
        self._assembler = Assembler()
        self._spool: dict[tuple[str, str], list[bytes]] = {}
        self._frontier = OffsetFrontier(begin)

    def read(self, begin: int, end: int, evict_after: Callable[[int], bool] = lambda offset: False) -> int:
        """Read these offsets; gives the offset that could be committed then."""
        for message in self._log[begin:end]:
            envelope = read_envelope(message.headers)
            station = (message.key or b"").decode()
            if envelope.type == "MeasurementBlock":
                assert envelope.sequence is not None
                self._block(message, station, envelope.attempt, envelope.sequence)
            elif envelope.type == "BatchClosed":
                self._close(message, BatchClosed.from_framed(FRAMING.unframe(message.value)))
            else:
                record = BatchAbandoned.from_framed(FRAMING.unframe(message.value))
                abandoned = self._assembler.abandon(record)
                if abandoned is not None:
                    self._bury(abandoned, message.offset, "abandoned")
            self._frontier.read(message.offset)
            largest = self._assembler.largest()
            if evict_after(message.offset) and largest is not None:
                largest.forget_bytes()
                del self._spool[largest.station, largest.name]
        return self._frontier.frontier()

    def _block(self, message: LogMessage, station: str, name: str, sequence: int) -> None:
        value = message.value or b""
        if (station, name) not in self._assembler.open:
            self._frontier.begin(message.offset)

        def keep(attempt: Attempt) -> tuple[int, int]:
            kept = self._spool.setdefault((station, name), [])
            kept.append(value)
            return len(kept) - 1, len(value)

        def same(piece: Piece) -> bool:
            return self._spool[station, name][piece.position] == value

        self._assembler.block(name, station, sequence, message.offset, same, keep)

    def _close(self, message: LogMessage, close: BatchClosed) -> None:
        was_open = (close.station, close.attempt) in self._assembler.open
        attempt = self._assembler.close(close.attempt, close.station, message.offset)
        spooled = self._spool.pop((close.station, close.attempt), [])
        if not was_open:
            self._frontier.begin(message.offset)
        if paths_of(close).manifest not in self._result.manifests:
            try:
                bodies, runs = self._bodies(attempt, close, spooled)
                self._commit(
                    close, bodies, InLog(TOPIC_ID, message.partition, runs, message.offset, message.appended_at_us)
                )
            except Poison as poison:
                self._bury(attempt, message.offset, poison.reason)
                self._result.letters[message.offset] = poison.reason
                return
        for superseded in close.supersedes:
            dropped = self._assembler.drop(superseded, close.station)
            if dropped is not None:
                self._frontier.finish(dropped.first_offset)
        self._frontier.finish(attempt.first_offset)

    def _bodies(
        self, attempt: Attempt, close: BatchClosed, spooled: list[bytes]
    ) -> tuple[list[bytes], tuple[tuple[int, int], ...]]:
        if attempt.evicted:  # read it again, into an assembler of its own
            again = Run(self._log, Result(), attempt.first_offset)
            for message in self._mine(attempt, close.attempt):
                again._block(message, attempt.station, close.attempt, read_envelope(message.headers).sequence or 0)
            spooled = again._spool.get((attempt.station, close.attempt), [])
            attempt = again._assembler.close(close.attempt, attempt.station, attempt.last_offset)
        if attempt.poison is not None:
            raise Poison(attempt.poison, reason="conflict")
        missing = attempt.missing(close.count)
        if missing is not None:
            raise Poison(missing, reason="hole")
        return [spooled[piece.position] for piece in attempt.in_sequence(close.count)], attempt.offset_runs()

    def _commit(self, close: BatchClosed, values: list[bytes], log: InLog) -> None:
        examination = Examination(close)
        framed = [FRAMING.unframe(value) for value in values]
        for each in framed:
            examination.take(each)
        manifest = build_manifest(close, examination.result(), log)
        paths = paths_of(close)
        self._result.objects.setdefault(paths.data_object, data_object(close, framed))
        self._result.manifests.setdefault(paths.manifest, manifest)

    def _bury(self, attempt: Attempt, before: int, reason: str) -> None:
        self._spool.pop((attempt.station, attempt.name), None)
        for message in self._mine(attempt, attempt.name):
            if message.offset < before:
                self._result.letters[message.offset] = reason
        self._frontier.finish(attempt.first_offset)

    def _mine(self, attempt: Attempt, name: str) -> list[LogMessage]:
        return [
            message
            for message in self._log[attempt.first_offset : attempt.last_offset + 1]
            if (read_envelope(message.headers).attempt, message.key) == (name, attempt.station.encode())
            and read_envelope(message.headers).type == "MeasurementBlock"
        ]


def data_object(close: BatchClosed, framed: list[Framed]) -> bytes:
    """The bytes of the data object, checked against the close."""
    if close.container_format == CONTAINER_AVRO:
        assert close.start_us is not None
        sync = sync_marker(close.station, close.series, close.start_us)
        pieces = [container_header(schemas.released(close.schema_fingerprint), sync)]
        pieces += [bytes(piece) for each in framed for piece in frame(each.body, sync)]
    else:
        pieces = [bytes(blocks.decode(each).raw or b"") for each in framed]
    content = b"".join(pieces)
    assert hashlib.sha256(content).hexdigest() == close.raw_sha256
    return content


def run_whole(log: Sequence[LogMessage], evict_after: Callable[[int], bool] = lambda offset: False) -> Result:
    """The result of one run over the whole log."""
    result = Result()
    Run(log, result, 0).read(0, len(log), evict_after)
    return result


def run_in_pieces(log: Sequence[LogMessage], stops: Sequence[int], back: Callable[[int], int]) -> Result:
    """Runs that end at `stops`, the last at the log's end; each begins where `back` says, given the committed offset."""
    result, committed = Result(), 0
    for stop in [*stops, len(log)]:
        begin = back(committed)
        assert 0 <= begin <= committed
        if stop < begin:
            continue
        committed = Run(log, result, begin).read(begin, stop)
    assert list(range(len(log))) == [message.offset for message in log]
    return result
