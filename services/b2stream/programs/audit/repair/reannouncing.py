"""Commit events made again from the manifests: for a log that was lost, and for a manifest whose event never came.

Only what verifies at the first centre is announced (I5), and only where the second centre, if it has the manifest at all, has the same
one: after the log was lost the first announcement decides what is right, and not everything in a manifest is signed. Consumers
recognise a repeat by the state that they find, so announcing what was announced before changes nothing.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from b2stream.archive.announcing import REANNOUNCE, commit_event
from b2stream.archive.placing import PlacedObject, PlacedPair
from b2stream.archive.store import ObjectStore
from b2stream.batches.identity import sha256_hex
from b2stream.batches.manifest import Manifest, read_manifest
from b2stream.batches.paths import MANIFEST_SUFFIX
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed, BatchCommitted
from b2stream.contracts.stations import UNDESCRIBED, Described
from b2stream.errors import DamagedObject, MissingObject, Stuck
from b2stream.policies import policies_of
from b2stream.programs.audit.acknowledged import WITHIN_S, wait_for
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.gathering.origins import known_stations, signature_check
from b2stream.programs.audit.gathering.walking import SignatureCheck, no_signature_check, read_document
from b2stream.settings import Settings
from b2stream.software import software, who_runs_this

NAME = REANNOUNCE
Copies = Callable[[str, str], int | None]
"""How many copies the policy demands, by station and series."""
Descriptions = Callable[[str, str], Described]
"""What a station's description says now, by station and series."""

_AT_ONCE = 256
_THREADS = 4


@dataclass(frozen=True, slots=True)
class Terms:
    """What a commit event says that its manifest does not, and whose closes are announced, as the deployment is now.

    `prefix` is the first centre's handle prefix, `policy` the label of the policies.
    """

    prefix: str = ""
    policy: str | None = None
    copies: Copies = lambda station, series: None
    described: Descriptions = lambda station, series: UNDESCRIBED
    check_signature: SignatureCheck = no_signature_check

    @classmethod
    def of(cls, settings: Settings, framing: Framing) -> "Terms":
        """Those of a deployment. Raises Retryable where Kafka does not tell its stations, ConfigurationError."""
        policies, stations = policies_of(settings), known_stations(settings, framing)
        return cls(
            prefix=settings.first.prefix,
            policy=policies.label,
            copies=policies.copies,
            described=lambda station, series: Described.by(stations, station, series),
            check_signature=signature_check(stations, accept_unsigned=settings.processor.unsigned == "accept"),
        )


@dataclass(frozen=True, slots=True)
class Announced:
    """What became of one manifest: `trouble` says why its batch was not announced."""

    manifest_path: str
    batch: str = ""
    trouble: str = ""


_NO_TERMS = Terms()


def reannounce(
    store: ObjectStore,
    announcer: Announcer,
    *,
    second: ObjectStore | None = None,
    terms: Terms = _NO_TERMS,
    folder: str = "",
    is_wanted: Callable[[str], bool] = lambda manifest_path: True,
    manifest_paths: Iterable[str] | None = None,
    now_s: Callable[[], float] = time.time,
    acknowledged_within_s: float = WITHIN_S,
) -> Iterator[Announced]:
    """Announce each batch below `folder` whose manifest and data object verify at the first centre, which is `store`, unless the
    second centre has another manifest in its place. With `manifest_paths`, which somebody has looked up already, nothing is listed.

    In order of series and number as far as one page of the listing goes; memory is bounded. Raises Retryable, Fatal.
    """
    wanted = filter(is_wanted, _listed(store, folder) if manifest_paths is None else manifest_paths)
    with ThreadPoolExecutor(_THREADS, "manifests") as threads:
        while page := list(islice(wanted, _AT_ONCE)):
            now_us = int(now_s() * 1e6)
            found = list(threads.map(lambda path, at_us=now_us: _event(store, second, path, terms, at_us), page))
            events = [event for event in found if isinstance(event, BatchCommitted)]
            events.sort(key=lambda event: (event.station, event.series, event.series_number))
            waiting = [announcer.announce(event) for event in events]
            for event, published in zip(events, waiting, strict=True):
                wait_for(published, event.path, acknowledged_within_s)
            yield from (Announced(event.manifest_path, event.batch) for event in events)
            yield from (each for each in found if isinstance(each, Announced))


def _listed(store: ObjectStore, folder: str) -> Iterator[str]:
    """The manifests of batches below a folder."""
    paths = (state.path for state in store.list(folder))
    return (path for path in paths if path.endswith(MANIFEST_SUFFIX) and not path.startswith("."))


def _event(
    store: ObjectStore, second: ObjectStore | None, manifest_path: str, terms: Terms, now_us: int
) -> BatchCommitted | Announced:
    """The commit event, if manifest and data object are what they say."""
    try:
        manifest, placed = _manifest_at(store, manifest_path)
        close = manifest.close
        if (forged := terms.check_signature(close, manifest.log.closed_at_us)) is not None:
            return Announced(manifest_path, trouble=f"its station did not sign it: {forged}")
        pair = _verified(store, close, placed)
        if second is not None and (trouble := _difference(store, second, placed)) is not None:
            return Announced(manifest_path, manifest.batch, f"batch {manifest.batch}: {trouble}")
    except Stuck as error:
        return Announced(manifest_path, trouble=str(error))
    series = close.station, close.series
    return commit_event(
        manifest,
        pair,
        store,
        terms.prefix,
        now_us,
        software(NAME),
        terms.policy,
        terms.copies(*series),
        who=who_runs_this(),
        described=terms.described(*series),
    )


def _manifest_at(store: ObjectStore, path: str) -> tuple[Manifest, PlacedObject]:
    """A manifest that agrees with itself and with its place. Raises Stuck, Retryable."""
    content = read_document(store, path)
    manifest = read_manifest(content)
    data_path = manifest.document["data_object"]["path"]
    if data_path + MANIFEST_SUFFIX != path:
        raise DamagedObject(f"it speaks of {data_path}")
    return manifest, PlacedObject(path, len(content), sha256_hex(content))


def _verified(store: ObjectStore, close: BatchClosed, manifest: PlacedObject) -> PlacedPair:
    """Both objects of a batch, if the centre's catalogue says of each what it must. Raises Stuck, Retryable."""
    path = manifest.path.removesuffix(MANIFEST_SUFFIX)
    folder, _, name = path.rpartition("/")
    states = {state.path: state for state in store.find(folder, name, name + MANIFEST_SUFFIX)}
    data_object = PlacedObject(path, close.raw_size_bytes, close.raw_sha256)
    for placed in (data_object, manifest):
        state = states.get(placed.path)
        if state is None:
            raise MissingObject(placed.path)
        if not state.is_exactly(placed.size_bytes, placed.sha256):
            raise DamagedObject(f"{placed.path} is not what its manifest says")
    return PlacedPair(data_object, manifest)


def _difference(first: ObjectStore, second: ObjectStore, manifest: PlacedObject) -> str | None:
    """How the second centre's manifest differs from the first's; None where it does not, or is not there."""
    other = second.describe(manifest.path)
    if other is None or other.is_exactly(manifest.size_bytes, manifest.sha256):
        return None
    there = f"{second.centre} {other.sha256 or 'none'}, {other.status.value}"
    return f"the centres' manifests differ (SHA-256: {first.centre} {manifest.sha256}; {there}); neither is announced"
