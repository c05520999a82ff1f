"""Real batches for tests of the reader: a station's file or stream, examined and placed as the programs do, and its commit event."""

import hashlib

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
    return _archive(
        store,
        [block],
        content,
        stem=stem,
        extension=extension,
        name=name,
        container_format=CONTAINER_FILE,
        input_format=found.format,
        opaque_reason=found.reason,
        notes=dict(reading.notes) if reading else {},
    )


def archive_stream(store: ObjectStore, parts: list[Block]) -> BatchCommitted:
    """Place the slice of a stream, one block per message; its commit event."""
    station, series, start_us = parts[0].station, parts[0].series, parts[0].start_us
    assert start_us is not None
    pieces = container_chunks(SCHEMA, station, series, start_us, [blocks.encode(part) for part in parts])
    return _archive(
        store,
        parts,
        b"".join(pieces),
        stem=stream_stem(station, series, start_us),
        extension=".avro",
        name=None,
        container_format=CONTAINER_AVRO,
        input_format="stream",
        opaque_reason=None,
        notes={},
    )


def _archive(
    store: ObjectStore,
    parts: list[Block],
    data: bytes,
    *,
    stem: str,
    extension: str,
    name: str | None,
    container_format: int,
    input_format: str,
    opaque_reason: str | None,
    notes: dict[str, str],
) -> BatchCommitted:
    bodies = [blocks.encode(part) for part in parts]
    sha256 = hashlib.sha256(data).hexdigest()
    instants = np.concatenate([instants_us(part) for part in parts if part.rows] or [np.empty(0, np.int64)])
    close = BatchClosed(
        station=parts[0].station,
        series=parts[0].series,
        stem=stem,
        extension=extension,
        name=name,
        attempt="a" * 32,
        count=len(parts),
        rows=sum(part.rows for part in parts),
        start_us=int(instants.min()) if len(instants) else None,
        stop_us=int(instants.max()) if len(instants) else None,
        container_format=container_format,
        schema_fingerprint=SCHEMA.fingerprint,
        content_digest=hashlib.sha256(b"".join(bodies)).hexdigest(),
        raw_sha256=sha256,
        raw_size_bytes=len(data),
        series_number=0,
        previous=None,
        input_format=input_format,
        opaque_reason=opaque_reason,
        notes=notes,
    )
    examination = Examination(close)
    for body in bodies:
        examination.take(Framed(SCHEMA, memoryview(body)))
    log = InLog("topic-id", 0, ((0, len(parts) - 1),), len(parts), 1_780_000_000_000_000)
    manifest = build_manifest(close, examination.result(), log)
    paths = paths_of(close)
    placing = Placing(store, Writer(), close.attempt, clock=StoppableClock())
    placing.place_pair(
        NewObject.of(paths.data_object, data), NewObject.of(paths.manifest, manifest), lambda other: False
    )
    return BatchCommitted(
        batch=batch_of(close),
        station=close.station,
        series=close.series,
        stem=stem,
        name=name,
        id24=id24(sha256),
        rows=close.rows,
        start_us=close.start_us,
        stop_us=close.stop_us,
        input_format=input_format,
        container_format=container_format,
        centre=store.centre,
        url=store.url(paths.data_object),
        path=paths.data_object,
        size_bytes=len(data),
        sha256=sha256,
        manifest_path=paths.manifest,
        manifest_size_bytes=len(manifest),
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        content_digest=close.content_digest,
        series_number=0,
        attempt=close.attempt,
        topic_id="topic-id",
        partition=0,
        close_offset=len(parts),
        closed_at_us=log.closed_at_us,
        committed_at_us=log.closed_at_us + 300_000,
        software="test",
    )
