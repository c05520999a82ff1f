"""Reading a batch's objects from a centre: nothing is handed out before size and SHA-256 of all of it are the event's."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from typing import IO, Protocol

from b2stream.batches.manifest import Manifest, read_manifest
from b2stream.errors import DamagedObject, MissingObject
from b2stream.reader.batch import Batch

IN_MEMORY_BYTES = 64 << 20

Progress = Callable[[int], None]
"""Called with the number of bytes of each piece that was read."""


class Sink(Protocol):
    """Where fetched bytes go."""

    def write(self, piece: bytes, /) -> int: ...


def open_batch(batch: Batch, progress: Progress | None = None) -> IO[bytes]:
    """The data object as an open binary file, at its start; above 64 MiB it lies in a temporary file, gone when closed.

    Its SHA-256 is the commit event's: all of it was read and compared before this returns. Raises MissingObject,
    DamagedObject, Retryable, Fatal.
    """
    event = batch.event
    content = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115  # the caller closes it
    try:
        fetch(batch, event.path, event.size_bytes, event.sha256, content, progress)
    except BaseException:
        content.close()
        raise
    content.seek(0)
    return content


def manifest(batch: Batch) -> Manifest:
    """The batch's manifest, verified like the data object, and speaking of it. Raises as `open_batch` does."""
    return read_manifest(manifest_bytes(batch))


def manifest_bytes(batch: Batch) -> bytes:
    """The manifest's bytes, verified; it names this batch and this data object."""
    event = batch.event
    pieces = _Pieces()
    fetch(batch, event.manifest_path, event.manifest_size_bytes, event.manifest_sha256, pieces)
    content = bytes(pieces)
    try:
        document = json.loads(content)
        named = (document["batch"], document["data_object"]["sha256"], document["data_object"]["size_bytes"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedObject(f"manifest of {batch.about}: {error!r}") from error
    if named != (event.batch, event.sha256, event.size_bytes):
        raise DamagedObject(f"the manifest of {batch.about} names {named}, its commit event does not")
    return content


def fetch(batch: Batch, path: str, size_bytes: int, sha256: str, sink: Sink, progress: Progress | None = None) -> None:
    """Write an object into `sink` and compare it with what the event says. On an error `sink` has part of it."""
    store = batch.store()
    digest, seen_bytes = hashlib.sha256(), 0
    try:
        for piece in store.read(path):
            digest.update(piece)
            seen_bytes += len(piece)
            if seen_bytes > size_bytes:
                break
            sink.write(piece)
            if progress is not None:
                progress(len(piece))
    except MissingObject as error:
        raise MissingObject(f"{batch.about}: {error.detail}") from error
    except DamagedObject as error:
        raise DamagedObject(f"{batch.about}: {error.detail}") from error
    if seen_bytes != size_bytes or digest.hexdigest() != sha256:
        more = "more than " if seen_bytes > size_bytes else ""
        raise DamagedObject(
            f"{batch.about}: {store.url(path)} has {more}{min(seen_bytes, size_bytes)} bytes with SHA-256"
            f" {digest.hexdigest()}; committed were {size_bytes} bytes with {sha256}"
        )


class _Pieces(bytearray):
    def write(self, piece: bytes, /) -> int:
        self += piece
        return len(piece)
