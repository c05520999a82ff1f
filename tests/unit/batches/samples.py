"""Small batches for tests: rows that look like a logger's, cut into blocks, with the close that a gateway would write."""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from b2stream.batches.container import container_chunks
from b2stream.batches.paths import stream_stem
from b2stream.contracts import blocks, schemas
from b2stream.contracts.blocks import Block, Label, Variable
from b2stream.contracts.canonical import from_iso_utc
from b2stream.contracts.envelopes import Headers, abandonment_headers, block_headers, close_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import CONTAINER_AVRO, CONTAINER_FILE, BatchAbandoned, BatchClosed

FRAMING = Framing()
TOPIC_ID = "xBUJ0zq9S3mZ1n2y3w4v5A"
START_US = from_iso_utc("2024-03-01T10:15:00.000000Z")


@dataclass(frozen=True)
class Sent:
    """A batch as a gateway sends it: its close and its blocks' record bodies in sequence."""

    close: BatchClosed
    bodies: tuple[bytes, ...]

    def block(self, sequence: int, offset: int) -> LogMessage:
        close, value = self.close, FRAMING.frame(schemas.current("MeasurementBlock"), self.bodies[sequence])
        return message(
            offset, close.station, value, block_headers(close.station, close.series, close.attempt, sequence)
        )

    def end(self, offset: int) -> LogMessage:
        close, value = self.close, FRAMING.frame(schemas.current("BatchClosed"), self.close.to_body())
        return message(offset, close.station, value, close_headers(close.station, close.series, close.attempt))


def message(offset: int, key: str, value: bytes, headers: Headers) -> LogMessage:
    return LogMessage("icos.measurements", 3, offset, key.encode(), value, headers, START_US + offset * 1_000)


def abandonment(station: str, attempt: str, last_offset: int, offset: int) -> LogMessage:
    record = BatchAbandoned(station=station, attempt=attempt, last_offset=last_offset)
    value = FRAMING.frame(schemas.current("BatchAbandoned"), record.to_body())
    return message(offset, station, value, abandonment_headers(station, attempt, last_offset))


def table(rows: int, seed: int = 1, start_us: int = START_US, series: str = "EC_L99_F01") -> Block:
    """A whole table as one block: two variables, one with gaps, and the flag that judges it."""
    random = np.random.default_rng(seed)
    co2 = 410 + random.normal(0, 2, rows).round(3)
    co2[random.random(rows) < 0.1] = np.nan
    flags = ["4" if bad else "2" for bad in random.random(rows) < 0.2]
    return Block(
        station="SE-Htm",
        series=series,
        start_us=start_us,
        offsets_s=np.arange(rows, dtype=np.float64) * 0.05,
        variables=(
            Variable("CO2", "µmol mol-1", co2),
            Variable("T_SONIC", "K", 280 + random.random(rows).round(2)),
        ),
        labels=(Label("CO2 QC Flag", flags, judges=("CO2",), bad=("4",)),),
        raw=None,
    )


def cut(whole: Block, borders: Sequence[int]) -> list[Block]:
    """A table cut at row numbers into blocks that follow one another; equal borders give blocks without rows."""
    edges = [0, *sorted(borders), whole.rows]
    return [
        replace(
            whole,
            offsets_s=whole.offsets_s[first:last],
            variables=tuple(replace(each, values=each.values[first:last]) for each in whole.variables),
            labels=tuple(replace(each, values=each.values[first:last]) for each in whole.labels),
        )
        for first, last in itertools.pairwise(edges)
    ]


def attempt_name(number: int) -> str:
    return hashlib.md5(str(number).encode()).hexdigest()


def sent(parts: Sequence[Block], *, attempt: int = 0, file: bytes | None = None, **fields: object) -> Sent:
    """The blocks with their close: a stream's batch, or with `file` a file's, whose bytes are dealt out to the blocks."""
    first = parts[0]
    if file is not None:
        piece = -(-len(file) // len(parts))
        parts = [replace(part, raw=file[at * piece : (at + 1) * piece]) for at, part in enumerate(parts)]
    bodies = tuple(blocks.encode(part) for part in parts)
    instants = [
        part.start_us + round(each * 1e6) for part in parts if part.start_us is not None for each in part.offsets_s
    ]
    start_us, stop_us = (min(instants), max(instants)) if instants else (None, None)
    if file is None:
        assert start_us is not None
        schema = schemas.current("MeasurementBlock")
        content = b"".join(container_chunks(schema, first.station, first.series, start_us, bodies))
        stem, extension, name = stream_stem(first.station, first.series, start_us), ".avro", None
    else:
        content, stem, extension, name = file, "day", ".csv", "day.csv"
    close = BatchClosed(
        station=first.station,
        series=first.series,
        stem=stem,
        extension=extension,
        name=name,
        attempt=attempt_name(attempt),
        count=len(parts),
        rows=sum(part.rows for part in parts),
        start_us=start_us,
        stop_us=stop_us,
        container_format=CONTAINER_AVRO if file is None else CONTAINER_FILE,
        schema_fingerprint=schemas.current("MeasurementBlock").fingerprint,
        content_digest=hashlib.sha256(b"".join(bodies)).hexdigest(),
        raw_sha256=hashlib.sha256(content).hexdigest(),
        raw_size_bytes=len(content),
        series_number=attempt,
        previous=None,
        input_format="stream" if file is None else "etc-biomet",
        software="b2stream/0.1.0",
    )
    return Sent(replace(close, **fields), bodies)  # type: ignore[arg-type]
