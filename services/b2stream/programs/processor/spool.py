"""Where the blocks of open attempts wait on disk: one file per attempt, opened only while it is written or read.

So 10,000 open attempts do not need 10,000 file descriptors, and forgetting one is removing its file. Blocks lie there as they came, framing
included. The spool is no ledger: after a crash everything in it is read again from the log. Processes may share a folder: each
has a folder of its own in it, locked while it lives; what a dead one left behind is removed by the next that starts, in the
system's temporary folder too.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from b2stream.batches.assembling import Attempt, Piece

_PREFIX = "b2stream-spool-"


class SpoolFull(Exception):
    """The disk took no more bytes. Internal to the processor: the largest attempt is evicted, then it goes on."""


class Spool:
    """Files of open attempts in a folder of this process below `parent` (empty: the system's temporary folder).

    `size_bytes` is what they hold together; `folder` may hold other files that are to go with this process.
    """

    def __init__(self, parent: str, limit_bytes: int) -> None:
        beside = Path(parent or tempfile.gettempdir())
        beside.mkdir(parents=True, exist_ok=True)
        _remove_left_over(beside)
        self.folder, self._lock = _own_folder(beside)
        self.limit_bytes = limit_bytes
        self.size_bytes = 0
        self._sizes: dict[str, int] = {}

    def append(self, key: str, value: bytes) -> tuple[int, int]:
        """Append a block; its position and size in bytes. Raises SpoolFull where the disk takes no more."""
        position = self._sizes.setdefault(key, 0)
        try:
            with open(self._path(key), "r+b" if position else "wb", buffering=0) as file:
                file.seek(position)
                written = file.write(value)
        except OSError as error:
            raise SpoolFull(str(error)) from error
        if written != len(value):
            raise SpoolFull(f"{written} of {len(value)} bytes were written")
        self._sizes[key] = position + len(value)
        self.size_bytes += len(value)
        return position, len(value)

    def read(self, key: str, pieces: Iterable[Piece]) -> Iterator[bytes]:
        """The blocks, one by one. May run in another thread: it never moves the file's position."""
        with open(self._path(key), "rb", buffering=0) as file:
            for piece in pieces:
                value = os.pread(file.fileno(), piece.size_bytes, piece.position)
                assert len(value) == piece.size_bytes, f"spool {key}: {len(value)} bytes at {piece.position}"
                yield value

    def is_same(self, key: str, piece: Piece, value: bytes) -> bool:
        """Whether a kept block has these bytes."""
        return piece.size_bytes == len(value) and next(self.read(key, [piece])) == value

    def forget(self, key: str) -> None:
        """Remove an attempt's blocks."""
        if key in self._sizes:
            self.size_bytes -= self._sizes.pop(key)
            self._path(key).unlink(missing_ok=True)

    def over_budget(self) -> bool:
        """Whether the largest attempt must be evicted."""
        return self.size_bytes > self.limit_bytes

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.blocks"


def _own_folder(parent: Path) -> tuple[Path, int]:
    """A new folder and its lock. Another process that starts now may take it for left over before it is locked: then another one."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder, lock
        os.close(lock)


def _remove_left_over(folder: Path) -> None:
    """Folders of processes that are dead: nobody holds their lock."""
    for left_over in folder.glob(f"{_PREFIX}*"):
        try:
            lock = os.open(left_over, os.O_RDONLY)
        except OSError:
            continue  # its owner just removed it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left_over, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def spool_key(partition: int, generation: int, attempt: Attempt) -> str:
    """File name of an attempt; the first offset keeps two lives of one attempt apart."""
    return f"{generation}-{partition}-{attempt.first_offset}-{attempt.name}"
