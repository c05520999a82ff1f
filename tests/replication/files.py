"""Real batches for tests of the reader: a station's file or stream, examined and placed as the programs do, and its commit event."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from b2stream.archive.placing import NewObject, Placing, Writer
from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import StoppableClock
from b2stream.batches.container import container_chunks
from b2stream.batches.examining import Examination
from b2stream.batches.identity import id24
from b2stream.batches.manifest import InLog, batch_of, build_manifest, paths_of
from b2stream.batches.paths import split_name, stream_stem
from b2stream.batches.summary import instants_us
from b2stream.contracts import blocks, schemas
from b2stream.contracts.blocks import Block, Label, Variable
from b2stream.contracts.framing import Framed
from b2stream.contracts.records import CONTAINER_AVRO, CONTAINER_FILE, BatchClosed, BatchCommitted
from b2stream.formats.base import Station
from b2stream.formats.registry import read_file

SCHEMA = schemas.current("MeasurementBlock")


@dataclass(frozen=True)
class _Source:
    """What a station makes a batch of: its blocks, the bytes of the data object, and what its close says of them."""

    parts: list[Block]
    data: bytes
    stem: str
    extension: str
    name: str | None
    container_format: int
    input_format: str
    opaque_reason: str | None
    notes: Mapping[str, str]


def archive_file(
    store: ObjectStore, name: str, content: bytes, station: str, utc_offset_h: float | None = None
) -> BatchCommitted:
    """Place a file as gateway and processor do, in one block; its commit event."""
    found = read_file(name, content, Station(station, utc_offset_h))
    reading = found.reading
    block = Block(
        station,
        found.series,
        reading.start_us if reading else None,
        reading.offsets_s if reading else np.empty(0),
        tuple(Variable(each.name, each.unit, each.values) for each in reading.variables) if reading else (),
        tuple(Label(each.name, each.values, each.judges, each.bad) for each in reading.labels) if reading else (),
        content,
    )
    stem, extension = split_name(name)
    notes = dict(reading.notes) if reading else {}
    source = _Source([block], content, stem, extension, name, CONTAINER_FILE, found.format, found.reason, notes)
    return _archive(store, source)


def archive_stream(store: ObjectStore, parts: list[Block]) -> BatchCommitted:
    """Place the slice of a stream, one block per message; its commit event."""
    station, series, start_us = parts[0].station, parts[0].series, parts[0].start_us
    assert start_us is not None
    data = b"".join(container_chunks(SCHEMA, station, series, start_us, [blocks.encode(part) for part in parts]))
    stem = stream_stem(station, series, start_us)
    return _archive(store, _Source(parts, data, stem, ".avro", None, CONTAINER_AVRO, "stream", None, {}))


def _archive(store: ObjectStore, source: _Source) -> BatchCommitted:
    """Examine and place a batch as the processor does."""
    bodies = [blocks.encode(part) for part in source.parts]
    close = _close_of(source, bodies)
    examination = Examination(close)
    for body in bodies:
        examination.take(Framed(SCHEMA, memoryview(body)))
    log = InLog("topic-id", 0, ((0, close.count - 1),), close.count, 1_780_000_000_000_000)
    manifest = build_manifest(close, examination.result(), log)
    paths = paths_of(close)
    Placing(store, Writer(), close.attempt, clock=StoppableClock()).place_pair(
        NewObject.of(paths.data_object, source.data), NewObject.of(paths.manifest, manifest), lambda other: False
    )
    return _commit_of(close, log, store, manifest)


def _close_of(source: _Source, bodies: list[bytes]) -> BatchClosed:
    """The station's word that the batch is complete."""
    instants = np.concatenate([instants_us(part) for part in source.parts if part.rows] or [np.empty(0, np.int64)])
    return BatchClosed(
        station=source.parts[0].station,
        series=source.parts[0].series,
        stem=source.stem,
        extension=source.extension,
        name=source.name,
        attempt="a" * 32,
        count=len(bodies),
        rows=sum(part.rows for part in source.parts),
        start_us=int(instants.min()) if len(instants) else None,
        stop_us=int(instants.max()) if len(instants) else None,
        container_format=source.container_format,
        schema_fingerprint=SCHEMA.fingerprint,
        content_digest=hashlib.sha256(b"".join(bodies)).hexdigest(),
        raw_sha256=hashlib.sha256(source.data).hexdigest(),
        raw_size_bytes=len(source.data),
        series_number=0,
        previous=None,
        input_format=source.input_format,
        opaque_reason=source.opaque_reason,
        notes=dict(source.notes),
    )


def _commit_of(close: BatchClosed, log: InLog, store: ObjectStore, manifest: bytes) -> BatchCommitted:
    """The event of a batch that is in place, as the processor writes it."""
    paths = paths_of(close)
    return BatchCommitted(
        batch=batch_of(close),
        station=close.station,
        series=close.series,
        stem=close.stem,
        name=close.name,
        id24=id24(close.raw_sha256),
        rows=close.rows,
        start_us=close.start_us,
        stop_us=close.stop_us,
        input_format=close.input_format,
        container_format=close.container_format,
        centre=store.centre,
        url=store.url(paths.data_object),
        path=paths.data_object,
        size_bytes=close.raw_size_bytes,
        sha256=close.raw_sha256,
        manifest_path=paths.manifest,
        manifest_size_bytes=len(manifest),
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        content_digest=close.content_digest,
        series_number=close.series_number,
        attempt=close.attempt,
        topic_id=log.topic_id,
        partition=log.partition,
        close_offset=log.close_offset,
        closed_at_us=log.closed_at_us,
        committed_at_us=log.closed_at_us + 300_000,
        software="test",
    )
