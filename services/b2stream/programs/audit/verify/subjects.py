"""What someone wants verified: a PID, a path, or a batch, and the commit event that speaks of it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from b2stream.batches.paths import MANIFEST_SUFFIX
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchCommitted, BatchReplicated
from b2stream.errors import B2streamError
from b2stream.programs.audit.gathering.log import Log
from b2stream.settings import Settings

_PID = re.compile(r"(?:hdl:|https?://hdl\.handle\.net/)?([0-9A-Za-z.]+/[A-Za-z0-9_-]{24})")
_BATCH = re.compile(r"[0-9a-f]{8,64}")
_SHORTEST_PATH = 3  # slashes: station/series/undated/name


class Events(Protocol):
    """The part of `log.Log` that is needed here."""

    def commits(self) -> Iterator[BatchCommitted]: ...

    def replicas(self) -> Iterator[BatchReplicated]: ...


class NotFound(B2streamError):
    """Nothing in the archive is called so: give a PID, a path below the root of the archive, or a batch id of 8 digits or more."""

    reason = "not_found"


@dataclass(frozen=True, slots=True)
class Subject:
    """A data object: its path at every centre, and its commit event and PID where they are known.

    `event` is the batch's earliest commit event, which decides what is right; `newest` its last, after which attributes are set.
    `places` are the URLs at the first centre of all batches with this content: they share one PID.
    """

    path: str
    event: BatchCommitted | None = None
    newest: BatchCommitted | None = None
    replica: BatchReplicated | None = None
    pid: str | None = None
    places: frozenset[str] = frozenset()

    @property
    def manifest_path(self) -> str:
        return self.path + MANIFEST_SUFFIX


def find_subject(what: str, settings: Settings, framing: Framing) -> Subject:
    """The data object that a PID, a path or a batch id names. Raises NotFound, Retryable where Kafka does not answer."""
    pid, batch = _PID.fullmatch(what), _BATCH.fullmatch(what)
    path = what.strip("/").removesuffix(MANIFEST_SUFFIX)
    if not (pid or batch) and path.count("/") < _SHORTEST_PATH:
        raise NotFound(what)

    def is_it(event: BatchCommitted) -> bool:
        if pid:
            return pid[1].partition("/")[2] == event.id24
        return event.batch.startswith(what) if batch else event.path == path

    log = Log(settings, framing)
    log.fix_ends()
    # The earliest event of a batch decides; of two batches with one PID the first one's location stays.
    found = next((event for event in log.commits() if is_it(event)), None)
    if pid and found is not None and found.pid != pid[1]:  # one content may have been announced under two prefixes
        found = next((event for event in log.commits() if event.pid == pid[1]), found)
    if found is None:
        if pid or batch:
            raise NotFound(what)
        return Subject(path)  # the manifest alone must do: the log may have been lost
    return subject_of(found, pid[1] if pid else found.pid, log)


def subject_of(found: BatchCommitted, pid: str | None, log: Events) -> Subject:
    """The data object of a commit event, and what else the log says of it. Raises Retryable."""
    newest, places = found, set()
    for event in log.commits():
        if event.id24 == found.id24:
            places.add(event.url)
        if event.batch == found.batch:
            newest = event
    replica = None
    for each in log.replicas():
        if each.commit.batch == found.batch:
            replica = each  # the latest counts
    return Subject(found.path, found, newest, replica, pid, frozenset(places))


def events_of(pids: Iterable[str], log: Events) -> dict[str, tuple[BatchCommitted, BatchReplicated | None]]:
    """The commit event and the latest replica event behind each PID that has them, in one reading of the log.

    Of several batches with one content the first that was announced under that PID counts, else the first. Raises Retryable.
    """
    wanted: dict[str, list[str]] = defaultdict(list)
    for pid in pids:
        wanted[pid.partition("/")[2].casefold()].append(pid)
    found: dict[str, BatchCommitted] = {}
    for event in log.commits():
        for pid in wanted.get(event.id24.casefold(), ()):
            if pid not in found or (event.pid == pid and found[pid].pid != pid):
                found[pid] = event
    batches = {event.batch for event in found.values()}
    copies = {replica.commit.batch: replica for replica in log.replicas() if replica.commit.batch in batches}
    return {pid: (event, copies.get(event.batch)) for pid, event in found.items()}
