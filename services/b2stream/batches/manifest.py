"""The manifest: canonical JSON (RFC 8785) beside the data object, placed last; with it the batch is committed.

It is a function of the log and of the versions written in it: no time, host or software of the commit. Another
interleaving, a resent tail or other offsets change only the member `log`.
"""

import json
from dataclasses import dataclass
from typing import Any

from b2stream.batches.examining import Examined
from b2stream.batches.identity import batch_id, id24
from b2stream.batches.paths import BatchPaths, batch_paths
from b2stream.batches.provenance import acquisition_and_submission
from b2stream.batches.summary import Summary
from b2stream.contracts.canonical import canonical_json, from_iso_utc, iso_utc
from b2stream.contracts.records import BatchClosed
from b2stream.errors import DamagedObject, Poison

FORMAT = 1


@dataclass(frozen=True, slots=True)
class InLog:
    """Where a batch lies in the log: `blocks` are (first, last) offsets of runs, in order of offset."""

    topic_id: str
    partition: int
    blocks: tuple[tuple[int, int], ...]
    close_offset: int
    closed_at_us: int

    def to_json(self) -> dict[str, Any]:
        return {
            "topic_id": self.topic_id,
            "partition": self.partition,
            "blocks": [list(run) for run in self.blocks],
            "close_offset": self.close_offset,
            "closed_at": iso_utc(self.closed_at_us),
        }


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest in an archive says."""

    batch: str
    close: BatchClosed
    log: InLog
    document: dict[str, Any]

    def summary(self) -> Summary:
        """The summary as it stands there."""
        found = self.document["summary"]
        windows = [{**window, "start": from_iso_utc(window["start"])} for window in found["windows"]]
        return Summary(found["window_s"], windows, found["omitted"], found["rule"])


def build_manifest(close: BatchClosed, examined: Examined, log: InLog, data_path: str | None = None) -> bytes:
    """The manifest's bytes. `data_path` is given where the data object lies already, maybe in another month."""
    batch = batch_of(close)
    return canonical_json(
        {
            "manifest_format": FORMAT,
            "batch": batch,
            "close": close.to_json(),
            "signature": close.signature,
            "data_object": {
                "path": data_path or paths_of(close).data_object,
                "size_bytes": close.raw_size_bytes,
                "sha256": close.raw_sha256,
                "id24": id24(close.raw_sha256),
                "container_format": close.container_format,
            },
            "variables": [
                {"name": name, "unit": unit, "readings": readings} for name, unit, readings in examined.variables
            ],
            "labels": examined.labels,
            "summary": examined.summary.to_json(iso_utc),
            "provenance": acquisition_and_submission(close, batch),
            "log": log.to_json(),
        }
    )


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest. Raises DamagedObject where it is not one, or does not agree with itself."""
    try:
        document = json.loads(data)
        close = BatchClosed.from_json(document["close"], document["signature"])
        log = document["log"]
        in_log = InLog(
            log["topic_id"],
            log["partition"],
            tuple((first, last) for first, last in log["blocks"]),
            log["close_offset"],
            from_iso_utc(log["closed_at"]),
        )
        wrong = close.wrong()
        data_object = document["data_object"]
        named = document["batch"], data_object["sha256"], data_object["size_bytes"]
        closed = batch_of(close), close.raw_sha256, close.raw_size_bytes
        close.signed_bytes()  # what cannot be written as canonical JSON was never signed
        str(data_object["path"])
    except (ValueError, KeyError, TypeError, RecursionError, Poison) as error:
        raise DamagedObject(f"not a manifest: {error!r}") from error
    if wrong:
        raise DamagedObject(f"the manifest's close says {', '.join(wrong)}")
    if named != closed:
        raise DamagedObject(f"the manifest names {named}, its close is of {closed}")
    return Manifest(named[0], close, in_log, document)


def batch_of(close: BatchClosed) -> str:
    """The batch id of a close."""
    return batch_id(close.station, close.series, close.stem + close.extension, close.raw_sha256)


def paths_of(close: BatchClosed) -> BatchPaths:
    """The paths of a close's batch. Raises Poison (reason `bad_name` or `bad_start`)."""
    return batch_paths(close.station, close.series, close.stem, close.extension, close.raw_sha256, close.start_us)
