"""Stage, verify, place: how a batch comes into the archive, for processor and replicator alike, on any `ObjectStore`.

A batch is a pair of objects, data object and manifest, and it is committed when its manifest is in place, and not
before. Each step may be repeated by anyone at any time: staged names are never used twice, a move creates but never
replaces, and what lies at the final path decides. So neither a crash nor a race nor a lost reply needs a ledger.
"""

import hashlib
import itertools
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from b2stream.archive.store import Chunk, ObjectState, ObjectStore, Placement, ReplicaStatus
from b2stream.archive.waiting import Clock
from b2stream.errors import (
    BrokenInvariant,
    DamagedObject,
    LostReply,
    MissingObject,
    PlaceTaken,
    Retryable,
    Stuck,
)

MANIFEST_SUFFIX = ".manifest.json"

SLOWEST_HASHING_BYTES_PER_S = 10e6
"""A server that still hashes a file whose reply was lost is given the client's timeout and size / 10 MB/s."""

DEBRIS_LIMIT = 2  # pieces in one call
TRY_LIMIT = 3  # times that a centre shows nothing, or something else, before that is its answer
MOVE_LIMIT = 3
MANIFEST_LIMIT_BYTES = 256 << 20

Passing = Callable[[str], None]
"""Called with the name of a step as it is passed: `stage` or `copy` (in the middle of the first write), `verify`,
`place data object`, `place manifest`."""


class Writer:
    """Names for staged objects: `<attempt>-<writer>-<n>`. One per process, made at its start; no name comes twice."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def staged_name(self, attempt: str) -> str:
        """A name that no process has used."""
        if not attempt or "/" in attempt:
            raise BrokenInvariant(f"an attempt is named {attempt!r}, which cannot be part of a staged name")
        with self._lock:
            return f"{attempt}-{self.id}-{next(self._numbers)}"


@dataclass(frozen=True, slots=True)
class NewObject:
    """An object to be placed. `chunks` is called for each try and gives the bytes from the start."""

    path: str
    size_bytes: int
    sha256: str
    chunks: Callable[[], Iterable[Chunk]]

    @classmethod
    def of(cls, path: str, content: bytes) -> "NewObject":
        """From bytes in memory, e.g. a manifest."""
        return cls(path, len(content), hashlib.sha256(content).hexdigest(), lambda: (content,))

    @classmethod
    def measured(cls, path: str, chunks: Callable[[], Iterable[Chunk]]) -> "NewObject":
        """From chunks that are gone through once to learn size and checksum."""
        digest, size_bytes = hashlib.sha256(), 0
        for chunk in chunks():
            digest.update(chunk)
            size_bytes += len(chunk)
        return cls(path, size_bytes, digest.hexdigest(), chunks)


@dataclass(frozen=True, slots=True)
class PlacedObject:
    """An object in place."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PlacedPair:
    """What lies there for ever. `other_manifest` has the manifest's bytes where they may not be those we brought."""

    data_object: PlacedObject
    manifest: PlacedObject
    other_manifest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a centre has of a batch: nothing, a data object alone (uncommitted), or a manifest (committed)."""

    data_object: ObjectState | None = None
    manifest: ObjectState | None = None

    @property
    def committed(self) -> bool:
        return self.manifest is not None


def look_up(store: ObjectStore, series_folder: str, name: str) -> Found:
    """What the centre has of the data object `name` in any month of the series (`<station>/<series>`); one query.

    Two attempts that decode differently can give a batch two starts, so both months may hold its data object: the one
    with the manifest counts, else the first by path.
    """
    states = {state.path: state for state in store.find(series_folder, name, name + MANIFEST_SUFFIX)}
    manifests = sorted(path for path in states if path.endswith(f"/{name}{MANIFEST_SUFFIX}"))
    if manifests:
        return Found(states.get(manifests[0].removesuffix(MANIFEST_SUFFIX)), states[manifests[0]])
    return Found(states[min(states)]) if states else Found()


class Placing:
    """The way of one batch into one centre. Keep it through all tries of a commit: it remembers what is staged.

    Raises what the store raises: Retryable, Stuck (also DamagedObject, PlaceTaken), Fatal; and whatever `chunks` does.
    """

    def __init__(
        self,
        store: ObjectStore,
        writer: Writer,
        attempt: str,
        *,
        clock: Clock,
        passing: Passing | None = None,
        staging_step: str = "stage",
    ) -> None:
        self.store = store
        self.debris: list[str] = []  # staged names that could not be removed; never good, never placed
        self._writer = writer
        self._attempt = attempt
        self._clock = clock
        self._passing = passing or (lambda step: None)
        self._staging_step = staging_step
        self._staged: dict[str, str] = {}  # final path: staged name, verified and waiting for its move

    def place_pair(
        self,
        data_object: NewObject,
        manifest: NewObject,
        names_our_batch: Callable[[bytes], bool],
        found: Found | None = None,
    ) -> PlacedPair:
        """Bring both into place, the manifest last, and check both there. After this the batch may be announced.

        `names_our_batch` says whether the bytes of a manifest that someone else placed are of our batch. `found` is
        what `look_up` saw: a data object there is not staged again, and the manifest's path must lie beside it.
        """
        found = found or Found()
        if found.committed:
            return self.accept_committed(found, data_object, names_our_batch)
        if manifest.path != data_object.path + MANIFEST_SUFFIX:
            raise BrokenInvariant(f"{manifest.path} is not beside {data_object.path}")
        if found.data_object is not None:
            if found.data_object.path != data_object.path:
                raise BrokenInvariant(f"{data_object.path} lies at {found.data_object.path} already")
            placed_data_object = self._accept_data_object(found.data_object, data_object)
            staged_manifest = self.stage_object(manifest)
        else:
            staged_data_object = self.stage_object(data_object)
            staged_manifest = self.stage_object(manifest)
            placed_data_object = self.place_data_object(staged_data_object, data_object)
        placed_manifest, other_manifest = self.place_manifest(staged_manifest, manifest, names_our_batch)
        pair = PlacedPair(placed_data_object, placed_manifest, other_manifest)
        self.final_check(pair)
        return pair

    def accept_committed(
        self, found: Found, data_object: NewObject, names_our_batch: Callable[[bytes], bool]
    ) -> PlacedPair:
        """The pair that lies there already, verified: nothing is staged, and the manifest's own bytes count."""
        if found.manifest is None:
            raise BrokenInvariant("only a batch with a manifest in place is committed")
        if found.data_object is None:
            missing = found.manifest.path.removesuffix(MANIFEST_SUFFIX)
            raise MissingObject(f"{self.store.url(missing)}, although its manifest is in place")
        placed_manifest, content = self._read_manifest(found.manifest, names_our_batch)
        return PlacedPair(self._accept_data_object(found.data_object, data_object), placed_manifest, content)

    def final_check(self, pair: PlacedPair) -> None:
        """One query of both final paths must show them good, with size and checksum; only then may anyone announce."""
        folder, _, name = pair.data_object.path.rpartition("/")
        states = {state.path: state for state in self.store.find(folder, name, name + MANIFEST_SUFFIX)}
        for placed in (pair.data_object, pair.manifest):
            state = states.get(placed.path)
            if state is None:
                raise MissingObject(f"{self.store.url(placed.path)} after it was placed")
            if not state.is_exactly(placed.size_bytes, placed.sha256):
                raise DamagedObject(f"{self.store.url(placed.path)} is {_described(state)} after it was placed")

    def give_up(self) -> None:
        """Remove what is staged and not placed, as far as the centre lets us; never raises."""
        for path in list(self._staged):
            self._drop_staged(path)
        self._clear_debris()

    # Stage and verify -------------------------------------------------------------------------------------------------

    def stage_object(self, new: NewObject) -> str:
        """Stage it and query it back until it is good, with size and checksum as computed here; its staged name."""
        self._clear_debris()
        staged_name = self._staged.get(new.path)
        if staged_name is not None and self._is_good(self.store.describe_staged(staged_name), new):
            return staged_name
        wrong = nothing = 0
        debris_before = len(self.debris)
        while True:
            staged_name = self._writer.staged_name(self._attempt)
            state, lost = self._stage_once(staged_name, new)
            if self._is_good(state, new):
                self._staged[new.path] = staged_name
                return staged_name
            if state is None:
                nothing += 1
            elif state.status is ReplicaStatus.INTERMEDIATE:
                self.debris.append(staged_name)
            else:
                wrong += 1
                self._discard(staged_name)
            if len(self.debris) - debris_before >= DEBRIS_LIMIT:
                raise Stuck(f"{DEBRIS_LIMIT} pieces of debris for {new.path} at {self.store.centre}: {self.debris[-1]}")
            if nothing + wrong >= TRY_LIMIT:
                if lost is not None:
                    raise lost
                last = "nothing" if state is None else _described(state)
                raise DamagedObject(f"{self.store.centre} shows {last} of what was staged for {new.path}")

    def _stage_once(self, staged_name: str, new: NewObject) -> tuple[ObjectState | None, LostReply | None]:
        """What the centre shows of it, and the lost reply if there was one."""
        source = _Source(new.chunks, lambda: self._passing(self._staging_step))
        try:
            self.store.stage(staged_name, source, new.size_bytes, new.sha256)
        except Exception as error:
            if source.error is None and isinstance(error, LostReply):
                return self._settled(staged_name, new.size_bytes), error
            if source.error is None and isinstance(error, DamagedObject):
                return self.store.describe_staged(staged_name), None
            if source.error is not None or not isinstance(error, Retryable):  # else there was nobody to write to
                self._discard(staged_name)
            raise
        self._passing("verify")
        return self.store.describe_staged(staged_name), None

    def _settled(self, staged_name: str, size_bytes: int) -> ObjectState | None:
        """The state after a lost reply, once nobody writes any more; still intermediate when the time is over."""
        allowed_s = self.store.reply_timeout_s + size_bytes / SLOWEST_HASHING_BYTES_PER_S
        deadline_s = self._clock.monotonic() + allowed_s
        pause_s = 0.05
        while True:
            try:
                state = self.store.describe_staged(staged_name)
            except Retryable:
                if self._clock.monotonic() >= deadline_s:
                    raise
            else:
                over = self._clock.monotonic() >= deadline_s
                if over or state is None or state.status is not ReplicaStatus.INTERMEDIATE:
                    return state
            self._clock.sleep(min(pause_s, max(deadline_s - self._clock.monotonic(), 0.0)))
            pause_s = min(pause_s * 2, 5.0)

    def _is_good(self, state: ObjectState | None, new: NewObject) -> bool:
        return state is not None and state.is_exactly(new.size_bytes, new.sha256)

    def _discard(self, staged_name: str) -> None:
        try:
            self.store.discard_staged(staged_name)
        except (Retryable, Stuck):
            self.debris.append(staged_name)

    def _clear_debris(self) -> None:
        """What could not be removed then may be removable now."""
        for staged_name in list(self.debris):
            try:
                self.store.discard_staged(staged_name)
            except Stuck:
                continue
            except Retryable:
                return
            self.debris.remove(staged_name)

    def _drop_staged(self, path: str) -> None:
        staged_name = self._staged.pop(path, None)
        if staged_name is not None:
            self._discard(staged_name)

    # Place ------------------------------------------------------------------------------------------------------------

    def place_data_object(self, staged_name: str, new: NewObject) -> PlacedObject:
        """Move it to its final path. What lies there already is ours if it is good and has our size and checksum."""
        state = self._move(staged_name, new, "place data object")
        return self._accept_data_object(state, new) if state else _as_brought(new)

    def place_manifest(
        self, staged_name: str, new: NewObject, names_our_batch: Callable[[bytes], bool]
    ) -> tuple[PlacedObject, bytes | None]:
        """Move it to its final path; the manifest in place, and its bytes where they are not ours.

        One that is there already and names our batch is ours whatever else it says: the first manifest placed stays.
        """
        state = self._move(staged_name, new, "place manifest")
        if state is None or self._is_good(state, new):
            return _as_brought(new), None
        return self._read_manifest(state, names_our_batch)

    def _move(self, staged_name: str, new: NewObject, step: str) -> ObjectState | None:
        """None when our move did it, else the state of what lies at the final path."""
        lost: LostReply | None = None
        for _ in range(MOVE_LIMIT):
            self._passing(step)
            lost = None
            try:
                placement = self.store.place(staged_name, new.path)
            except LostReply as error:
                lost, placement = error, Placement.ALREADY_THERE
            if placement is Placement.PLACED:
                self._staged.pop(new.path, None)
                return None
            state = self.store.describe(new.path)
            if state is not None:
                self._drop_staged(new.path)
                return state
            if placement is Placement.SOURCE_GONE:
                self._staged.pop(new.path, None)
                staged_name = self.stage_object(new)
        raise lost or Stuck(f"{MOVE_LIMIT} moves to {self.store.url(new.path)} placed nothing")

    def _accept_data_object(self, state: ObjectState, new: NewObject) -> PlacedObject:
        if self._is_good(state, new):
            return PlacedObject(state.path, new.size_bytes, new.sha256)
        if state.status is ReplicaStatus.GOOD and state.sha256 is not None and state.sha256 != new.sha256:
            raise PlaceTaken(f"{self.store.url(state.path)} is {_described(state)}, ours is {new.sha256}")
        raise DamagedObject(f"{self.store.url(state.path)} is {_described(state)}, ours is {new.sha256}")

    def _read_manifest(
        self, state: ObjectState, names_our_batch: Callable[[bytes], bool]
    ) -> tuple[PlacedObject, bytes]:
        if state.status is not ReplicaStatus.GOOD or state.size_bytes > MANIFEST_LIMIT_BYTES:
            raise DamagedObject(f"{self.store.url(state.path)} is {_described(state)}")
        content = b"".join(self.store.read(state.path))
        sha256 = hashlib.sha256(content).hexdigest()
        if not state.is_exactly(len(content), sha256):
            raise DamagedObject(f"{self.store.url(state.path)} is {_described(state)}, its bytes are {sha256}")
        if not names_our_batch(content):
            raise PlaceTaken(f"the manifest at {self.store.url(state.path)} is of another batch")
        return PlacedObject(state.path, len(content), sha256), content


class _Source:
    """The chunks of one try; remembers an error of their own, so that it is not taken for one of the centre."""

    def __init__(self, chunks: Callable[[], Iterable[Chunk]], passing: Callable[[], None]) -> None:
        self.error: Exception | None = None
        self._chunks = chunks
        self._passing = passing

    def __iter__(self) -> Iterator[Chunk]:
        passed = False
        try:
            for chunk in self._chunks():
                yield chunk
                if not passed:  # the object is open and partly written: the worst moment to die
                    self._passing()
                    passed = True
            if not passed:
                self._passing()
        except Exception as error:
            self.error = error
            raise


def _as_brought(new: NewObject) -> PlacedObject:
    return PlacedObject(new.path, new.size_bytes, new.sha256)


def _described(state: ObjectState) -> str:
    return f"{state.status.value}, {state.size_bytes} bytes, SHA-256 {state.sha256 or 'not registered'}"
