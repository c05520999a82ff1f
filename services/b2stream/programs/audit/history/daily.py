"""What happened to objects on one day, archived: one W3C PROV document per station below `.provenance/`, at both centres.

A function of the log alone, so whoever archives a day again brings the same bytes to the same path, and finds them there.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

from b2stream.archive.placing import NewObject, Placing, Writer
from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import Clock
from b2stream.batches.history import history, joined
from b2stream.batches.identity import id24, sha256_hex
from b2stream.contracts.canonical import canonical_json
from b2stream.contracts.records import BatchCommitted, BatchReplicated, ObjectEvent
from b2stream.errors import ConfigurationError
from b2stream.programs.audit.events import INGESTION
from b2stream.software import software

FOLDER = ".provenance"
NAME = "b2stream-archive-provenance"
SETTLED_AFTER = timedelta(hours=1)
"""So long after midnight UTC a day is over: every program has told what it did."""


@dataclass(frozen=True, slots=True)
class Archived:
    """One station's document at one centre; `sha256` is hex."""

    centre: str
    path: str
    was_there: bool
    size_bytes: int
    sha256: str

    def event(self, station: str, day: date, at_us: int, who: str) -> ObjectEvent:
        """What tells an audit that it was there; without a batch, because it has no provenance of its own."""
        return ObjectEvent(
            event=INGESTION,
            outcome="success",
            station=station,
            path=self.path,
            centre=self.centre,
            at_us=at_us,
            sha256=self.sha256,
            size_bytes=self.size_bytes,
            detail=f"what happened on {day}",
            who=who,
            software=software(NAME),
        )


class Events(Protocol):
    """The part of `log.Log` that is needed here."""

    def commits(self) -> Iterator[BatchCommitted]: ...

    def replicas(self) -> Iterator[BatchReplicated]: ...

    def object_events(self) -> Iterator[ObjectEvent]: ...


def check_day(day: date, now: datetime) -> None:
    """Raises ConfigurationError for a day that is not over: its document would change."""
    if datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) + SETTLED_AFTER > now:
        raise ConfigurationError(f"{day} is not over: a day is archived {SETTLED_AFTER} after its end, UTC")


def documents(log: Events, day: date) -> dict[str, dict[str, Any]]:
    """By station, PROV-JSON of every commit, replication, check and repair of a day (UTC). Raises Retryable."""
    begin_us = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
    end_us = begin_us + 86_400 * 1_000_000
    replicas: dict[str, list[BatchReplicated]] = defaultdict(list)
    for replica in log.replicas():
        if begin_us <= replica.replicated_at_us < end_us:
            replicas[replica.commit.batch].append(replica)
    events: dict[str, list[ObjectEvent]] = defaultdict(list)
    for event in log.object_events():
        if event.batch is not None and begin_us <= event.at_us < end_us:
            events[event.batch].append(event)
    found: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    seen: set[str] = set()
    for commit in log.commits():
        is_of_the_day = begin_us <= commit.committed_at_us < end_us
        if commit.batch in seen or not (is_of_the_day or commit.batch in replicas or commit.batch in events):
            continue
        seen.add(commit.batch)  # the earliest event of a batch counts
        one = history(commit, replicas[commit.batch], events[commit.batch])
        found[commit.station].append((commit.batch, one))
    return {station: joined(*(one for _, one in sorted(parts))) for station, parts in found.items()}


def stem_of(station: str, day: date) -> str:
    """What the paths of a day's documents of a station begin with; a tilde and characters of their own checksum follow."""
    return f"{FOLDER}/{station}/{day:%Y}/{day:%m}/{station}_{day:%Y%m%d}"


def archive(
    document: dict[str, Any], station: str, day: date, store: ObjectStore, writer: Writer, clock: Clock
) -> Archived:
    """Place a station's document at a centre, verified; or find it there. Raises Retryable, Stuck."""
    content = canonical_json(document)
    suffix = id24(sha256_hex(content))[:12]
    path = f"{stem_of(station, day)}~{suffix}.prov.json"
    new = NewObject.of(path, content)
    state = store.describe(path)
    if state is not None and state.is_exactly(new.size_bytes, new.sha256):
        return Archived(store.centre, path, True, new.size_bytes, new.sha256)
    placing = Placing(store, writer, "provenance", clock=clock)
    try:
        placing.place_data_object(placing.stage_object(new), new)
    except Exception:
        placing.give_up()
        raise
    return Archived(store.centre, path, False, new.size_bytes, new.sha256)
