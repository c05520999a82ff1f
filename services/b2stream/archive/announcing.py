"""The commit event of a batch that is in place: what its manifest says, and where both objects lie.

The processor publishes it once; `reannounce` publishes it again where the log was lost. What is published again says nothing of when
bytes were read: the catalogues alone were asked, perhaps years later.
"""

from b2stream.archive.placing import PlacedPair
from b2stream.archive.store import ObjectStore
from b2stream.batches.identity import id24
from b2stream.batches.manifest import Manifest
from b2stream.contracts.records import BatchCommitted, BatchReplicated
from b2stream.contracts.stations import UNDESCRIBED, Described

REANNOUNCE, REPAIR = "b2stream-reannounce", "b2stream-repair"
"""Whose commit events are no first ones, as their `software` names them."""


def commit_event(
    manifest: Manifest,
    pair: PlacedPair,
    store: ObjectStore,
    prefix: str,
    committed_at_us: int,
    software: str,
    policy: str | None,
    copies: int | None = None,
    *,
    who: str | None = None,
    described: Described = UNDESCRIBED,
) -> BatchCommitted:
    """The commit event. `prefix` is the first centre's handle prefix, `software` what says so and `who` ran it, `policy` under which
    policies, which demand so many `copies`; `described` is what the station's description says of the series now."""
    close, suffix = manifest.close, id24(manifest.close.raw_sha256)
    return BatchCommitted(
        batch=manifest.batch,
        station=close.station,
        series=close.series,
        stem=close.stem,
        name=close.name,
        id24=suffix,
        pid=f"{prefix}/{suffix}" if prefix else None,
        rows=close.rows,
        start_us=close.start_us,
        stop_us=close.stop_us,
        input_format=close.input_format,
        container_format=close.container_format,
        centre=store.centre,
        url=store.url(pair.data_object.path),
        path=pair.data_object.path,
        size_bytes=pair.data_object.size_bytes,
        sha256=pair.data_object.sha256,
        manifest_path=pair.manifest.path,
        manifest_size_bytes=pair.manifest.size_bytes,
        manifest_sha256=pair.manifest.sha256,
        content_digest=close.content_digest,
        relation=close.relation,
        series_number=close.series_number,
        attempt=close.attempt,
        supersedes=close.supersedes,
        topic_id=manifest.log.topic_id,
        partition=manifest.log.partition,
        close_offset=manifest.log.close_offset,
        closed_at_us=manifest.log.closed_at_us,
        committed_at_us=committed_at_us,
        software=software,
        policy=policy,
        copies=copies,
        who=who,
        theme=described.theme,
        data_level=described.data_level,
    )


def is_published_again(commit: BatchCommitted) -> bool:
    """Whether a commit event was made from a manifest that was in place long before."""
    return commit.software.partition(" ")[0] in (REANNOUNCE, REPAIR)


def committed_us(commit: BatchCommitted) -> int:
    """When the bytes at the first centre verified, in microseconds; of an event that was published again, the earliest that can be."""
    return commit.closed_at_us if is_published_again(commit) else commit.committed_at_us


def replicated_us(replica: BatchReplicated) -> int:
    """When the copy verified, in microseconds; after a commit event that was published again, the earliest that can be."""
    return replica.commit.closed_at_us if is_published_again(replica.commit) else replica.replicated_at_us
