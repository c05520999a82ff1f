"""One gateway per journal; and how trouble with its files is told."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from b2stream.errors import Fatal


class JournalFailed(Fatal):
    """The journal cannot be read or written, and without it nothing may be published: free the disk, or mend what is named here."""

    reason = "journal_failed"


class JournalInUse(Fatal):
    """Another gateway works with this journal: stop it, or give this one its own folder and journal."""

    reason = "journal_in_use"


@contextmanager
def translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise JournalFailed(f"{path}: {error}") from error


class JournalLock:
    """Held by the one gateway that works with a journal, for as long as its process lives.

    A second SQLite file with an exclusive transaction: the operating system frees it after a kill, on every system alike.
    """

    def __init__(self, journal: Path) -> None:
        path = journal.with_name(journal.name + ".lock")
        with translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            self._db.close()
            if "locked" in str(error):
                raise JournalInUse(str(journal)) from error
            raise JournalFailed(f"{path}: {error}") from error

    def release(self) -> None:
        """Let another gateway have it."""
        self._db.close()
