"""An object store in memory: for unit tests and dry runs. It obeys the rules that a real iRODS showed in recordings.

Shipped and tested like the others, because the tests of the programs stand on it. It can be told to fail: `fail`
scripts one call, `available` switches the centre off, `before_call` lets a test step in between two calls.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from b2stream.archive.attributes import Attributes, clean
from b2stream.archive.store import QUARANTINE_FOLDER, READ_BYTES, Chunk, ObjectState, Placement, ReplicaStatus
from b2stream.errors import BrokenInvariant, DamagedObject, MissingObject, Stuck
from b2stream.scripted import Failure, Scripted, leave


@dataclass(frozen=True, slots=True)
class _Stored:
    content: bytes
    status: ReplicaStatus
    size_bytes: int  # as the catalogue says
    sha256: str | None
    modified_s: float
    attributes: Mapping[str, str] = field(default_factory=dict)

    def state(self, path: str) -> ObjectState:
        return ObjectState(path, self.status, self.size_bytes, self.sha256, self.modified_s)


@dataclass(slots=True)
class _DeathInMidStage(Failure):
    leaves: ReplicaStatus = ReplicaStatus.INTERMEDIATE


class MemoryStore(Scripted):
    """An `ObjectStore` whose objects are dictionaries. Safe to use from several threads."""

    def __init__(
        self, centre: str = "memory", *, reply_timeout_s: float = 120.0, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(centre)
        self._centre = centre
        self._reply_timeout_s = reply_timeout_s
        self._now = now
        self._placed: dict[str, _Stored] = {}
        self._staged: dict[str, _Stored] = {}
        self._opened: set[str] = set()

    @property
    def centre(self) -> str:
        return self._centre

    @property
    def reply_timeout_s(self) -> float:
        return self._reply_timeout_s

    def url(self, path: str) -> str:
        return f"memory://{self._centre}/{path}"

    # What tests may ask of it -----------------------------------------------------------------------------------------

    def fail(
        self,
        call: str,
        error: Exception,
        *,
        done: bool = False,
        leaves: ReplicaStatus | None = None,
        times: int = 1,
    ) -> None:
        """Let the next `times` calls of the method named `call` raise `error`; further scripts queue up behind.

        `done`: it is carried out first, and only the reply is lost. `leaves` (of `stage` alone): the object stays
        behind with this status, as after the death of a server or a connection.
        """
        if leaves is None:
            self._script(call, Failure(error, done, times))
        else:
            self._script(call, _DeathInMidStage(error, True, times, leaves))

    def put(
        self, path: str, content: bytes, *, status: ReplicaStatus = ReplicaStatus.GOOD, sha256: str | None = ""
    ) -> None:
        """Lay an object at a final path, as somebody else would. `sha256` "" means: the right one."""
        with self._lock:
            self._placed[path] = self._stored(content, status, sha256)

    def put_staged(
        self, staged_name: str, content: bytes, *, status: ReplicaStatus = ReplicaStatus.GOOD, sha256: str | None = ""
    ) -> None:
        """Lay an object below the staging root, in any state."""
        with self._lock:
            self._staged[staged_name] = self._stored(content, status, sha256)

    def change(self, path: str, content: bytes) -> None:
        """Bit rot: the stored bytes of a placed object change, and the catalogue does not know."""
        with self._lock:
            self._placed[path] = replace(self._placed[path], content=content)

    def remove(self, path: str) -> None:
        """Somebody removes a placed object."""
        with self._lock:
            del self._placed[path]

    def content(self, path: str) -> bytes:
        """The bytes at a final path, whatever their state."""
        with self._lock:
            return self._placed[path].content

    # The interface ----------------------------------------------------------------------------------------------------

    def stage(self, staged_name: str, chunks: Iterable[Chunk], size_bytes: int, sha256: str) -> None:
        failure = self._enter("stage", staged_name)
        with self._lock:
            if staged_name in self._opened:
                raise BrokenInvariant(f"the staged name {staged_name} is opened for writing a second time")
            self._opened.add(staged_name)
            self._staged[staged_name] = self._stored(b"", ReplicaStatus.INTERMEDIATE, None)
        content = bytearray()
        try:
            for chunk in chunks:
                content += chunk
        except BaseException:
            self.put_staged(staged_name, bytes(content), status=ReplicaStatus.STALE, sha256=None)
            raise
        if isinstance(failure, _DeathInMidStage):
            self.put_staged(staged_name, bytes(content), status=failure.leaves)
            raise failure.error
        if len(content) != size_bytes:  # as iRODS does it: silent, without a checksum, and never good
            self.put_staged(staged_name, bytes(content), status=ReplicaStatus.STALE, sha256=None)
        elif hashlib.sha256(content).hexdigest() != sha256:
            self.put_staged(staged_name, b"", status=ReplicaStatus.STALE, sha256=None)
            raise DamagedObject(f"{self._centre} stored other bytes than were announced for {staged_name}")
        else:
            self.put_staged(staged_name, bytes(content))
        leave(failure)

    def describe_staged(self, staged_name: str) -> ObjectState | None:
        failure = self._enter("describe_staged", staged_name)
        leave(failure)
        with self._lock:
            stored = self._staged.get(staged_name)
        return stored.state(staged_name) if stored else None

    def find_staged(self, *staged_names: str) -> list[ObjectState]:
        failure = self._enter("find_staged", " ".join(staged_names))
        leave(failure)
        with self._lock:
            return [self._staged[name].state(name) for name in sorted(staged_names) if name in self._staged]

    def discard_staged(self, staged_name: str) -> None:
        failure = self._enter("discard_staged", staged_name)
        with self._lock:
            stored = self._staged.get(staged_name)
            if stored is not None and stored.status is ReplicaStatus.INTERMEDIATE:
                raise Stuck(f"{staged_name} at {self._centre} is open for writing")
            self._staged.pop(staged_name, None)
        leave(failure)

    def place(self, staged_name: str, path: str) -> Placement:
        failure = self._enter("place", path)
        with self._lock:
            if staged_name not in self._staged:  # iRODS looks for the source first
                placement = Placement.SOURCE_GONE
            elif path in self._placed:
                placement = Placement.ALREADY_THERE
            else:
                self._placed[path] = self._staged.pop(staged_name)
                placement = Placement.PLACED
        leave(failure)
        return placement

    def set_aside(self, path: str, aside: str) -> Placement:
        if not aside.startswith(f"{QUARANTINE_FOLDER}/"):
            raise BrokenInvariant(f"{path} would be moved to {aside}")
        failure = self._enter("set_aside", path)
        with self._lock:
            if path not in self._placed:
                placement = Placement.SOURCE_GONE
            elif aside in self._placed:
                placement = Placement.ALREADY_THERE
            else:
                self._placed[aside] = self._placed.pop(path)
                placement = Placement.PLACED
        leave(failure)
        return placement

    def describe(self, path: str) -> ObjectState | None:
        failure = self._enter("describe", path)
        leave(failure)
        with self._lock:
            stored = self._placed.get(path)
        return stored.state(path) if stored else None

    def find(self, folder: str, *names: str, below: bool = True) -> list[ObjectState]:
        failure = self._enter("find", folder)
        leave(failure)
        with self._lock:
            return [
                stored.state(path)
                for path, stored in sorted(self._placed.items())
                if path.rpartition("/")[2] in names
                and (_below(path, folder) if below else path.rpartition("/")[0] == folder)
            ]

    def read(self, path: str, chunk_bytes: int = READ_BYTES, *, state: ObjectState | None = None) -> Iterator[bytes]:
        failure = self._enter("read", path)
        with self._lock:
            stored = self._placed.get(path)
        if stored is None:
            raise MissingObject(self.url(path))
        status = state.status if state is not None else stored.status
        if status is not ReplicaStatus.GOOD:
            raise DamagedObject(f"{self.url(path)} is {status.value}")
        for start in range(0, len(stored.content), chunk_bytes):
            yield stored.content[start : start + chunk_bytes]
        leave(failure)

    def recompute_sha256(self, path: str) -> str:
        failure = self._enter("recompute_sha256", path)
        leave(failure)
        with self._lock:
            stored = self._placed.get(path)
        if stored is None:
            raise MissingObject(self.url(path))
        if stored.status is not ReplicaStatus.GOOD:
            raise DamagedObject(f"{self.url(path)} is {stored.status.value}")
        return hashlib.sha256(stored.content).hexdigest()

    def attributes(self, path: str) -> Attributes:
        failure = self._enter("attributes", path)
        leave(failure)
        with self._lock:
            if path not in self._placed:
                raise MissingObject(self.url(path))
            values = {name: (value,) for name, value in self._placed[path].attributes.items()}
        return Attributes(values, (self._centre,))

    def set_attributes(self, path: str, attributes: Mapping[str, str]) -> None:
        failure = self._enter("set_attributes", path)
        with self._lock:
            stored = self._placed.get(path)
            if stored is None:
                raise MissingObject(self.url(path))
            self._placed[path] = replace(stored, attributes={**stored.attributes, **clean(attributes)})
        leave(failure)

    def list(self, folder: str = "") -> Iterator[ObjectState]:
        failure = self._enter("list", folder)
        with self._lock:
            states = [stored.state(path) for path, stored in self._placed.items() if _below(path, folder)]
        yield from states
        leave(failure)

    def list_staged(self) -> Iterator[ObjectState]:
        failure = self._enter("list_staged", "")
        with self._lock:
            states = [stored.state(name) for name, stored in self._staged.items()]
        yield from states
        leave(failure)

    def close(self) -> None:
        """Nothing to close."""

    def _stored(self, content: bytes, status: ReplicaStatus, sha256: str | None) -> _Stored:
        if sha256 == "":
            sha256 = hashlib.sha256(content).hexdigest()
        return _Stored(content, status, len(content), sha256, self._now())


def _below(path: str, folder: str) -> bool:
    return not folder or path.startswith(folder + "/")
