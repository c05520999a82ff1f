"""The SQLite file of a journal: made or opened, read, and written in transactions that outlive a power cut.

WAL lets `receipts` and `retry` read and write beside a running gateway; synchronous=FULL makes a commit outlive a power cut.
The file must lie on a local disk: WAL needs shared memory.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from b2stream import failpoints
from b2stream.errors import ConfigurationError
from b2stream.programs.gateway.journal.lock import translated
from b2stream.programs.gateway.journal.rows import FROM_VERSION_1, SCHEMA

VERSION = 2
_BUSY_S = 15.0


class JournalFile:
    """Opens or makes the file. Raises JournalFailed, ConfigurationError where it belongs to another station or a later release."""

    def __init__(self, path: Path, station: str | None) -> None:
        self.path = path
        with translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
            self.connection.row_factory = sqlite3.Row
            self._use_wal()
            self.connection.execute("PRAGMA synchronous=FULL")
        with self.written():
            if not self.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone():
                self._run(SCHEMA)
                self.connection.execute("INSERT INTO facts VALUES ('version', ?)", (str(VERSION),))
            elif self.fact("version") == "1":
                self._run(FROM_VERSION_1)
            if self.fact("station") is None and station is not None:
                self.connection.execute("INSERT INTO facts VALUES ('station', ?)", (station,))
        if self.fact("version") != str(VERSION):
            raise ConfigurationError(f"{path} has version {self.fact('version')}, this release reads {VERSION}")
        if station is not None and self.fact("station") != station:
            raise ConfigurationError(f"{path} is the journal of station {self.fact('station')}, not of {station}")

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def read(self, query: str, values: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        """All rows of an answer. Raises JournalFailed."""
        with translated(self.path):
            return self.connection.execute(query, values).fetchall()

    def fact(self, name: str) -> str | None:
        """What stands under a name: version, station; None where nothing does."""
        for row in self.read("SELECT value FROM facts WHERE name = ?", (name,)):
            return str(row["value"])
        return None

    @contextmanager
    def written(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is written when this ends, or nothing. Raises JournalFailed."""
        with translated(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                failpoints.passing("journal write")
                self.connection.execute("COMMIT")
            except BaseException:
                self.connection.rollback()
                raise
        failpoints.passing("journal written")

    def _use_wal(self) -> None:
        """SQLite does not wait for other openers of a new file where it changes to WAL, whatever its timeout; so it is asked again."""
        deadline = time.monotonic() + _BUSY_S
        while True:
            try:
                self.connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def _run(self, script: str) -> None:
        for statement in script.split(";"):  # `executescript` would commit first
            self.connection.execute(statement)
