"""A commit event and its replica event, as the tests of this folder need them."""

import hashlib
from dataclasses import replace
from typing import Any

from b2stream.batches.identity import id24
from b2stream.contracts.records import BatchCommitted, BatchReplicated

FOLDER = "SE-Htm/EC_L99_F01/2026/07"


def commit(content: bytes = b"wind", stem: str = "day", **other: Any) -> BatchCommitted:
    """The commit event of a content under a name, at the centre csc."""
    sha256 = hashlib.sha256(content).hexdigest()
    path = f"{FOLDER}/{stem}~{id24(sha256)[:12]}.csv"
    event = BatchCommitted(
        batch=hashlib.sha256(stem.encode() + content).hexdigest(),
        station="SE-Htm",
        series="EC_L99_F01",
        stem=stem,
        name=f"{stem}.csv",
        id24=id24(sha256),
        rows=36_000,
        start_us=1_709_288_100_000_000,
        stop_us=1_709_289_899_950_000,
        input_format="etc-eddy-covariance",
        container_format=0,
        centre="csc",
        url=f"irods://csc:1247/cscZone/home/icos/{path}",
        path=path,
        size_bytes=len(content),
        sha256=sha256,
        manifest_path=path + ".manifest.json",
        manifest_size_bytes=8,
        manifest_sha256="a" * 64,
        content_digest="c" * 64,
        series_number=7,
        attempt="0" * 32,
        topic_id="xBUJ0zq9S3mZ1n2y3w4v5A",
        partition=3,
        close_offset=99,
        closed_at_us=1_709_289_900_123_000,
        committed_at_us=1_709_289_901_000_000,
        software="b2stream-processor",
    )
    return replace(event, **other)


def replicated(event: BatchCommitted, **other: Any) -> BatchReplicated:
    """Its replica event, at the centre fzj."""
    made = BatchReplicated(
        commit=event,
        centre="fzj",
        url=event.url.replace("csc", "fzj"),
        replicated_at_us=event.committed_at_us + 2_000_000,
        software="b2stream-replicator",
    )
    return replace(made, **other)
