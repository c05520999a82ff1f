"""Committed batches for tests of replicator and reader: a data object, a manifest, and the commit event that names both."""

import hashlib
import json
from dataclasses import replace

from b2stream.archive.placing import NewObject, Placing, Writer
from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import StoppableClock
from b2stream.batches.identity import batch_id, id24
from b2stream.batches.paths import batch_paths
from b2stream.contracts import schemas
from b2stream.contracts.envelopes import Headers, event_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchCommitted

START_US = 1_780_000_000_000_000
PARTITIONS = 3


def committed(number: int, content: bytes, station: str = "SE-Htm") -> BatchCommitted:
    """The commit event of batch `number` of a station, as a processor writes it."""
    sha256 = hashlib.sha256(content).hexdigest()
    stem = f"wind_{number:05d}"
    paths = batch_paths(station, "EC_L99_F01", stem, ".csv", sha256, START_US)
    batch = batch_id(station, "EC_L99_F01", stem, sha256)
    manifest = manifest_of(batch, content)
    return BatchCommitted(
        batch=batch,
        station=station,
        series="EC_L99_F01",
        stem=stem,
        name=f"{stem}.csv",
        id24=id24(sha256),
        rows=0,
        start_us=START_US,
        stop_us=START_US,
        input_format="opaque",
        container_format=0,
        centre="csc",
        url=f"memory://csc/{paths.data_object}",
        path=paths.data_object,
        size_bytes=len(content),
        sha256=sha256,
        manifest_path=paths.manifest,
        manifest_size_bytes=len(manifest),
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        content_digest="0" * 64,
        series_number=number,
        attempt=f"{number:032x}",
        topic_id="topic-id",
        partition=0,
        close_offset=number,
        closed_at_us=START_US,
        committed_at_us=START_US,
        software="test",
    )


def manifest_of(batch: str, content: bytes) -> bytes:
    """Bytes that stand for a manifest: only what a download compares."""
    data_object = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    return json.dumps({"batch": batch, "data_object": data_object}).encode()


def archive(store: ObjectStore, number: int, content: bytes, station: str = "SE-Htm") -> BatchCommitted:
    """Place batch `number` at a centre by the only way there is; its commit event."""
    commit = committed(number, content, station)
    placing = Placing(store, Writer(), commit.attempt, clock=StoppableClock())
    data_object = NewObject.of(commit.path, content)
    placing.place_pair(
        data_object, NewObject.of(commit.manifest_path, manifest_of(commit.batch, content)), lambda other: False
    )
    return replace(commit, url=store.url(commit.path))


def event_value(commit: BatchCommitted) -> bytes:
    """The commit event as it stands in the log."""
    return Framing().frame(schemas.current("BatchCommitted"), commit.to_body())


def event_header_list(commit: BatchCommitted) -> Headers:
    """Its headers."""
    return event_headers("BatchCommitted", commit.batch, f"{commit.station}/{commit.series}", source="processor")


def event_partition(commit: BatchCommitted) -> int:
    """Where its station's events are."""
    return partition_of(commit.station, PARTITIONS)
