"""A file's content, taken so that all of it is of one moment.

A file up to the parsing limit is read once into memory, and everything (rows, digests, blocks) comes from these bytes. A larger one
stays on disk and is read again for each pass; whoever reads it compares the digest of what he read with `raw_sha256`.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from b2stream.batches.identity import sha256_hex
from b2stream.errors import Retryable
from b2stream.formats.base import PARSE_LIMIT_BYTES
from b2stream.programs.gateway.watch import Seen, Signature

_PASS_BYTES = 1 << 20


class FileChanged(Retryable):
    """The file changed while it was read: it is taken anew once it has settled."""

    reason = "file_changed"


class FileUnreadable(Retryable):
    """The file cannot be read: give the gateway's user the right to, or see what is wrong with the disk; it is tried again."""

    reason = "file_unreadable"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of a file. `content` is None for a file that stays on disk because it is too large to be parsed."""

    name: str
    path: Path
    signature: Signature
    raw_sha256: str
    content: bytes | None

    @property
    def size_bytes(self) -> int:
        return self.signature.size_bytes

    def pieces(self, ends: Iterable[int]) -> Iterator[memoryview]:
        """The content cut at these byte positions. Raises FileChanged where the file on disk became shorter, FileUnreadable."""
        begin = 0
        if self.content is not None:
            for end in ends:
                yield memoryview(self.content)[begin:end]
                begin = end
            return
        try:
            with open(self.path, "rb") as file:
                for end in ends:
                    piece = file.read(end - begin)
                    if len(piece) < end - begin:
                        raise FileChanged(f"{self.name} became shorter")
                    yield memoryview(piece)
                    begin = end
        except OSError as error:
            raise FileUnreadable(f"{self.name}: {error.strerror}") from error


def take(seen: Seen, limit_bytes: int = PARSE_LIMIT_BYTES) -> Snapshot:
    """Read a file that the folder calls complete. Raises FileChanged where it no longer looks as the folder saw it, FileUnreadable."""
    try:
        with open(seen.path, "rb") as file:
            _require(seen, Signature.of(os.fstat(file.fileno())))
            if seen.signature.size_bytes <= limit_bytes:
                content: bytes | None = file.read()
                raw_sha256 = sha256_hex(content or b"")
            else:
                content, running = None, hashlib.sha256()
                while piece := file.read(_PASS_BYTES):
                    running.update(piece)
                raw_sha256 = running.hexdigest()
        # Asked by name again: a file that was replaced by a rename meanwhile is another one.
        _require(seen, Signature.of(seen.path.stat()))
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise FileChanged(f"{seen.name} is gone") from error
        raise FileUnreadable(f"{seen.name}: {error.strerror}") from error
    if content is not None and len(content) != seen.signature.size_bytes:
        raise FileChanged(f"{seen.name}: {len(content)} bytes were read of {seen.signature.size_bytes}")
    return Snapshot(seen.name, seen.path, seen.signature, raw_sha256, content)


def _require(seen: Seen, found: Signature) -> None:
    if found != seen.signature:
        raise FileChanged(seen.name)
