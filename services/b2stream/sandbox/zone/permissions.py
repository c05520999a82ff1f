"""Who may do what: iRODS's native access lists, of objects and of collections alike.

An administrator is an ordinary user here until a call carries the administrator's keyword; only queries show an
administrator everything, as in iRODS.
"""

import sqlite3

from b2stream.sandbox.zone.catalogue import ACCESS_LEVELS, MODIFY_OBJECT, NULL_ACCESS, OWN, READ_OBJECT
from b2stream.sandbox.zone.numbers import Code, Refusal
from b2stream.sandbox.zone.people import User

# What the client may write for a level, besides the catalogue's own names.
_SYNONYMS = {"read": READ_OBJECT, "write": MODIFY_OBJECT, "own": OWN, "null": NULL_ACCESS}


def access_level(name: str) -> int:
    """The number of a level by any of its names. Raises CAT_INVALID_ARGUMENT for an unknown one."""
    name = name.replace(" ", "_")
    for level, known in ACCESS_LEVELS.items():
        if name == known:
            return level
    if name not in _SYNONYMS:
        raise Refusal(Code.CAT_INVALID_ARGUMENT)
    return _SYNONYMS[name]


def access_of(db: sqlite3.Connection, user: User, object_id: int) -> int:
    """The user's highest level on an object or collection, own or by group."""
    (level,) = db.execute(
        "SELECT max(access_type_id) FROM r_objt_access WHERE object_id = ? AND user_id IN"
        " (SELECT group_user_id FROM r_user_group WHERE user_id = ?)",
        (object_id, user.user_id),
    ).fetchone()
    return int(level or 0)


def require(db: sqlite3.Connection, user: User, object_id: int, level: int, message: str = "") -> None:
    """Raise CAT_NO_ACCESS_PERMISSION unless the user has that level."""
    if access_of(db, user, object_id) < level:
        raise Refusal(Code.CAT_NO_ACCESS_PERMISSION, message)


def grant(db: sqlite3.Connection, object_id: int, user_id: int, level: int) -> None:
    """Set one entry of an access list; the level null removes it."""
    if level == NULL_ACCESS:
        db.execute("DELETE FROM r_objt_access WHERE object_id = ? AND user_id = ?", (object_id, user_id))
    else:
        db.execute("INSERT OR REPLACE INTO r_objt_access VALUES (?, ?, ?)", (object_id, user_id, level))


def bequeath(db: sqlite3.Connection, collection_id: int, object_id: int, creator: User) -> bool:
    """The access list of something new: its creator's, and the collection's too where that has inheritance switched on.

    Returns whether it has.
    """
    (inheritance,) = db.execute(
        "SELECT coll_inheritance FROM r_coll_main WHERE coll_id = ?", (collection_id,)
    ).fetchone()
    if inheritance == "1":
        db.execute(
            "INSERT INTO r_objt_access SELECT ?, user_id, access_type_id FROM r_objt_access WHERE object_id = ?",
            (object_id, collection_id),
        )
    grant(db, object_id, creator.user_id, OWN)
    return bool(inheritance == "1")
