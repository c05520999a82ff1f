"""What is to be placed and what was: data objects, manifests, and the pair of them that is a batch."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from b2stream.archive.store import Chunk

MANIFEST_SUFFIX = ".manifest.json"


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
