"""What the tables of the index hold of the records in the log."""

import contextlib
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from b2stream.batches.manifest import batch_of, paths_of
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import BatchClosed, BatchCommitted, BatchRepeated, ObjectEvent
from b2stream.errors import Poison
from b2stream.programs.audit.gathering.index import Index

Superseding = BatchClosed | BatchCommitted
"""What has station, series, number and attempt of a close, and the attempts that it supersedes."""


def repeated_close(record: BatchRepeated) -> BatchClosed:
    """The close that a repeat holds. Raises Poison where it is none."""
    try:
        value = json.loads(record.close)
        close = BatchClosed.from_json(value, value.pop("signature", None))
        paths_of(close)
        return close
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Poison(f"BatchRepeated: {error!r}", reason="bad_close") from error


def aside_of(event: ObjectEvent) -> str:
    """Where in quarantine the copy lies that an event tells of."""
    return event.detail.removeprefix("moved to ").partition(";")[0]


def pid_of(event: ObjectEvent) -> str:
    """The PID whose record was written, of an event that tells so."""
    return event.detail.removeprefix("PID record ").partition(": ")[0]


def note_day(index: Index, station: str, at_us: int) -> None:
    """Something happened to one of the station's objects on that day, UTC; an instant that no calendar has is passed over."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        day = f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y%m%d}"
        index.put("active", [{"station": station, "day": day}])


def commit_row(event: BatchCommitted, message: LogMessage) -> dict[str, Any]:
    """A commit event as a row of the table `committed`."""
    names = ("batch", "station", "series", "attempt", "path", "size_bytes", "sha256", "id24", "pid", "url", "stop_us")
    of_manifest = ("manifest_path", "manifest_size_bytes", "manifest_sha256")
    more = ("closed_at_us", "policy", "copies", "topic_id")
    return {
        **{name: getattr(event, name) for name in (*names, *of_manifest, *more)},
        "number": event.series_number,
        "partition": message.partition,
        "offset": message.offset,
        "appended_at_us": message.appended_at_us,
    }


def note_superseded(index: Index, record: BatchCommitted | BatchRepeated, close: Superseding) -> None:
    """Attempts that came to their end with a batch that is archived: its own, and those that its close says it supersedes."""
    whose = {"station": close.station, "series": close.series}
    by = {"by_number": close.series_number, "by_topic": record.topic_id, "by_partition": record.partition}
    index.put("superseded", ({"attempt": attempt, **whose, **by} for attempt in close.supersedes), keep_first=True)
    index.put("superseded", [{"attempt": close.attempt, **whose}], keep_first=True)


def link(index: Index, close: BatchClosed, source: str, topic_id: str, *, is_its_own: bool = True) -> None:
    """A close as a link of its series' chain; `source` is where it was found, `topic_id` Kafka's of the topic that it was sent to.

    One that nobody can tell to be its station's own is only claimed, until the chain itself proves it (`judging/chains.py`).
    """
    row = {
        "station": close.station,
        "series": close.series,
        "number": close.series_number,
        "digest": hashlib.sha256(close.signed_bytes()).hexdigest(),
        "previous": close.previous,
        "batch": batch_of(close),
        "stop_us": close.stop_us,
        "source": source,
        "attempt": close.attempt,
        "topic_id": topic_id,
    }
    index.put("link" if is_its_own else "claimed", [row], keep_first=True)
