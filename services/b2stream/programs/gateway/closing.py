"""What a gateway makes of a file before it sends a byte: blocks, digests, and the close but for its place in the series.

A plan can be made again from the same file, and is the same if file, format and software read it alike; `same_blocks` says so. The
close gets its series number and the previous close's digest only when every block is acknowledged: then it is the next of its
series for certain.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from b2stream.batches.manifest import batch_of
from b2stream.batches.paths import split_name
from b2stream.contracts import blocks, schemas
from b2stream.contracts.canonical import EARLIEST_US, LATEST_US
from b2stream.contracts.records import CONTAINER_FILE, BatchClosed, Relation
from b2stream.formats.base import NotReadable, Reading, Station
from b2stream.formats.registry import OPAQUE, FileReading, read_file
from b2stream.programs.gateway.cutting import Cut, cut, cut_blocks
from b2stream.programs.gateway.snapshot import FileChanged, Snapshot
from b2stream.programs.gateway.watch import printable
from b2stream.software import software

NAME = "b2stream-gateway"
NOT_PLACED_YET = -1
LONGEST_TEXT_BYTES = 1_000
"""Of a note or a detail: what a file says of itself may be as long as the file, where it stands whole."""
OF_THE_FILE_BYTES = 32 << 10
"""What a close may say because of its file. In `LONGEST_CLOSE_BYTES` its sources have room beside that, and attempts it supersedes."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file, what was read out of it, and where it is cut."""

    station: str
    snapshot: Snapshot
    reading: FileReading
    cuts: tuple[Cut, ...]
    content_digest: str

    def bodies(self) -> Iterator[bytes]:
        """Record bodies of all blocks in sequence. Raises FileChanged at the end if the bytes on disk are no longer the snapshot's."""
        return _bodies(self.station, self.snapshot, self.reading, self.cuts)


def prepare(snapshot: Snapshot, station: Station, block_bytes: int, cuts: tuple[Cut, ...] | None = None) -> Prepared:
    """Read a file and cut it, or cut it as `cuts` say. Raises FileChanged, also where the cuts are not this file's."""
    assert station.station is not None
    reading = _writable(_read(snapshot, station), station.station, snapshot)
    if cuts is None:
        try:
            cuts = cut(station.station, reading.series, reading.reading, snapshot.size_bytes, block_bytes)
        except NotReadable as too_large:
            reading = _opaque(reading, too_large.reason, too_large.detail)
            cuts = cut(station.station, reading.series, None, snapshot.size_bytes, block_bytes)
    elif not cuts or cuts[-1] != Cut(reading.rows, snapshot.size_bytes):
        raise FileChanged(f"{snapshot.name} has {reading.rows} rows and {snapshot.size_bytes} bytes")
    digest = hashlib.sha256()
    for body in _bodies(station.station, snapshot, reading, cuts):
        digest.update(body)
    return Prepared(station.station, snapshot, reading, cuts, digest.hexdigest())


def draft(
    prepared: Prepared,
    attempt: str,
    window_s: int,
    relation: Relation | None = None,
    supersedes: tuple[str, ...] = (),
    sources: tuple[str, ...] = (),
    made_by: str | None = None,
) -> BatchClosed:
    """The close of a prepared file, without its place in the series (`NOT_PLACED_YET`). `sources` are PIDs, `made_by` is the
    software with version and commit, this one where it is not given.
    """
    reading = prepared.reading
    stem, extension = split_name(prepared.snapshot.name)
    start_us, stop_us = _span(reading.reading)
    notes = dict(reading.reading.notes) if reading.reading else {}
    if reading.names_station and reading.names_station != prepared.station:
        notes["names_station"] = reading.names_station
    return BatchClosed(
        station=prepared.station,
        series=reading.series,
        stem=stem,
        extension=extension,
        name=prepared.snapshot.name,
        attempt=attempt,
        count=len(prepared.cuts),
        rows=reading.rows,
        start_us=start_us,
        stop_us=stop_us,
        container_format=CONTAINER_FILE,
        schema_fingerprint=schemas.current("MeasurementBlock").fingerprint,
        content_digest=prepared.content_digest,
        raw_sha256=prepared.snapshot.raw_sha256,
        raw_size_bytes=prepared.snapshot.size_bytes,
        relation=relation,
        series_number=NOT_PLACED_YET,
        previous=None,
        supersedes=supersedes,
        input_format=reading.format,
        opaque_reason=reading.reason if reading.opaque else None,
        opaque_detail=_short(reading.detail) if reading.opaque else None,
        notes={printable(key): _short(text) for key, text in notes.items()},
        window_s=window_s,
        software=software(NAME) if made_by is None else made_by,
        sources=sources,
    )


def place(close: BatchClosed, last: tuple[int, str] | None) -> BatchClosed:
    """The close with its place behind `last`: number and digest of the series' latest close."""
    number, previous = (0, None) if last is None else (last[0] + 1, last[1])
    return replace(close, series_number=number, previous=previous)


def close_digest(close: BatchClosed) -> str:
    """What the next close of the series names as `previous`."""
    return hashlib.sha256(close.signed_bytes()).hexdigest()


def same_blocks(one: BatchClosed, other: BatchClosed) -> bool:
    """Whether two closes describe the same blocks of the same batch."""
    return batch_of(one) == batch_of(other) and (one.content_digest, one.schema_fingerprint, one.count) == (
        other.content_digest,
        other.schema_fingerprint,
        other.count,
    )


def _read(snapshot: Snapshot, station: Station) -> FileReading:
    if snapshot.content is not None:
        return read_file(snapshot.name, snapshot.content, station)
    return FileReading(OPAQUE, None, "too_large", f"{snapshot.size_bytes} bytes")


def _writable(reading: FileReading, station: str, snapshot: Snapshot) -> FileReading:
    """The reading, or opaque where the processor would refuse its blocks or its close: then the file would never be archived.

    Files hold sentinels for instants; a format of another package may give anything.
    """
    if reading.reading is None:
        return reading
    try:
        for instant_us in (reading.reading.start_us, *_span(reading.reading)):
            if instant_us is not None and not EARLIEST_US <= instant_us <= LATEST_US:
                return _opaque(reading, "time_out_of_range", f"an instant is {instant_us / 1e6:.0f} s after 1970")
        for text in _texts(reading.reading):
            text.encode()
        close = place(draft(Prepared(station, snapshot, reading, (), snapshot.raw_sha256), "0" * 32, 1_800), None)
        wrong = close.wrong()
        if (size_bytes := len(close.to_body())) > OF_THE_FILE_BYTES:
            wrong.append(f"notes: the close would have {size_bytes} bytes")
    except (UnicodeEncodeError, OverflowError) as error:
        wrong = [str(error)]
    return _opaque(reading, "format_error", ", ".join(wrong)) if wrong else reading


def _opaque(reading: FileReading, reason: str, detail: str) -> FileReading:
    return FileReading(OPAQUE, None, reason, f"{reading.format}: {detail}", reading.names_station)


def _texts(reading: Reading) -> Iterator[str]:
    """Everything that its blocks write as text."""
    for variable in reading.variables:
        yield from (variable.name, variable.unit)
    for label in reading.labels:
        yield from (label.name, *label.values, *label.judges, *label.bad)


def _short(text: str) -> str:
    """A text that a close can hold, cut where it is too long."""
    whole = printable(text).encode()
    if len(whole) <= LONGEST_TEXT_BYTES:
        return whole.decode()
    return whole[: LONGEST_TEXT_BYTES - len("…".encode())].decode(errors="ignore") + "…"


def _bodies(station: str, snapshot: Snapshot, reading: FileReading, cuts: tuple[Cut, ...]) -> Iterator[bytes]:
    digest = hashlib.sha256()
    pieces = snapshot.pieces(each.end_byte for each in cuts)
    for block in cut_blocks(station, reading.series, reading.reading, cuts, pieces):
        assert block.raw is not None
        digest.update(block.raw)
        yield blocks.encode(block)
    if digest.hexdigest() != snapshot.raw_sha256:
        raise FileChanged(snapshot.name)


def _span(reading: Reading | None) -> tuple[int | None, int | None]:
    """Earliest and latest instant, microseconds since 1970."""
    if reading is None or reading.rows == 0 or reading.start_us is None:
        return None, None
    earliest, latest = float(np.min(reading.offsets_s)), float(np.max(reading.offsets_s))
    return reading.start_us + round(earliest * 1e6), reading.start_us + round(latest * 1e6)
