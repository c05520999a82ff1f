"""Staging: an object is written below the staging root and queried back, until it is there as it should be.

A staged name is never used twice, so a lost reply is answered by a look, and what stays open for ever is left where it is.
"""

import itertools
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from b2stream.archive.objects import NewObject
from b2stream.archive.store import Chunk, ObjectState, ObjectStore, ReplicaStatus
from b2stream.archive.waiting import Clock
from b2stream.errors import BrokenInvariant, DamagedObject, LostReply, Retryable, Stuck

SLOWEST_HASHING_BYTES_PER_S = 10e6
"""A server that still hashes a file whose reply was lost is given the client's timeout and size / 10 MB/s."""

DEBRIS_LIMIT = 2  # pieces in one call
TRY_LIMIT = 3  # times that a centre shows nothing, or something else, before that is its answer

Passing = Callable[[str], None]
"""Called with the name of a step as it is passed: `stage` or `copy` (in the middle of the first write), then those of
`failpoints.PLACING`."""


class Writer:
    """Names for staged objects: `<attempt>-<writer>-<n>`. One per process, made at its start; no name comes twice.

    `on_debris` is called for each staged object that could not be removed, from whatever thread it was.
    """

    def __init__(self, on_debris: Callable[[], None] = lambda: None) -> None:
        self.id = secrets.token_hex(8)
        self.on_debris = on_debris
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def staged_name(self, attempt: str) -> str:
        """A name that no process has used."""
        if not attempt or "/" in attempt:
            raise BrokenInvariant(f"an attempt is named {attempt!r}, which cannot be part of a staged name")
        with self._lock:
            return f"{attempt}-{self.id}-{next(self._numbers)}"


@dataclass(frozen=True, slots=True)
class _Written:
    """One try. `seen`: whether `state` is what the centre shows of it; else that is still to be asked."""

    staged_name: str
    seen: bool = False
    state: ObjectState | None = None
    lost: LostReply | None = None


class Staging:
    """The staged objects of one batch at one centre. Raises what the store raises, and whatever `chunks` does."""

    def __init__(
        self,
        store: ObjectStore,
        writer: Writer,
        attempt: str,
        *,
        clock: Clock,
        passing: Passing,
        step: str,
    ) -> None:
        self.debris: list[str] = []  # staged names that could not be removed; never good, never placed
        self._store = store
        self._writer = writer
        self._attempt = attempt
        self._clock = clock
        self._passing = passing
        self._step = step
        self._staged: dict[str, str] = {}  # final path: staged name, written and waiting for its move

    def stage(self, *objects: NewObject) -> list[str]:
        """Stage them and query them back until each is good, with size and checksum as computed here; their staged names.

        One query looks at all of them, unless one did not go well.
        """
        self.clear_debris()
        written = []
        for new in objects:
            attempt = self._write(new)
            if attempt.seen:
                attempt = self._until_good(new, attempt)
            written.append(attempt)
        names = [attempt.staged_name for attempt in written if not attempt.seen]
        states = {state.path: state for state in self._look(names)}
        return [
            self._until_good(new, attempt if attempt.seen else _seen(attempt, states)).staged_name
            for new, attempt in zip(objects, written, strict=True)
        ]

    def placed(self, path: str) -> None:
        """The staged object of this final path has been moved, or is gone."""
        self._staged.pop(path, None)

    def drop(self, path: str) -> None:
        """Remove the staged object of this final path, if there is one."""
        staged_name = self._staged.pop(path, None)
        if staged_name is not None:
            self._discard(staged_name)

    def give_up(self) -> None:
        """Remove what is staged and not placed, as far as the centre lets us; never raises."""
        for path in list(self._staged):
            self.drop(path)
        self.clear_debris()

    def clear_debris(self) -> None:
        """What could not be removed then may be removable now."""
        for staged_name in list(self.debris):
            try:
                self._store.discard_staged(staged_name)
            except Stuck:
                continue
            except Retryable:
                return
            self.debris.remove(staged_name)

    # Inside -----------------------------------------------------------------------------------------------------------

    def _until_good(self, new: NewObject, attempt: _Written) -> _Written:
        """Write it again, under a new name, until what the centre shows is good."""
        wrong = nothing = debris = 0
        while not is_good(attempt.state, new):
            self._staged.pop(new.path, None)
            state = attempt.state
            if state is None:
                nothing += 1
            elif state.status is ReplicaStatus.INTERMEDIATE:
                debris += self._leave(attempt.staged_name)
            else:
                wrong += 1
                debris += self._discard(attempt.staged_name)
            if debris >= DEBRIS_LIMIT:
                raise Stuck(
                    f"{DEBRIS_LIMIT} pieces of debris for {new.path} at {self._store.centre}: {self.debris[-1]}"
                )
            if nothing + wrong >= TRY_LIMIT:
                if attempt.lost is not None:
                    raise attempt.lost
                last = "nothing" if state is None else described(state)
                raise DamagedObject(f"{self._store.centre} shows {last} of what was staged for {new.path}")
            attempt = self._write(new)
            if not attempt.seen:
                attempt = _seen(attempt, {state.path: state for state in self._look([attempt.staged_name])})
        return attempt

    def _write(self, new: NewObject) -> _Written:
        """Write it under a new name, unless an earlier try did; then it is still to be looked at, unless a reply was lost."""
        if new.path in self._staged:
            return _Written(self._staged[new.path])
        staged_name = self._writer.staged_name(self._attempt)
        source = _Source(new.chunks, lambda: self._passing(self._step))
        try:
            self._store.stage(staged_name, source, new.size_bytes, new.sha256)
        except Exception as error:
            if source.error is None and isinstance(error, LostReply):
                return _Written(staged_name, True, self._settled(staged_name, new.size_bytes), error)
            if source.error is None and isinstance(error, DamagedObject):
                return _Written(staged_name, True, self._store.describe_staged(staged_name))
            if source.error is not None or not isinstance(error, Retryable):  # else there was nobody to write to
                self._discard(staged_name)
            raise
        self._staged[new.path] = staged_name
        return _Written(staged_name)

    def _look(self, staged_names: list[str]) -> list[ObjectState]:
        for _ in staged_names:
            self._passing("verify")
        return self._store.find_staged(*staged_names) if staged_names else []

    def _settled(self, staged_name: str, size_bytes: int) -> ObjectState | None:
        """The state after a lost reply, once nobody writes any more; still intermediate when the time is over."""
        allowed_s = self._store.reply_timeout_s + size_bytes / SLOWEST_HASHING_BYTES_PER_S
        deadline_s = self._clock.monotonic() + allowed_s
        pause_s = 0.05
        while True:
            try:
                state = self._store.describe_staged(staged_name)
            except Retryable:
                if self._clock.monotonic() >= deadline_s:
                    raise
            else:
                over = self._clock.monotonic() >= deadline_s
                if over or state is None or state.status is not ReplicaStatus.INTERMEDIATE:
                    return state
            self._clock.sleep(min(pause_s, max(deadline_s - self._clock.monotonic(), 0.0)))
            pause_s = min(pause_s * 2, 5.0)

    def _discard(self, staged_name: str) -> int:
        """Remove it; how many pieces of debris that made."""
        try:
            self._store.discard_staged(staged_name)
        except (Retryable, Stuck):
            return self._leave(staged_name)
        return 0

    def _leave(self, staged_name: str) -> int:
        self.debris.append(staged_name)
        self._writer.on_debris()
        return 1


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


def is_good(state: ObjectState | None, new: NewObject) -> bool:
    """Whether that is the new object, good and whole."""
    return state is not None and state.is_exactly(new.size_bytes, new.sha256)


def described(state: ObjectState) -> str:
    """A state in words, for an error's detail."""
    return f"{state.status.value}, {state.size_bytes} bytes, SHA-256 {state.sha256 or 'not registered'}"


def _seen(attempt: _Written, states: dict[str, ObjectState]) -> _Written:
    return _Written(attempt.staged_name, True, states.get(attempt.staged_name))
