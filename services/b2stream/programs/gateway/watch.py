"""The watched folder: which files are there, and which of them are complete.

The folder is polled, because that works alike on every system and on network shares, where change notices get lost. A file is complete
when size, times and inode stayed the same for `settle_s` of this process's own clock; clocks of file servers are not compared with
ours. Two kinds are complete at once: a file that was here under a temporary name before (same inode), and, on POSIX systems, one whose
status changed at least `settle_s` after its content: a rename into the folder does that, and so do `cp -p`, `tar` and `rsync`,
which set the times when all is written. Folders below are left alone. A list of sources (`sources.py`) is no file of its own: a file
is complete when the list beside it is, too.
"""

import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from b2stream.errors import ConfigurationError, Retryable

SOURCES_ENDING = ".sources"
TEMPORARY_ENDS = (".part", ".partial", ".filepart", ".crdownload", ".tmp", "~")
_STATUS_TIME_IS_CHANGE_TIME = os.name == "posix"  # on Windows the same field is the time of creation


class FolderAway(Retryable):
    """The watched folder cannot be read: see whether its disk or share is mounted; the gateway looks again by itself."""

    reason = "folder_away"


@dataclass(frozen=True, slots=True)
class Signature:
    """What changes when a file changes, from one `stat`. Times in nanoseconds since 1970."""

    size_bytes: int
    modified_ns: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Signature":
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@dataclass(frozen=True, slots=True)
class Seen:
    """A file in the folder. `name` is `printable` of its name on disk."""

    name: str
    path: Path
    signature: Signature


@dataclass(frozen=True, slots=True)
class Scan:
    """One look at the folder: files that are complete, oldest first, those that may still be written to, and lists of sources that
    settled; `alone` are those of them whose file is not there, nor on its way under a temporary name."""

    complete: tuple[Seen, ...]
    unsettled: tuple[Seen, ...]
    lists: tuple[Seen, ...] = ()
    alone: tuple[Seen, ...] = ()


def is_temporary(name: str) -> bool:
    """Whether a name says that its file is not for us yet: hidden, or one of the usual names of a transfer that still runs."""
    return name.startswith(".") or name.lower().endswith(TEMPORARY_ENDS)


def is_sources(name: str) -> bool:
    """Whether a name is that of a list of sources, which is never published itself."""
    return name.endswith(SOURCES_ENDING) and name != SOURCES_ENDING


def list_of(name: str) -> str:
    """The file whose sources a list names."""
    return name.removesuffix(SOURCES_ENDING)


def printable(name: str) -> str:
    """The name with bytes that are no UTF-8 written as escapes: journal, messages and manifests hold text."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def check_folder(path: Path) -> None:
    """Raise ConfigurationError where there is no such folder."""
    if not path.is_dir():
        raise ConfigurationError(f"gateway.watch: {path} is no folder")


class Folder:
    """Remembers since when each file has looked as it does now."""

    def __init__(self, path: Path, settle_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._settle_s = settle_s
        self._clock = clock
        self._since: dict[str, tuple[Signature, float]] = {}
        self._temporary: set[int] = set()

    def scan(self) -> Scan:
        """Look once. Raises FolderAway."""
        now = self._clock()
        settled: dict[str, bool] = {}
        present, temporary, coming = self._list()
        for seen in present:
            before, since = self._since.get(seen.name, (None, now))
            since = since if before == seen.signature else now
            at_once = before is None and self._written_before(seen.signature)
            self._since[seen.name] = (seen.signature, now - self._settle_s if at_once else since)
            settled[seen.name] = at_once or now - since >= self._settle_s
        self._since = {seen.name: self._since[seen.name] for seen in present}
        self._temporary = temporary
        files = [seen for seen in present if not is_sources(seen.name)]
        complete = [seen for seen in files if settled[seen.name] and settled.get(seen.name + SOURCES_ENDING, True)]
        is_complete = {seen.name for seen in complete}
        unsettled = [seen for seen in files if seen.name not in is_complete]
        complete.sort(key=lambda seen: (seen.signature.modified_ns, seen.name))
        lists = tuple(seen for seen in present if is_sources(seen.name) and settled[seen.name])
        alone = (seen for seen in lists if list_of(seen.name) not in settled)
        alone = (seen for seen in alone if not any(list_of(seen.name) in name for name in coming))
        return Scan(tuple(complete), tuple(unsettled), lists, tuple(alone))

    def unsettle(self, name: str) -> None:
        """The file changed while it was read: it has to settle anew."""
        if name in self._since:
            self._since[name] = (Signature(-1, 0, 0, 0), self._clock())

    def _list(self) -> tuple[list[Seen], set[int], list[str]]:
        """Files, and the inodes and names of those that have a temporary name."""
        present: list[Seen] = []
        temporary: set[int] = set()
        coming: list[str] = []
        try:
            names = os.listdir(self._path)
        except OSError as error:
            raise FolderAway(f"{self._path}: {error.strerror}") from error
        for name in names:
            path = self._path / name
            try:
                status = path.stat()
            except OSError:  # gone since it was listed, or a link that leads nowhere
                continue
            if is_temporary(name):
                temporary.add(status.st_ino)
                coming.append(printable(name))
            elif stat.S_ISREG(status.st_mode):
                present.append(Seen(printable(name), path, Signature.of(status)))
        return present, temporary, coming

    def _written_before(self, signature: Signature) -> bool:
        renamed = signature.inode != 0 and signature.inode in self._temporary
        quiet_ns = signature.changed_ns - signature.modified_ns
        return renamed or (_STATUS_TIME_IS_CHANGE_TIME and quiet_ns >= max(self._settle_s, 1) * 1e9)
