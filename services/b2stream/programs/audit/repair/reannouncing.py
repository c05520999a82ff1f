"""Commit events made again from the manifests: for a log that was lost, and for a manifest whose event never came.

Only what verifies at the first centre is announced (I5), and only where the second centre, if it has the manifest at all, has the same
one: after the log was lost the first announcement decides what is right, and not everything in a manifest is signed. Consumers
recognise a repeat by the state that they find, so announcing what was announced before changes nothing.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from b2stream.archive.announcing import commit_event
from b2stream.archive.placing import PlacedObject, PlacedPair
from b2stream.archive.store import ObjectStore
from b2stream.batches.identity import sha256_hex
from b2stream.batches.manifest import read_manifest
from b2stream.batches.paths import MANIFEST_SUFFIX
from b2stream.contracts import schemas, topics
from b2stream.contracts.envelopes import Headers, event_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchCommitted, ObjectEvent, Record
from b2stream.contracts.stations import UNDESCRIBED, Described
from b2stream.errors import DamagedObject, MissingObject, Stuck
from b2stream.programs.audit.acknowledged import WITHIN_S, wait_for
from b2stream.programs.audit.gathering.walking import SignatureCheck, no_signature_check
from b2stream.software import software, who_runs_this

NAME = "b2stream-reannounce"
Copies = Callable[[str, str], int | None]
"""How many copies the policy demands, by station and series."""
Descriptions = Callable[[str, str], Described]
"""What a station's description says now, by station and series."""

_AT_ONCE = 256
_THREADS = 4


class Publisher(Protocol):
    """The part of `b2stream.kafka.Producer` that is needed here."""

    def publish(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> "Future[Any]": ...


@dataclass(frozen=True, slots=True)
class Announcer:
    """Publishes records where the community's programs look for them."""

    publisher: Publisher
    framing: Framing
    community: str
    partitions: int

    def announce(self, event: BatchCommitted) -> "Future[Any]":
        """Publish a commit event."""
        return self.publish(topics.COMMITS, event, event.station, event.batch, f"{event.station}/{event.series}")

    def publish(self, topic: topics.Topic, record: Record, station: str, identity: str, subject: str) -> "Future[Any]":
        """Publish a record, keyed by its station."""
        value = self.framing.frame(schemas.current(record.SCHEMA), record.to_body())
        headers = event_headers(record.SCHEMA, identity, subject, source="audit")
        partition = partition_of(station, self.partitions)
        return self.publisher.publish(topic.full_name(self.community), partition, station.encode(), value, headers)

    def tell(
        self,
        event: ObjectEvent,
        identity: str = "",
        within_s: float = WITHIN_S,
        stopping: threading.Event | None = None,
    ) -> None:
        """Publish what was done to an object, and wait as `wait_for` does. An event that may come twice needs an `identity` of its own.

        Raises Retryable, Poison.
        """
        identity = identity or f"{event.centre}/{event.path}/{event.event}/{event.at_us}"
        published = self.publish(topics.EVENTS, event, event.station, identity, event.path)
        wait_for(published, event.path, within_s, stopping)


@dataclass(frozen=True, slots=True)
class Announced:
    """What became of one manifest: `trouble` says why its batch was not announced."""

    manifest_path: str
    batch: str = ""
    trouble: str = ""


def reannounce(
    store: ObjectStore,
    announcer: Announcer,
    *,
    second: ObjectStore | None = None,
    prefix: str = "",
    policy: str | None = None,
    copies: Copies = lambda station, series: None,
    described: Descriptions = lambda station, series: UNDESCRIBED,
    check_signature: SignatureCheck = no_signature_check,
    folder: str = "",
    is_wanted: Callable[[str], bool] = lambda manifest_path: True,
    now_s: Callable[[], float] = time.time,
    acknowledged_within_s: float = WITHIN_S,
) -> Iterator[Announced]:
    """Announce each batch below `folder` whose manifest and data object verify at the first centre, which is `store`, unless the
    second centre has another manifest in its place.

    In order of series and number as far as one page of the listing goes; memory is bounded. Raises Retryable, Fatal.
    """
    paths = (state.path for state in store.list(folder) if state.path.endswith(MANIFEST_SUFFIX))
    wanted = (path for path in paths if not path.startswith(".") and is_wanted(path))
    with ThreadPoolExecutor(_THREADS, "manifests") as threads:
        while page := list(islice(wanted, _AT_ONCE)):
            now_us = int(now_s() * 1e6)
            found = list(
                threads.map(
                    lambda path, at_us=now_us: _event(
                        store, second, path, prefix, at_us, policy, copies, described, check_signature
                    ),
                    page,
                )
            )
            events = [event for event in found if isinstance(event, BatchCommitted)]
            events.sort(key=lambda event: (event.station, event.series, event.series_number))
            waiting = [announcer.announce(event) for event in events]
            for event, published in zip(events, waiting, strict=True):
                wait_for(published, event.path, acknowledged_within_s)
            yield from (Announced(event.manifest_path, event.batch) for event in events)
            yield from (each for each in found if isinstance(each, Announced))


def _event(
    store: ObjectStore,
    second: ObjectStore | None,
    manifest_path: str,
    prefix: str,
    now_us: int,
    policy: str | None,
    copies: Copies,
    described: Descriptions,
    check_signature: SignatureCheck,
) -> BatchCommitted | Announced:
    """The commit event, if manifest and data object are what they say."""
    path = manifest_path.removesuffix(MANIFEST_SUFFIX)
    try:
        content = b"".join(store.read(manifest_path))
        manifest = read_manifest(content)
        if manifest.document["data_object"]["path"] != path:
            raise DamagedObject(f"it speaks of {manifest.document['data_object']['path']}")
        close = manifest.close
        if (forged := check_signature(close, manifest.log.closed_at_us)) is not None:
            return Announced(manifest_path, trouble=f"its station did not sign it: {forged}")
        folder, _, name = path.rpartition("/")
        states = {state.path: state for state in store.find(folder, name, name + MANIFEST_SUFFIX)}
        pair = PlacedPair(
            PlacedObject(path, close.raw_size_bytes, close.raw_sha256),
            PlacedObject(manifest_path, len(content), sha256_hex(content)),
        )
        for placed in (pair.data_object, pair.manifest):
            state = states.get(placed.path)
            if state is None:
                raise MissingObject(placed.path)
            if not state.is_exactly(placed.size_bytes, placed.sha256):
                raise DamagedObject(f"{placed.path} is not what its manifest says")
        if second is not None and (trouble := _difference(store, second, pair.manifest)) is not None:
            return Announced(manifest_path, manifest.batch, f"batch {manifest.batch}: {trouble}")
    except Stuck as error:
        return Announced(manifest_path, trouble=str(error))
    series = close.station, close.series
    return commit_event(
        manifest,
        pair,
        store,
        prefix,
        now_us,
        software(NAME),
        policy,
        copies(*series),
        who=who_runs_this(),
        described=described(*series),
    )


def _difference(first: ObjectStore, second: ObjectStore, manifest: PlacedObject) -> str | None:
    """How the second centre's manifest differs from the first's; None where it does not, or is not there."""
    other = second.describe(manifest.path)
    if other is None or other.is_exactly(manifest.size_bytes, manifest.sha256):
        return None
    there = f"{second.centre} {other.sha256 or 'none'}, {other.status.value}"
    return f"the centres' manifests differ (SHA-256: {first.centre} {manifest.sha256}; {there}); neither is announced"
