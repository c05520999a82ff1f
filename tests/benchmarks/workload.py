"""The load of the benchmarks: half hours of 20 Hz eddy covariance in their real format, published as a gateway does."""

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from b2stream.contracts import schemas, topics
from b2stream.contracts.envelopes import block_headers, close_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.partitions import partition_of
from b2stream.formats.base import Station
from b2stream.kafka import Delivered, Producer
from b2stream.programs.gateway import closing
from b2stream.programs.gateway.snapshot import Snapshot
from b2stream.programs.gateway.watch import Signature
from b2stream.sandbox.simulate.eddy_covariance import file_name, half_hour
from b2stream.sandbox.simulate.stations import FOREST

BLOCK_BYTES = 262_144

File = tuple[str, str, bytes]
"""Station, name, content."""


@dataclass(frozen=True)
class Load:
    """What was published: batches, bytes of their files, bytes and number of their messages."""

    batches: int
    file_bytes: int
    message_bytes: int
    messages: int


def publish(bootstrap: str, community: str, partitions: int, files: list[File]) -> Load:
    """Publish files whole: blocks, then the close once they are acknowledged."""
    with _Sender(bootstrap, community, partitions) as sender:
        for file in files:
            sender.blocks(file)().result()
        return sender.load


@contextlib.contextmanager
def hold_closes(bootstrap: str, community: str, partitions: int, files: list[File]) -> Iterator[Callable[[], None]]:
    """Publish the blocks of all files; gives a function that publishes all closes at once."""
    with _Sender(bootstrap, community, partitions) as sender:
        closes = [sender.blocks(file) for file in files]

        def send_closes() -> None:
            for sent in [close() for close in closes]:
                sent.result()

        yield send_closes


class _Sender:
    def __init__(self, bootstrap: str, community: str, partitions: int) -> None:
        self._producer = Producer(bootstrap, "benchmark", buffer_bytes=128 << 20)
        self._topic = topics.MEASUREMENTS.full_name(community)
        self._partitions = partitions
        self._framing = Framing()
        self._last: dict[tuple[str, str], tuple[int, str]] = {}
        self.load = Load(0, 0, 0, 0)

    def __enter__(self) -> "_Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.close()

    def blocks(self, file: File) -> Callable[[], Future[Delivered]]:
        """Publish a file's blocks and wait for them; gives a function that hands over its close."""
        station, name, content = file
        attempt, partition, key = secrets.token_hex(16), partition_of(station, self._partitions), station.encode()
        prepared = closing.prepare(_snapshot(name, content), Station(station, 1.0), BLOCK_BYTES)
        close = closing.draft(prepared, attempt, 1800)
        close = closing.place(close, self._last.get((station, close.series)))
        self._last[station, close.series] = (close.series_number, closing.close_digest(close))
        waiting: list[Future[Delivered]] = []
        message_bytes = 0
        for sequence, body in enumerate(prepared.bodies()):
            value = self._framing.frame(schemas.current("MeasurementBlock"), body)
            headers = block_headers(station, close.series, attempt, sequence)
            waiting.append(self._producer.publish(self._topic, partition, key, value, headers))
            message_bytes += len(value)
        for future in waiting:
            future.result()
        end = self._framing.frame(schemas.current("BatchClosed"), close.to_body())
        self.load = Load(
            self.load.batches + 1,
            self.load.file_bytes + len(content),
            self.load.message_bytes + message_bytes + len(end),
            self.load.messages + len(waiting) + 1,
        )

        def send() -> Future[Delivered]:
            headers = close_headers(station, close.series, attempt)
            return self._producer.publish(self._topic, partition, key, end, headers)

        return send


def half_hours(stations: int, each: int, seed: int = 1) -> Iterator[File]:
    """Files of `stations` loggers, `each` half hours, in the order in which stations would finish them."""
    begin = datetime(2024, 6, 1, tzinfo=UTC)
    for number in range(1, each + 1):
        end = begin + timedelta(minutes=30 * number)
        for station in range(stations):
            name = f"SE-B{station:02d}"
            yield name, file_name(name, end, 1.0), half_hour(FOREST, seed + station, end)


def _snapshot(name: str, content: bytes) -> Snapshot:
    signature = Signature(**{**dict.fromkeys(Signature.__dataclass_fields__, 0), "size_bytes": len(content)})
    return Snapshot(name, Path(name), signature, hashlib.sha256(content).hexdigest(), content)
