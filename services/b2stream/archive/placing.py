"""Stage, verify, place: how a batch comes into the archive, for processor and replicator alike, on any `ObjectStore`.

A batch is a pair of objects, data object and manifest, and it is committed when its manifest is in place, and not
before. Each step may be repeated by anyone at any time: staged names are never used twice, a move creates but never
replaces, and what lies at the final path decides. So neither a crash nor a race nor a lost reply needs a ledger.
"""

import hashlib
from collections.abc import Callable

from b2stream.archive.lookup import Found, look_up
from b2stream.archive.objects import MANIFEST_SUFFIX, NewObject, PlacedObject, PlacedPair
from b2stream.archive.staging import Passing, Staging, Writer, described, is_good
from b2stream.archive.store import ObjectState, ObjectStore, Placement, ReplicaStatus
from b2stream.archive.waiting import Clock
from b2stream.errors import BrokenInvariant, DamagedObject, LostReply, MissingObject, PlaceTaken, Stuck

__all__ = [
    "MANIFEST_SUFFIX",
    "Found",
    "NewObject",
    "Passing",
    "PlacedObject",
    "PlacedPair",
    "Placing",
    "Writer",
    "look_up",
]

MOVE_LIMIT = 3
MANIFEST_LIMIT_BYTES = 256 << 20


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
        self._passing = passing or (lambda step: None)
        self._staging = Staging(store, writer, attempt, clock=clock, passing=self._passing, step=staging_step)

    @property
    def debris(self) -> list[str]:
        """Staged names that could not be removed; never good, never placed."""
        return self._staging.debris

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
            if found.data_object is None:
                return self._complete(found, data_object, manifest, names_our_batch)
            return self.accept_committed(found, data_object, names_our_batch)
        if manifest.path != data_object.path + MANIFEST_SUFFIX:
            raise BrokenInvariant(f"{manifest.path} is not beside {data_object.path}")
        for _ in range(MOVE_LIMIT - 1):
            pair = self._place(data_object, manifest, names_our_batch, found.data_object)
            try:
                self.final_check(pair)
            except MissingObject:
                # A move that was answered with success and not made. The manifest may lie there alone, and then the batch counts as
                # committed and no later try brings its data object: it is brought now, whichever of the two is missing.
                found = Found()
            else:
                return pair
        pair = self._place(data_object, manifest, names_our_batch, found.data_object)
        self.final_check(pair)
        return pair

    def _place(
        self,
        data_object: NewObject,
        manifest: NewObject,
        names_our_batch: Callable[[bytes], bool],
        there: ObjectState | None,
    ) -> PlacedPair:
        """Data object, then manifest; `there` is a data object that lies in place."""
        if there is not None:
            if there.path != data_object.path:
                raise BrokenInvariant(f"{data_object.path} lies at {there.path} already")
            placed_data_object = self._accept_data_object(there, data_object)
            staged_manifest = self.stage_object(manifest)
        else:
            staged_data_object, staged_manifest = self._staging.stage(data_object, manifest)
            placed_data_object = self.place_data_object(staged_data_object, data_object)
        placed_manifest, other_manifest = self.place_manifest(staged_manifest, manifest, names_our_batch)
        return PlacedPair(placed_data_object, placed_manifest, other_manifest)

    def _complete(
        self, found: Found, data_object: NewObject, manifest: NewObject, names_our_batch: Callable[[bytes], bool]
    ) -> PlacedPair:
        """Bring the data object of a manifest that lies there alone.

        Whoever placed that was told that the data object is in place, which was not so, and died before the last check.
        """
        state = found.manifest
        if state is None or state.path != data_object.path + MANIFEST_SUFFIX:
            return self.accept_committed(found, data_object, names_our_batch)
        other_manifest = None
        placed_manifest = _as_brought(manifest)
        if not is_good(state, manifest):
            placed_manifest, other_manifest = self._read_manifest(state, names_our_batch)
        placed_data_object = self.place_data_object(self.stage_object(data_object), data_object)
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
        states = {state.path: state for state in self.store.find(folder, name, name + MANIFEST_SUFFIX, below=False)}
        for placed in (pair.data_object, pair.manifest):
            state = states.get(placed.path)
            if state is None:
                raise MissingObject(f"{self.store.url(placed.path)} after it was placed")
            if not state.is_exactly(placed.size_bytes, placed.sha256):
                raise DamagedObject(f"{self.store.url(placed.path)} is {described(state)} after it was placed")

    def give_up(self) -> None:
        """Remove what is staged and not placed, as far as the centre lets us; never raises."""
        self._staging.give_up()

    def stage_object(self, new: NewObject) -> str:
        """Stage it and query it back until it is good, with size and checksum as computed here; its staged name."""
        return self._staging.stage(new)[0]

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
        if state is None or is_good(state, new):
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
                self._staging.placed(new.path)
                self._passing("data object placed" if step == "place data object" else "manifest placed")
                return None
            state = self.store.describe(new.path)
            if state is not None:
                self._staging.drop(new.path)
                return state
            if placement is Placement.SOURCE_GONE:
                self._staging.placed(new.path)
                staged_name = self.stage_object(new)
        raise lost or Stuck(f"{MOVE_LIMIT} moves to {self.store.url(new.path)} placed nothing")

    def _accept_data_object(self, state: ObjectState, new: NewObject) -> PlacedObject:
        if is_good(state, new):
            return PlacedObject(state.path, new.size_bytes, new.sha256)
        if state.status is ReplicaStatus.GOOD and state.sha256 is not None and state.sha256 != new.sha256:
            raise PlaceTaken(f"{self.store.url(state.path)} is {described(state)}, ours is {new.sha256}")
        raise DamagedObject(f"{self.store.url(state.path)} is {described(state)}, ours is {new.sha256}")

    def _read_manifest(
        self, state: ObjectState, names_our_batch: Callable[[bytes], bool]
    ) -> tuple[PlacedObject, bytes]:
        if state.status is not ReplicaStatus.GOOD or state.size_bytes > MANIFEST_LIMIT_BYTES:
            raise DamagedObject(f"{self.store.url(state.path)} is {described(state)}")
        content = b"".join(self.store.read(state.path))
        sha256 = hashlib.sha256(content).hexdigest()
        if not state.is_exactly(len(content), sha256):
            raise DamagedObject(f"{self.store.url(state.path)} is {described(state)}, its bytes are {sha256}")
        if not names_our_batch(content):
            raise PlaceTaken(f"the manifest at {self.store.url(state.path)} is of another batch")
        return PlacedObject(state.path, len(content), sha256), content


def _as_brought(new: NewObject) -> PlacedObject:
    return PlacedObject(new.path, new.size_bytes, new.sha256)
