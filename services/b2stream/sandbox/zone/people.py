"""What a zone is born with: its users, the public group, the resource, the home and trash collections."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from b2stream.sandbox.zone.catalogue import ACCESS_LEVELS, OWN, READ_OBJECT, next_id, now

PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class User:
    """Who is on the other end of a connection."""

    user_id: int
    name: str
    zone: str
    administrator: bool


def found_zone(db: sqlite3.Connection, zone: str, resource: str, vault: str) -> None:
    """Write the zone, its access levels, its resource, the public group and the collections that everyone may read."""
    time = now()
    if not db.execute("SELECT 1 FROM r_zone_main").fetchone():
        db.execute("INSERT INTO r_zone_main (zone_id, zone_name) VALUES (?, ?)", (next_id(db), zone))
        for level, name in ACCESS_LEVELS.items():
            db.execute("INSERT INTO r_tokn_main VALUES (?, 'access_type', ?)", (level, name))
        _add_user(db, PUBLIC, "rodsgroup", zone)
        db.execute(
            "INSERT INTO r_resc_main (resc_id, resc_name, zone_name, resc_def_path, create_ts, modify_ts)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (next_id(db), resource, zone, vault, time, time),
        )
    else:  # the directory may have been moved since
        db.execute("UPDATE r_resc_main SET resc_def_path = ?", (vault,))


def found_user(db: sqlite3.Connection, zone: str, name: str, password: str, *, administrator: bool) -> None:
    """Add a user with home and trash, or set the password of one that is there."""
    user = find_user(db, name, zone)
    if user is None:
        kind = "rodsadmin" if administrator else "rodsuser"
        user = User(_add_user(db, name, kind, zone), name, zone, administrator)
        (public,) = db.execute("SELECT user_id FROM r_user_main WHERE user_name = ?", (PUBLIC,)).fetchone()
        for group in (user.user_id, int(public)):
            db.execute("INSERT INTO r_user_group VALUES (?, ?)", (group, user.user_id))
        for path in ("/", f"/{zone}", f"/{zone}/home", f"/{zone}/trash", f"/{zone}/trash/home"):
            _found_collection(db, path, user, int(public), READ_OBJECT)
        for path in (f"/{zone}/home/{name}", f"/{zone}/trash/home/{name}"):
            _found_collection(db, path, user, user.user_id, OWN)
    db.execute("INSERT OR REPLACE INTO zone_passwords VALUES (?, ?)", (user.user_id, password))


def find_user(db: sqlite3.Connection, name: str, zone: str) -> User | None:
    """The user of that name and zone, if there is one."""
    row = db.execute(
        "SELECT user_id, user_type_name FROM r_user_main"
        " WHERE user_name = ? AND zone_name = ? AND user_type_name <> 'rodsgroup'",
        (name, zone),
    ).fetchone()
    return None if row is None else User(int(row[0]), name, zone, row[1] == "rodsadmin")


def password_of(db: sqlite3.Connection, user: User) -> str:
    """The password, in clear as native authentication needs it (and a laptop can stand)."""
    (password,) = db.execute("SELECT password FROM zone_passwords WHERE user_id = ?", (user.user_id,)).fetchone()
    return str(password)


def read_passwords(text: str, user: str) -> Mapping[str, str]:
    """A password file: the first line is the password of `user`, further lines are `name:password` of other users."""
    first, *others = text.splitlines() or [""]
    passwords = {user: first.strip()}
    for line in others:
        name, colon, password = line.partition(":")
        if colon:
            passwords[name.strip()] = password.strip()
    return passwords


def _add_user(db: sqlite3.Connection, name: str, kind: str, zone: str) -> int:
    user_id, time = next_id(db), now()
    db.execute(
        "INSERT INTO r_user_main (user_id, user_name, user_type_name, zone_name, create_ts, modify_ts)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (user_id, name, kind, zone, time, time),
    )
    return user_id


def _found_collection(db: sqlite3.Connection, path: str, owner: User, reader_id: int, level: int) -> None:
    if db.execute("SELECT 1 FROM r_coll_main WHERE coll_name = ?", (path,)).fetchone():
        return
    coll_id, time = next_id(db), now()
    parent = path.rpartition("/")[0] or "/"
    db.execute(
        "INSERT INTO r_coll_main (coll_id, coll_name, parent_coll_name, coll_owner_name, coll_owner_zone, create_ts,"
        " modify_ts) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (coll_id, path, parent, owner.name, owner.zone, time, time),
    )
    db.execute("INSERT INTO r_objt_access VALUES (?, ?, ?)", (coll_id, owner.user_id, OWN))
    if reader_id != owner.user_id:
        db.execute("INSERT INTO r_objt_access VALUES (?, ?, ?)", (coll_id, reader_id, level))
