"""Data objects into a folder: under their path in the archive, each with its manifest beside it, never half written."""

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from b2stream.errors import ConfigurationError, DamagedObject
from b2stream.reader.batch import Batch
from b2stream.reader.fetching import Progress, fetch, manifest_bytes

_READ_BYTES = 1 << 20


def download(batch: Batch, directory: Path | str, progress: Progress | None = None) -> Path:
    """Fetch a data object to `<directory>/<its path in the archive>`, and its manifest beside it; the data object's path.

    Written under a temporary name, compared with commit event and manifest (SHA-256 and size), synced, then renamed. A
    file that is there with the right checksum is kept; one with another is replaced by the archived one. Raises as
    `open_batch` does, ConfigurationError where the folder cannot be written; then nothing lies under the final name that was not there.
    """
    event = batch.event
    target, beside = _below(directory, event.path), _below(directory, event.manifest_path)
    try:
        if not _holds(beside, event.manifest_size_bytes, event.manifest_sha256):
            content = manifest_bytes(batch)
            _write(beside, lambda file: file.write(content) and None)
        if not _holds(target, event.size_bytes, event.sha256):
            _write(target, lambda file: fetch(batch, event.path, event.size_bytes, event.sha256, file, progress))
    except OSError as error:
        raise ConfigurationError(f"{batch.about} cannot be written below {directory}: {error}") from error
    return target


def _below(directory: Path | str, path: str) -> Path:
    """The path below the folder. An event that would lead out of it is refused."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts):
        raise DamagedObject(f"the path {path!r} leads out of {directory}")
    return Path(directory).joinpath(*parts)


def _holds(path: Path, size_bytes: int, sha256: str) -> bool:
    if not path.is_file() or path.stat().st_size != size_bytes:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    return digest.hexdigest() == sha256


def _write(target: Path, fill: Callable[..., None]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own, and not the target's with an ending: long names stay within limits.
    temporary = target.parent / f".b2stream-{secrets.token_hex(8)}.part"
    try:
        with temporary.open("xb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
