"""What an audit has seen so far, in an SQLite file: memory stays bounded, and an audit that was stopped goes on from it.

Facts come in by table; what is wrong comes out by queries (`judging`, `chains`). A manifest that was read, and a checksum that was
recomputed, are kept for as long as the catalogue says the same of their object, and `resuming` lets them count.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

_FORMAT = 5
"""Of the tables, in the file's `user_version`; a file of another format is begun anew."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS audit (subject TEXT PRIMARY KEY, begun_s REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS object (
  centre TEXT, path TEXT, status TEXT, size_bytes INTEGER, sha256 TEXT, modified_s REAL, walk INTEGER,
  recomputed_sha256 TEXT, recomputed_bytes INTEGER, recomputed_at_s REAL, PRIMARY KEY (centre, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS staged (
  centre TEXT, name TEXT, modified_s REAL, PRIMARY KEY (centre, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS manifest (
  path TEXT PRIMARY KEY, sha256 TEXT, size_bytes INTEGER, trouble TEXT, batch TEXT, station TEXT, series TEXT, number INTEGER,
  previous TEXT, digest TEXT, attempt TEXT, data_path TEXT, data_size_bytes INTEGER, data_sha256 TEXT, stop_us INTEGER,
  closed_at_us INTEGER, forged TEXT, judged_at_s REAL, topic_id TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS committed (
  batch TEXT PRIMARY KEY, station TEXT, series TEXT, number INTEGER, attempt TEXT, path TEXT, size_bytes INTEGER, sha256 TEXT,
  manifest_path TEXT, manifest_size_bytes INTEGER, manifest_sha256 TEXT, id24 TEXT, pid TEXT, url TEXT, stop_us INTEGER,
  partition INTEGER, offset INTEGER, appended_at_us INTEGER, closed_at_us INTEGER, policy TEXT, copies INTEGER,
  topic_id TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replicated (
  batch TEXT, centre TEXT, url TEXT, partition INTEGER, offset INTEGER, appended_at_us INTEGER,
  PRIMARY KEY (batch, centre)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pid (
  folded TEXT PRIMARY KEY, handle TEXT, checksum TEXT, replica TEXT, stated TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unserved (prefix TEXT PRIMARY KEY, detail TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS superseded (
  attempt TEXT PRIMARY KEY, station TEXT, series TEXT, by_number INTEGER, by_topic TEXT, by_partition INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS skipped (topic_id TEXT, partition INTEGER, PRIMARY KEY (topic_id, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS link (
  station TEXT, series TEXT, number INTEGER, digest TEXT, previous TEXT, batch TEXT, stop_us INTEGER, source TEXT,
  attempt TEXT, topic_id TEXT,
  PRIMARY KEY (station, series, number, digest)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claimed (
  station TEXT, series TEXT, number INTEGER, digest TEXT, previous TEXT, batch TEXT, stop_us INTEGER, source TEXT,
  attempt TEXT, topic_id TEXT,
  PRIMARY KEY (station, series, number, digest)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS close (
  topic_id TEXT, partition INTEGER, offset INTEGER, batch TEXT, station TEXT, series TEXT, attempt TEXT, data_path TEXT,
  appended_at_us INTEGER, PRIMARY KEY (topic_id, partition, offset)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS letter (
  id TEXT PRIMARY KEY, station TEXT, attempt TEXT, batch TEXT, reason TEXT, detail TEXT, poison INTEGER,
  appended_at_us INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS done (
  program TEXT, partition INTEGER, next_offset INTEGER, PRIMARY KEY (program, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checked (
  centre TEXT, path TEXT, at_us INTEGER, good_at_us INTEGER, trouble TEXT, PRIMARY KEY (centre, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (
  path TEXT, centre TEXT, size_bytes INTEGER, sha256 TEXT, PRIMARY KEY (path, centre)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS apart (
  path TEXT, centre TEXT, size_bytes INTEGER, sha256 TEXT, PRIMARY KEY (path, centre)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS day (path TEXT PRIMARY KEY, sha256 TEXT, centre TEXT, trouble TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS active (station TEXT, day TEXT, PRIMARY KEY (station, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantined (
  centre TEXT, path TEXT, modified_s REAL, PRIMARY KEY (centre, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS told_aside (centre TEXT, path TEXT, PRIMARY KEY (centre, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unproven (
  partition INTEGER PRIMARY KEY, before_us INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS object_path ON object (path);
CREATE INDEX IF NOT EXISTS letter_attempt ON letter (attempt);
CREATE INDEX IF NOT EXISTS letter_batch ON letter (batch);
CREATE INDEX IF NOT EXISTS committed_path ON committed (path);
CREATE INDEX IF NOT EXISTS committed_manifest ON committed (manifest_path);
CREATE INDEX IF NOT EXISTS committed_id24 ON committed (id24);
CREATE INDEX IF NOT EXISTS committed_attempt ON committed (attempt);
CREATE INDEX IF NOT EXISTS manifest_batch ON manifest (batch);
CREATE INDEX IF NOT EXISTS manifest_number ON manifest (station, series, number);
CREATE INDEX IF NOT EXISTS manifest_data ON manifest (data_path);
CREATE INDEX IF NOT EXISTS close_data ON close (data_path);
CREATE INDEX IF NOT EXISTS link_attempt ON link (attempt);
CREATE INDEX IF NOT EXISTS close_attempt ON close (attempt);
CREATE INDEX IF NOT EXISTS manifest_attempt ON manifest (attempt);
CREATE TABLE IF NOT EXISTS expected (
  batch TEXT, path TEXT, size_bytes INTEGER, sha256 TEXT);
CREATE INDEX IF NOT EXISTS expected_path ON expected (path);
CREATE INDEX IF NOT EXISTS expected_batch ON expected (batch);
CREATE TABLE IF NOT EXISTS whole (batch TEXT, centre TEXT, PRIMARY KEY (batch, centre)) WITHOUT ROWID;
"""
_DERIVED = (
    # What must be there: what commit events name, and what manifests name that no event names.
    "DELETE FROM expected",
    "INSERT INTO expected SELECT batch, path, size_bytes, sha256 FROM committed",
    "INSERT INTO expected SELECT batch, manifest_path, manifest_size_bytes, manifest_sha256 FROM committed",
    "INSERT INTO expected SELECT batch, data_path, data_size_bytes, data_sha256 FROM manifest "
    "WHERE trouble IS NULL AND NOT EXISTS (SELECT 1 FROM committed c WHERE c.manifest_path = manifest.path)",
    "INSERT INTO expected SELECT batch, path, size_bytes, sha256 FROM manifest "
    "WHERE trouble IS NULL AND NOT EXISTS (SELECT 1 FROM committed c WHERE c.manifest_path = manifest.path)",
    # Which batches a centre has whole: both objects, as they must be.
    "DELETE FROM whole",
    "INSERT INTO whole SELECT e.batch, o.centre FROM expected e JOIN object o ON o.path = e.path "
    "WHERE o.status = 'good' AND o.size_bytes = e.size_bytes AND o.sha256 = e.sha256 "
    "AND (o.recomputed_sha256 IS NULL OR o.recomputed_sha256 = e.sha256) GROUP BY e.batch, o.centre HAVING count(*) = 2",
)
_LOG_TABLES = (
    "committed",
    "replicated",
    "superseded",
    "skipped",
    "link",
    "claimed",
    "close",
    "letter",
    "checked",
    "unproven",
    "kept",
    "active",
    "told_aside",
)
_CACHE_KIB = 32 * 1024


class Index:
    """The tables. `path` is the file that keeps them; None: a private one that goes with this object."""

    def __init__(self, path: Path | None = None) -> None:
        self._database = sqlite3.connect(str(path or ""), isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.execute("PRAGMA synchronous = OFF")  # an index that is lost is made again
        if self._database.execute("PRAGMA user_version").fetchone()[0] != _FORMAT:
            for table in self._tables():
                self._database.execute(f"DROP TABLE {table}")
            self._database.execute(f"PRAGMA user_version = {_FORMAT}")
        self._database.executescript(_SCHEMA)
        self._database.execute("BEGIN")

    def put(self, table: str, rows: Iterable[Mapping[str, Any]], *, keep_first: bool = False) -> None:
        """Write rows, given by column; a row with the same key is replaced, or kept with `keep_first`."""
        verb = "INSERT OR IGNORE" if keep_first else "INSERT OR REPLACE"
        for row in rows:
            columns, marks = ", ".join(row), ", ".join("?" * len(row))
            self._database.execute(f"{verb} INTO {table} ({columns}) VALUES ({marks})", tuple(row.values()))

    def note_check(self, centre: str, path: str, at_us: int, trouble: str | None) -> None:
        """Write down a fixity check, or a copy that repair placed and verified; the latest counts. `trouble` None: it was good."""
        self._database.execute(
            "INSERT INTO checked (centre, path, at_us, good_at_us, trouble) VALUES (:centre, :path, :at, :good_at, :trouble) "
            "ON CONFLICT DO UPDATE SET trouble = iif(:at >= at_us, :trouble, trouble), at_us = max(at_us, :at), "
            "good_at_us = max(coalesce(good_at_us, 0), coalesce(:good_at, 0))",
            {"centre": centre, "path": path, "at": at_us, "good_at": None if trouble else at_us, "trouble": trouble},
        )

    def run(self, statement: str, **values: Any) -> None:
        """Run one statement."""
        self._database.execute(statement, values)

    def rows(self, query: str, **values: Any) -> Iterator[sqlite3.Row]:
        """The rows of a query, one by one."""
        yield from self._database.execute(query, values)

    def one(self, query: str, **values: Any) -> sqlite3.Row | None:
        """The first row of a query."""
        found: sqlite3.Row | None = self._database.execute(query, values).fetchone()
        return found

    def count(self, table: str) -> int:
        """How many rows a table has."""
        found = self.one(f"SELECT count(*) AS n FROM {table}")  # noqa: S608
        return int(found["n"]) if found else 0

    def derive(self) -> None:
        """Work out, from what was put so far, what is expected and which batches are whole where."""
        for statement in _DERIVED:
            self._database.execute(statement)

    def forget_everything(self) -> None:
        """Begin anew."""
        for table in self._tables():
            self._database.execute(f"DELETE FROM {table}")  # noqa: S608

    def _tables(self) -> list[str]:
        found = self._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return [row["name"] for row in found.fetchall()]

    def forget_log(self) -> None:
        """Forget what was read from Kafka: it is read again from its beginning, which is cheap beside the centres."""
        for table in _LOG_TABLES:
            self._database.execute(f"DELETE FROM {table}")  # noqa: S608

    def keep(self) -> None:
        """Write to disk what was put so far."""
        self._database.execute("COMMIT")
        self._database.execute("BEGIN")

    def close(self) -> None:
        self._database.execute("COMMIT")
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
