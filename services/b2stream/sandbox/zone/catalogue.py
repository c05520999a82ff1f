"""The zone's catalogue: one SQLite file, laid out like the tables of a real iCAT.

The tables keep iRODS's names because GenQuery is defined in terms of them. Readers have a connection per thread;
changes go through one connection behind a lock, one transaction per change, committed before the client is answered.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OWN = 1200
MODIFY_OBJECT = 1120
READ_OBJECT = 1050
NULL_ACCESS = 1000

# r_tokn_main of a real catalogue, the part that the access levels need.
ACCESS_LEVELS = {
    NULL_ACCESS: "null",
    1040: "read_metadata",
    READ_OBJECT: "read_object",
    1070: "create_metadata",
    1080: "modify_metadata",
    1090: "delete_metadata",
    1110: "create_object",
    MODIFY_OBJECT: "modify_object",
    1130: "delete_object",
    OWN: "own",
}


SCHEMA = """
CREATE TABLE IF NOT EXISTS r_sequence (next_id INTEGER NOT NULL);
INSERT INTO r_sequence SELECT 10000 WHERE NOT EXISTS (SELECT 1 FROM r_sequence);
CREATE TABLE IF NOT EXISTS r_zone_main (
  zone_id INTEGER PRIMARY KEY, zone_name TEXT NOT NULL UNIQUE, zone_type_name TEXT NOT NULL DEFAULT 'local');
CREATE TABLE IF NOT EXISTS r_user_main (
  user_id INTEGER PRIMARY KEY, user_name TEXT NOT NULL, user_type_name TEXT NOT NULL, zone_name TEXT NOT NULL,
  user_info TEXT NOT NULL DEFAULT '', r_comment TEXT NOT NULL DEFAULT '', create_ts TEXT NOT NULL,
  modify_ts TEXT NOT NULL, UNIQUE (user_name, zone_name));
CREATE TABLE IF NOT EXISTS r_user_group (
  group_user_id INTEGER NOT NULL, user_id INTEGER NOT NULL, PRIMARY KEY (user_id, group_user_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS r_resc_main (
  resc_id INTEGER PRIMARY KEY, resc_name TEXT NOT NULL UNIQUE, zone_name TEXT NOT NULL,
  resc_type_name TEXT NOT NULL DEFAULT 'unixfilesystem', resc_class_name TEXT NOT NULL DEFAULT 'cache',
  resc_net TEXT NOT NULL DEFAULT 'localhost', resc_def_path TEXT NOT NULL, free_space TEXT NOT NULL DEFAULT '',
  free_space_ts TEXT NOT NULL DEFAULT '', r_comment TEXT NOT NULL DEFAULT '', resc_status TEXT NOT NULL DEFAULT '',
  resc_children TEXT NOT NULL DEFAULT '', resc_context TEXT NOT NULL DEFAULT '', resc_parent TEXT NOT NULL DEFAULT '',
  resc_parent_context TEXT NOT NULL DEFAULT '', create_ts TEXT NOT NULL, modify_ts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS r_coll_main (
  coll_id INTEGER PRIMARY KEY, coll_name TEXT NOT NULL UNIQUE, parent_coll_name TEXT NOT NULL,
  coll_owner_name TEXT NOT NULL, coll_owner_zone TEXT NOT NULL, coll_map_id INTEGER NOT NULL DEFAULT 0,
  coll_inheritance TEXT NOT NULL DEFAULT '', r_comment TEXT NOT NULL DEFAULT '', create_ts TEXT NOT NULL,
  modify_ts TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS r_coll_parent ON r_coll_main (parent_coll_name);
CREATE TABLE IF NOT EXISTS r_data_main (
  data_id INTEGER PRIMARY KEY, coll_id INTEGER NOT NULL, data_name TEXT NOT NULL,
  data_repl_num INTEGER NOT NULL DEFAULT 0, data_version TEXT NOT NULL DEFAULT '',
  data_type_name TEXT NOT NULL DEFAULT 'generic', data_size INTEGER NOT NULL DEFAULT 0, resc_id INTEGER NOT NULL,
  data_path TEXT NOT NULL, data_owner_name TEXT NOT NULL, data_owner_zone TEXT NOT NULL,
  data_is_dirty INTEGER NOT NULL, data_status TEXT NOT NULL DEFAULT '', data_checksum TEXT NOT NULL DEFAULT '',
  data_expiry_ts TEXT NOT NULL DEFAULT '00000000000', data_map_id INTEGER NOT NULL DEFAULT 0,
  r_comment TEXT NOT NULL DEFAULT '', create_ts TEXT NOT NULL, modify_ts TEXT NOT NULL, access_ts TEXT NOT NULL,
  UNIQUE (coll_id, data_name));
CREATE INDEX IF NOT EXISTS r_data_name ON r_data_main (data_name);
CREATE TABLE IF NOT EXISTS r_meta_main (
  meta_id INTEGER PRIMARY KEY, meta_attr_name TEXT NOT NULL, meta_attr_value TEXT NOT NULL,
  meta_attr_unit TEXT NOT NULL, create_ts TEXT NOT NULL, modify_ts TEXT NOT NULL,
  UNIQUE (meta_attr_name, meta_attr_value, meta_attr_unit));
CREATE TABLE IF NOT EXISTS r_objt_metamap (
  object_id INTEGER NOT NULL, meta_id INTEGER NOT NULL, create_ts TEXT NOT NULL, modify_ts TEXT NOT NULL,
  PRIMARY KEY (object_id, meta_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS r_objt_meta ON r_objt_metamap (meta_id);
CREATE TABLE IF NOT EXISTS r_objt_access (
  object_id INTEGER NOT NULL, user_id INTEGER NOT NULL, access_type_id INTEGER NOT NULL,
  PRIMARY KEY (object_id, user_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS r_tokn_main (
  token_id INTEGER PRIMARY KEY, token_namespace TEXT NOT NULL, token_name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS zone_passwords (user_id INTEGER PRIMARY KEY, password TEXT NOT NULL);
"""


def now() -> str:
    """The time as the catalogue stores it: seconds since 1970, eleven digits."""
    return f"{int(time.time()):011d}"


def next_id(db: sqlite3.Connection) -> int:
    """A fresh id; objects, collections, users and AVUs share one sequence."""
    (number,) = db.execute("UPDATE r_sequence SET next_id = next_id + 1 RETURNING next_id - 1").fetchone()
    return int(number)


class Catalogue:
    """The catalogue's file and its connections."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._readers = threading.local()
        self._writer = self._connect()
        self._writer.executescript(SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30)
        # WAL with synchronous=NORMAL: a commit survives the death of this process at any moment (the faults that tests
        # inject); only a crash of the whole machine may lose the last ones, which a sandbox can afford.
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        # PostgreSQL's LIKE, and so GenQuery's, is case sensitive.
        db.execute("PRAGMA case_sensitive_like=ON")
        db.create_function("upper", 1, lambda text: text.upper() if isinstance(text, str) else text, deterministic=True)
        return db

    def reader(self) -> sqlite3.Connection:
        """This thread's connection for reading; it sees everything committed so far."""
        db: sqlite3.Connection | None = getattr(self._readers, "db", None)
        if db is None:
            db = self._readers.db = self._connect()
        return db

    def release_reader(self) -> None:
        """Close this thread's connection for reading."""
        db: sqlite3.Connection | None = getattr(self._readers, "db", None)
        if db is not None:
            db.close()
            self._readers.db = None

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One change of state: committed when the block ends, undone when it raises."""
        with self._lock:
            db = self._writer
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def close(self) -> None:
        """Close the connection for changes; what was answered is on disk already."""
        with self._lock:
            self._writer.close()
