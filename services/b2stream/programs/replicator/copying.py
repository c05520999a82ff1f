"""One batch from the first centre to the second: data object, then manifest, each streamed through a running SHA-256.

Nothing here remembers what was copied: what lies at the second centre decides, so a repeated commit event, a crash and two
replicators at work on one batch all end in the same place.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from b2stream.archive.placing import MANIFEST_SUFFIX, Found, NewObject, Passing, Placing, Writer, look_up
from b2stream.archive.store import ObjectState, ObjectStore
from b2stream.archive.waiting import Clock
from b2stream.contracts.envelopes import is_attempt
from b2stream.contracts.records import BatchCommitted
from b2stream.errors import DamagedObject, MissingObject, Poison, Retryable
from b2stream.work.workers import Unfit

SOURCE_MISSING = "source_missing"
SOURCE_DAMAGED = "source_damaged"
BAD_EVENT = "bad_commit_event"

_READ_BYTES = 1 << 20
"""As much as one write: what is received, hashed and sent stays in the processor's cache (8 ms per 16 MiB, 11 with 4 MiB)."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


class SourceUnfit(Unfit):
    """What lies at the first centre is not what was committed there: nothing of it is copied, and the event becomes a dead letter."""

    reason = SOURCE_DAMAGED


@dataclass(slots=True)
class SourceHealth:
    """When an object was last read whole at the first centre, on the copies' clock; shared by all copies."""

    last_read_s: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Copied:
    """What one try moved: zero objects where the second centre had them already."""

    objects: int
    size_bytes: int


class BatchCopy:
    """The copy of one batch. Keep it through all tries: it remembers what is staged.

    `giving_up()` is asked between chunks, so that a stop does not have to wait for a large object.
    """

    def __init__(
        self,
        commit: BatchCommitted,
        first: ObjectStore,
        second: ObjectStore,
        writer: Writer,
        *,
        clock: Clock,
        passing: Passing,
        giving_up: Callable[[], bool],
        source_health: SourceHealth,
    ) -> None:
        check_event(commit)
        self.commit = commit
        self._first = first
        self._second = second
        self._giving_up = giving_up
        self._clock = clock
        self._source_health = source_health
        self._sources: dict[str, ObjectState] | None = None  # what the first centre said at this try
        self._placing = Placing(second, writer, commit.attempt, clock=clock, passing=passing, staging_step="copy")

    def run(self) -> Copied:
        """Bring the batch to the second centre, or find it there.

        Raises SourceUnfit (dead letter), Retryable, Stuck (the second centre refuses, or holds something else), Fatal.
        """
        commit = self.commit
        folder, _, name = commit.path.rpartition("/")
        self._sources = None
        found = look_up(self._second, folder, name)
        if _is_there(found, commit):
            return Copied(0, 0)
        data_object = self._object(commit.path, commit.size_bytes, commit.sha256)
        manifest = self._object(commit.manifest_path, commit.manifest_size_bytes, commit.manifest_sha256)
        self._placing.place_pair(data_object, manifest, _same_manifest_only, found)
        if found.data_object is not None:
            return Copied(1, manifest.size_bytes)
        return Copied(2, data_object.size_bytes + manifest.size_bytes)

    def first_centre_shows_others(self, since_s: float) -> bool:
        """Whether the first centre lets us see anything: an object read since then, or the other one of this pair.

        iRODS hides what a user may not read, so a lost permission or a wrong root looks as if every object were missing.
        """
        return self._source_health.last_read_s >= since_s or bool(self._ask_first())

    def source_is_sound(self) -> bool:
        """Whether the first centre, reading its own objects again, finds what was committed: then it is the way here that is bad."""
        commit = self.commit
        try:
            return (
                self._first.recompute_sha256(commit.path) == commit.sha256
                and self._first.recompute_sha256(commit.manifest_path) == commit.manifest_sha256
            )
        except (MissingObject, DamagedObject):
            return False

    def give_up(self) -> None:
        """Remove what is staged, as far as the second centre lets us."""
        self._placing.give_up()

    def _object(self, path: str, size_bytes: int, sha256: str) -> NewObject:
        return NewObject(path, size_bytes, sha256, lambda: self._source(path, size_bytes, sha256))

    def _ask_first(self) -> dict[str, ObjectState]:
        """What the first centre says of data object and manifest; one query."""
        folder, _, name = self.commit.path.rpartition("/")
        states = self._first.find(folder, name, name + MANIFEST_SUFFIX, below=False)
        return {state.path: state for state in states}

    def _source(self, path: str, size_bytes: int, sha256: str) -> Iterator[bytes]:
        """The object at the first centre. Ends only if size and SHA-256 are those of the commit event."""
        digest, seen_bytes = hashlib.sha256(), 0
        url = self._first.url(path)
        try:
            if self._sources is None:
                self._sources = self._ask_first()
            if path not in self._sources:
                raise MissingObject(url)
            for chunk in self._first.read(path, _READ_BYTES, state=self._sources[path]):
                if self._giving_up():
                    raise Retryable("the replicator is stopping")
                digest.update(chunk)
                seen_bytes += len(chunk)
                if seen_bytes > size_bytes:
                    raise SourceUnfit(f"{url} has more than the {size_bytes} bytes that were committed")
                yield chunk
        except MissingObject as error:
            raise SourceUnfit(str(error), reason=SOURCE_MISSING) from error
        except DamagedObject as error:
            raise SourceUnfit(str(error)) from error
        if seen_bytes != size_bytes or digest.hexdigest() != sha256:
            found = f"{seen_bytes} bytes with SHA-256 {digest.hexdigest()}"
            raise SourceUnfit(f"{url} has {found}; committed were {size_bytes} bytes with {sha256}")
        self._source_health.last_read_s = self._clock.monotonic()


def check_event(commit: BatchCommitted) -> None:
    """Refuse an event that would lead out of the archive's root, or that no processor writes. Raises Poison."""
    parts = commit.path.split("/")
    if len(parts) < 3 or any(part in ("", ".", "..") or part.startswith(".") for part in parts):
        raise Poison(f"path {commit.path!r}", reason=BAD_EVENT)
    if commit.manifest_path != commit.path + MANIFEST_SUFFIX:
        raise Poison(f"manifest path {commit.manifest_path!r} beside {commit.path!r}", reason=BAD_EVENT)
    if not is_attempt(commit.attempt):
        raise Poison(f"attempt {commit.attempt!r}", reason=BAD_EVENT)
    for digest in (commit.batch, commit.sha256, commit.manifest_sha256):
        if not _SHA256.fullmatch(digest):
            raise Poison(f"{digest!r} is no SHA-256", reason=BAD_EVENT)
    if commit.size_bytes < 0 or commit.manifest_size_bytes <= 0:
        raise Poison(f"sizes {commit.size_bytes} and {commit.manifest_size_bytes} bytes", reason=BAD_EVENT)


def _is_there(found: Found, commit: BatchCommitted) -> bool:
    """Good replicas with the committed sizes and checksums; reading them again is scrub's work."""
    data_object, manifest = found.data_object, found.manifest
    return (
        data_object is not None
        and manifest is not None
        and data_object.path == commit.path
        and data_object.is_exactly(commit.size_bytes, commit.sha256)
        and manifest.is_exactly(commit.manifest_size_bytes, commit.manifest_sha256)
    )


def _same_manifest_only(content: bytes) -> bool:
    """A manifest at the second centre that is not byte for byte the first's is never taken for it: `repair` decides."""
    return False
