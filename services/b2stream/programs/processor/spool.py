"""Where the blocks of open attempts wait on disk: one file per attempt, of which a few that were written last stay open.

So 10,000 open attempts do not need 10,000 file descriptors, and forgetting one is removing its file. Blocks lie there as they came, framing
included. The spool is no ledger: after a crash everything in it is read again from the log. Processes may share a folder: each
has a folder of its own in it, locked while it lives; what a dead one left behind is removed by the next that starts, in the
system's temporary folder too.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path

from b2stream.batches.assembling import Attempt, Piece

_PREFIX = "b2stream-spool-"
_MOST_OPEN = 64
"""Files that stay open for writing: opening one costs as much as writing 100 KB, and stations send in turns."""


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
        self._open: OrderedDict[str, int] = OrderedDict()  # descriptors, the one written last at the end

    def append(self, key: str, value: bytes) -> tuple[int, int]:
        """Append a block; its position and size in bytes. Raises SpoolFull where the disk takes no more."""
        position = self._sizes.setdefault(key, 0)
        try:
            written = os.pwrite(self._descriptor(key), value, position)
        except OSError as error:
            raise SpoolFull(str(error)) from error
        if written != len(value):
            raise SpoolFull(f"{written} of {len(value)} bytes were written")
        self._sizes[key] = position + len(value)
        self.size_bytes += len(value)
        return position, len(value)

    def read(self, key: str, pieces: Iterable[Piece]) -> Iterator[bytes]:
        """The blocks, one by one. May run in another thread: it never moves the file's position."""
        return read_blocks(self.path(key), ((piece.position, piece.size_bytes) for piece in pieces))

    def is_same(self, key: str, piece: Piece, value: bytes) -> bool:
        """Whether a kept block has these bytes."""
        return piece.size_bytes == len(value) and next(self.read(key, [piece])) == value

    def forget(self, key: str) -> None:
        """Remove an attempt's blocks."""
        if key in self._sizes:
            self.size_bytes -= self._sizes.pop(key)
            self._shut(key)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(key))

    def over_budget(self) -> bool:
        """Whether the largest attempt must be evicted."""
        return self.size_bytes > self.limit_bytes

    def close(self) -> None:
        """Remove everything."""
        for key in list(self._open):
            self._shut(key)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def path(self, key: str) -> str:
        """The file with an attempt's blocks."""
        return f"{self.folder}/{key}.blocks"

    def _descriptor(self, key: str) -> int:
        descriptor = self._open.get(key)
        if descriptor is not None:
            self._open.move_to_end(key)
            return descriptor
        if len(self._open) >= _MOST_OPEN:
            self._shut(next(iter(self._open)))
        is_new = self._sizes[key] == 0
        flags = os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT | os.O_TRUNC if is_new else 0)
        descriptor = self._open[key] = os.open(self.path(key), flags, 0o600)
        return descriptor

    def _shut(self, key: str) -> None:
        descriptor = self._open.pop(key, None)
        if descriptor is not None:
            os.close(descriptor)


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


def read_blocks(path: str, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """What lies at these positions, each of so many bytes; the file is open as long as the iterator lives."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for position, size_bytes in places:
            value = os.pread(descriptor, size_bytes, position)
            assert len(value) == size_bytes, f"{path}: {len(value)} bytes at {position}"
            yield value
    finally:
        os.close(descriptor)


def spool_key(partition: int, generation: int, attempt: Attempt) -> str:
    """File name of an attempt; the first offset keeps two lives of one attempt apart."""
    return f"{generation}-{partition}-{attempt.first_offset}-{attempt.name}"
