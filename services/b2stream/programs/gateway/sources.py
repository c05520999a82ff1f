"""The PIDs of what a product was made from, as they stand beside its file: `NAME.sources`, one PID a line.

Lines that are empty or begin with `#` say nothing. The gateway reads it before it takes the file, so it has to be there by then; it
is never published itself. The PIDs are signed with the close and stand in the manifest and its provenance.
"""

import os
import stat
from pathlib import Path

from b2stream.contracts.pids import MOST_SOURCES_CHARACTERS, read_pid
from b2stream.programs.gateway.snapshot import FileChanged, FileUnreadable
from b2stream.programs.gateway.watch import SOURCES_ENDING, Seen, Signature

_LONGEST_BYTES = 4 * MOST_SOURCES_CHARACTERS


class BadSources(FileUnreadable):
    """The list of sources beside a file cannot be used: mend the line named here, and the gateway takes the file by itself."""

    reason = "bad_sources"


def sources_of(path: Path) -> tuple[str, ...]:
    """PIDs of what a file was made from, each once, in the order of its list; none without one. Raises BadSources, FileChanged."""
    beside = _beside(path)
    content, _ = _read(beside)
    return _pids(beside, content)


def settled_sources_of(path: Path, settled: Seen | None) -> tuple[str, ...]:
    """The same of a list that settled as the folder saw it, None where it saw none. Raises FileChanged where it looks other by now."""
    beside = _beside(path)
    content, found = _read(beside)
    if found != (None if settled is None else settled.signature):
        raise FileChanged(beside.name)
    return _pids(beside, content)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + SOURCES_ENDING)


def _read(beside: Path) -> tuple[bytes, Signature | None]:
    """A list's content, of one moment; no signature without a list."""
    try:
        with open(beside, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BadSources(f"{beside.name}: no ordinary file")
            content = file.read(_LONGEST_BYTES + 1)
            if Signature.of(os.fstat(file.fileno())) != Signature.of(status):
                raise FileChanged(beside.name)
    except FileNotFoundError as error:
        if beside.is_symlink():
            raise BadSources(f"{beside.name}: a link that leads nowhere") from error
        return b"", None
    except OSError as error:
        raise BadSources(f"{beside.name}: {error.strerror}") from error
    return content, Signature.of(status)


def _open_at_once(path: str, flags: int) -> int:
    """A pipe without a writer would be waited for; Windows has none in folders, nor the flag."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _pids(beside: Path, content: bytes) -> tuple[str, ...]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadSources(f"{beside.name}: not UTF-8 ({error.reason} at byte {error.start})") from error
    found: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if (written := line.strip()) and not written.startswith("#"):
            pid = read_pid(written)
            if pid is None:
                expected = "no PID; write it as 11676/abc, hdl:11676/abc or https://doi.org/10.18160/abc"
                raise BadSources(f"{beside.name}, line {number}: {written!r:.100} is {expected}")
            found[pid] = None
    if len(content) > _LONGEST_BYTES or len("".join(found)) > MOST_SOURCES_CHARACTERS:
        most = f"more than {MOST_SOURCES_CHARACTERS >> 10} KiB of PIDs"
        raise BadSources(f"{beside.name}: {most}; name a collection that has a PID of its own")
    return tuple(found)
