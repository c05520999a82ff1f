"""Finding what a logical path names."""

import sqlite3
from dataclasses import dataclass

from b2stream.sandbox.zone.numbers import Code, Refusal

# MAX_NAME_LEN of iRODS; a longer path does not fit its structures.
LONGEST_PATH_BYTES = 1087


@dataclass(slots=True)
class Collection:
    """One row of r_coll_main, the part that calls need."""

    coll_id: int
    path: str


@dataclass(slots=True)
class DataObject:
    """One row of r_data_main: an object and, with one resource, its only replica."""

    data_id: int
    coll_id: int
    name: str
    size_bytes: int
    file: str
    status: int
    checksum: str


_DATA_COLUMNS = "data_id, coll_id, data_name, data_size, data_path, data_is_dirty, data_checksum"


def check_path(path: str) -> str:
    """The path without a trailing slash.

    Raises USER_PACKSTRUCT_INPUT_ERR when it is too long for the protocol, USER_INPUT_PATH_ERR when it is not absolute or
    has steps that would lead out of the vault.
    """
    if len(path.encode("utf-8", "surrogateescape")) > LONGEST_PATH_BYTES:
        raise Refusal(Code.USER_PACKSTRUCT_INPUT_ERR)
    path = path.rstrip("/")
    first, *steps = path.split("/")
    if first or any(step in ("", ".", "..") or "\0" in step for step in steps):
        raise Refusal(Code.USER_INPUT_PATH_ERR)
    return path or "/"


def split(path: str) -> tuple[str, str]:
    """Parent and name of a path."""
    parent, _, name = path.rpartition("/")
    return parent or "/", name


def find_collection(db: sqlite3.Connection, path: str) -> Collection | None:
    """The collection at that path, if there is one."""
    row = db.execute("SELECT coll_id FROM r_coll_main WHERE coll_name = ?", (path,)).fetchone()
    return None if row is None else Collection(int(row[0]), path)


def find_object(db: sqlite3.Connection, path: str) -> DataObject | None:
    """The data object at that path, if there is one."""
    parent, name = split(path)
    row = db.execute(
        f"SELECT {_DATA_COLUMNS} FROM r_data_main WHERE data_name = ? AND coll_id ="  # noqa: S608 (a constant)
        " (SELECT coll_id FROM r_coll_main WHERE coll_name = ?)",
        (name, parent),
    ).fetchone()
    return None if row is None else DataObject(*row)


def object_by_id(db: sqlite3.Connection, data_id: int) -> DataObject | None:
    """The data object of that id, if it is still there."""
    row = db.execute(
        f"SELECT {_DATA_COLUMNS} FROM r_data_main WHERE data_id = ?",  # noqa: S608 (a constant)
        (data_id,),
    ).fetchone()
    return None if row is None else DataObject(*row)


def below(path: str) -> tuple[str, str]:
    """Bounds for `coll_name >= ? AND coll_name < ?` that hold for everything below a collection."""
    return path + "/", path + "0"  # "0" follows "/" in UTF-8
