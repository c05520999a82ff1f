"""The object store interface: all that b2stream asks of a centre.

Implementations: the folder `irods` (B2SAFE) and `memory.py` (unit tests); one conformance suite runs on all of them.
Paths are relative to the root of the archive at that centre, with `/` and without a leading one. A staged name lies
below the staging root and is never opened for writing twice (`placing.Writer` makes such names).
Each method raises only errors of `b2stream.errors`: `Retryable` (nobody answered, and nothing was changed), `LostReply`
(it may or may not have been done), `Stuck` (refused), `Fatal` (credentials, configuration).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from b2stream.archive.attributes import Attributes

Chunk = bytes | bytearray | memoryview

READ_BYTES = 4 << 20
"""Bytes asked for in one read: the fastest of 1, 4 and 8 MiB against an iRODS 5.0.2 server on loopback."""


class ReplicaStatus(Enum):
    """What the catalogue says of an object's replica; only `GOOD` may be trusted, and a stale one is still readable."""

    GOOD = "good"
    STALE = "stale"
    INTERMEDIATE = "intermediate"  # open for writing, or left so for ever by a server that died


class Placement(Enum):
    """How a move to the final path ended."""

    PLACED = "placed"
    ALREADY_THERE = "already there"  # source and target are untouched
    SOURCE_GONE = "source gone"


@dataclass(frozen=True, slots=True)
class ObjectState:
    """One object as the catalogue describes it. `sha256` is lower-case hex, None where no checksum is registered.

    A centre may hold several replicas of an object. The object is good where one of them is, with the size and
    checksum of that one; good replicas that disagree make it stale, because nobody can say which will be read.
    """

    path: str
    status: ReplicaStatus
    size_bytes: int
    sha256: str | None
    modified_s: float  # UNIX time

    def is_exactly(self, size_bytes: int, sha256: str) -> bool:
        """Good, and of this size and checksum."""
        return self.status is ReplicaStatus.GOOD and self.size_bytes == size_bytes and self.sha256 == sha256


QUARANTINE_FOLDER = ".quarantine"
"""Folder below the root for copies that failed their checksum: set aside, never removed."""


class ObjectStore(Protocol):
    """One centre. Instances may be used from several threads at once; each thread has its own connection."""

    @property
    def centre(self) -> str:
        """Name of the centre, e.g. `csc`."""
        ...

    @property
    def reply_timeout_s(self) -> float:
        """How long a call waits for the server's answer before the reply counts as lost."""
        ...

    def url(self, path: str) -> str:
        """Address of an object, e.g. `irods://host:1247/zone/home/user/root/path`, without credentials."""
        ...

    def stage(self, staged_name: str, chunks: Iterable[Chunk], size_bytes: int, sha256: str) -> None:
        """Write a new object below the staging root; the server re-reads what it stored and compares its SHA-256 (hex).

        Returning proves nothing yet: `describe_staged` does (a wrong size, for one, is silent). Raises DamagedObject
        where the server found another checksum, LostReply where the outcome is unknown. What `chunks` raises comes
        through as it is; the piece that was written by then is left as debris that is never good.
        """
        ...

    def describe_staged(self, staged_name: str) -> ObjectState | None:
        """The staged object's state, `path` being its staged name; None where there is none."""
        ...

    def find_staged(self, *staged_names: str) -> list[ObjectState]:
        """The states of those that there are, in order of name; one query."""
        ...

    def discard_staged(self, staged_name: str) -> None:
        """Remove a staged object; no error when it is gone already. Raises Stuck while it is open for writing."""
        ...

    def place(self, staged_name: str, path: str) -> Placement:
        """Move a staged object to its final path, creating collections; never replaces anything."""
        ...

    def set_aside(self, path: str, aside: str) -> Placement:
        """Move an object out of its final path to `aside`, a path below `.quarantine/`; never replaces. For repair alone (I4)."""
        ...

    def describe(self, path: str) -> ObjectState | None:
        """The state of the object at a final path, None where there is none."""
        ...

    def find(self, folder: str, *names: str, below: bool = True) -> list[ObjectState]:
        """All objects with exactly one of these names in `folder`, or `below` it too, in order of path; one query."""
        ...

    def read(self, path: str, chunk_bytes: int = READ_BYTES, *, state: ObjectState | None = None) -> Iterator[bytes]:
        """The bytes of a *good* object. Raises DamagedObject where it is not good, MissingObject where there is none.

        `state` is what the centre has just said of it; without one it is asked.
        Errors come with the first chunk, not with the call.
        """
        ...

    def recompute_sha256(self, path: str) -> str:
        """Let the centre read the stored bytes again and hash them; hex. Raises DamagedObject, MissingObject."""
        ...

    def attributes(self, path: str) -> Attributes:
        """The attributes (AVUs) of an object at a final path. Raises MissingObject."""
        ...

    def set_attributes(self, path: str, attributes: Mapping[str, str]) -> None:
        """Give each of these attributes this one value, all of them or none; others stay. Raises MissingObject.

        They are kept as `attributes.clean` makes them. An object's bytes, checksum and path do not change.
        """
        ...

    def list(self, folder: str = "") -> Iterator[ObjectState]:
        """Each object in `folder` and below, in pages, memory bounded, in no order; the staging root is left out."""
        ...

    def list_staged(self) -> Iterator[ObjectState]:
        """Each object below the staging root; `path` is its staged name."""
        ...

    def close(self) -> None:
        """Close the connections of all threads; the store may be used again afterwards."""
        ...
