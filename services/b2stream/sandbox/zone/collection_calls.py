"""Calls on collections: create, remove, rename, access lists."""

import sqlite3

from b2stream.sandbox.zone import names
from b2stream.sandbox.zone.catalogue import MODIFY_OBJECT, OWN, next_id, now
from b2stream.sandbox.zone.messages import Node
from b2stream.sandbox.zone.numbers import Code, Refusal, ReplicaStatus
from b2stream.sandbox.zone.people import User, find_user
from b2stream.sandbox.zone.permissions import access_level, bequeath, grant, require
from b2stream.sandbox.zone.state import Session, Zone


def create(session: Session, request: Node) -> int:
    """COLL_CREATE: with `recursiveOpr` missing parents are made and an existing collection is no error."""
    path = names.check_path(request.value("collName"))
    if path.split("/")[1] != session.zone.name:
        raise Refusal(Code.SYS_INVALID_INPUT_PARAM)
    recursive = "recursiveOpr" in request.keywords()
    with session.zone.catalogue.change() as db:
        if names.find_collection(db, path):
            if recursive:
                return 0
            raise Refusal(Code.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME)
        missing = [path]
        parent = names.find_collection(db, names.split(path)[0])
        while parent is None and recursive:
            missing.append(names.split(missing[-1])[0])
            parent = names.find_collection(db, names.split(missing[-1])[0])
        if parent is None:
            raise Refusal(Code.CAT_UNKNOWN_COLLECTION)
        require(db, session.user, parent.coll_id, MODIFY_OBJECT)
        for step in reversed(missing):
            parent = make_collection(db, session.user, parent, step)
    return 0


def make_collection(db: sqlite3.Connection, user: User, parent: names.Collection, path: str) -> names.Collection:
    """One new collection below `parent`, with its access list."""
    if names.find_object(db, path):
        raise Refusal(Code.CAT_NAME_EXISTS_AS_DATAOBJ)
    coll_id, time = next_id(db), now()
    db.execute(
        "INSERT INTO r_coll_main (coll_id, coll_name, parent_coll_name, coll_owner_name, coll_owner_zone, create_ts,"
        " modify_ts) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (coll_id, path, parent.path, user.name, user.zone, time, time),
    )
    if bequeath(db, parent.coll_id, coll_id, user):
        db.execute("UPDATE r_coll_main SET coll_inheritance = '1' WHERE coll_id = ?", (coll_id,))
    touch(db, parent.coll_id)
    return names.Collection(coll_id, path)


def touch(db: sqlite3.Connection, coll_id: int) -> None:
    """A collection's modify time follows what is added to and taken from it."""
    db.execute("UPDATE r_coll_main SET modify_ts = ? WHERE coll_id = ?", (now(), coll_id))


def remove(session: Session, request: Node) -> int:
    """RM_COLL: an empty one, or with `recursiveOpr` everything below; without `forceFlag` into the trash."""
    path = names.check_path(request.value("collName"))
    keywords = request.keywords()
    zone = session.zone
    files: list[str] = []
    with zone.catalogue.change() as db:
        collection = names.find_collection(db, path)
        if collection is None:
            raise Refusal(Code.CAT_UNKNOWN_COLLECTION)
        require(db, session.user, collection.coll_id, OWN)
        tree = [coll_id for coll_id, _ in _tree(db, path)]
        marks = ",".join("?" * len(tree))
        objects = db.execute(
            f"SELECT data_id, data_path, data_is_dirty FROM r_data_main WHERE coll_id IN ({marks})",  # noqa: S608
            tree,
        ).fetchall()
        if "recursiveOpr" not in keywords and (objects or len(tree) > 1):
            raise Refusal(Code.CAT_COLLECTION_NOT_EMPTY)
        if any(status == ReplicaStatus.INTERMEDIATE for _, _, status in objects):
            raise Refusal(Code.CAT_COLLECTION_NOT_EMPTY)
        if "forceFlag" not in keywords and not path.startswith(f"/{zone.name}/trash/") and objects:
            files = _rename_tree(zone, db, path, _trash_path(zone, session.user, path, db), session.user)
        else:
            for data_id, file, _ in objects:
                forget(db, data_id)
                files.append(file)
            db.execute(f"DELETE FROM r_data_main WHERE coll_id IN ({marks})", tree)  # noqa: S608
            for coll_id in tree:
                forget(db, coll_id)
            db.execute(f"DELETE FROM r_coll_main WHERE coll_id IN ({marks})", tree)  # noqa: S608
    for file in files:
        zone.vault.remove(file)
    return 0


def forget(db: sqlite3.Connection, object_id: int) -> None:
    """Remove access list and AVUs of something that is being removed."""
    db.execute("DELETE FROM r_objt_access WHERE object_id = ?", (object_id,))
    db.execute("DELETE FROM r_objt_metamap WHERE object_id = ?", (object_id,))


def rename(session: Session, source: str, target: str) -> int:
    """DATA_OBJ_RENAME of a collection, with everything below it."""
    zone = session.zone
    with zone.catalogue.change() as db:
        collection = names.find_collection(db, source)
        if collection is None:
            raise Refusal(Code.CAT_NO_ROWS_FOUND)
        if target == source or target.startswith(source + "/"):
            raise Refusal(Code.CAT_RECURSIVE_MOVE)
        if names.find_collection(db, target):
            raise Refusal(Code.CAT_NAME_EXISTS_AS_COLLECTION)
        require(db, session.user, collection.coll_id, OWN)
        files = _rename_tree(zone, db, source, target, session.user)
    for file in files:
        zone.vault.remove(file)
    return 0


def _rename_tree(zone: Zone, db: sqlite3.Connection, source: str, target: str, user: User) -> list[str]:
    """Rename a collection and all below it; returns the files to remove once this is committed."""
    if names.find_object(db, target):
        raise Refusal(Code.CAT_NAME_EXISTS_AS_DATAOBJ)
    parent = names.find_collection(db, names.split(target)[0])
    if parent is None:
        raise Refusal(Code.CAT_UNKNOWN_COLLECTION)
    require(db, user, parent.coll_id, MODIFY_OBJECT)
    files = []
    for coll_id, path in _tree(db, source):
        new_path = target + path[len(source) :]
        db.execute(
            "UPDATE r_coll_main SET coll_name = ?, parent_coll_name = ?, modify_ts = ? WHERE coll_id = ?",
            (new_path, names.split(new_path)[0], now(), coll_id),
        )
        objects = db.execute("SELECT data_id, data_name, data_path FROM r_data_main WHERE coll_id = ?", (coll_id,))
        for data_id, name, file in objects.fetchall():
            new_file = zone.vault.path_of(f"{new_path}/{name}")
            zone.vault.link(file, new_file)
            db.execute("UPDATE r_data_main SET data_path = ? WHERE data_id = ?", (new_file, data_id))
            files.append(file)
    return files


def _tree(db: sqlite3.Connection, path: str) -> list[tuple[int, str]]:
    """Ids and paths of a collection and all below it, top down."""
    return db.execute(
        "SELECT coll_id, coll_name FROM r_coll_main WHERE coll_name = ? OR (coll_name >= ? AND coll_name < ?)"
        " ORDER BY coll_name",
        (path, *names.below(path)),
    ).fetchall()


def _trash_path(zone: Zone, user: User, path: str, db: sqlite3.Connection) -> str:
    """A free place in the user's trash."""
    home = f"/{zone.name}/home/{user.name}/"
    relative = path[len(home) :] if path.startswith(home) else path.split("/", 2)[2]
    target = f"/{zone.name}/trash/home/{user.name}/{relative.replace('/', '.')}"
    if names.find_collection(db, target) or names.find_object(db, target):
        target += f".{next_id(db)}"
    return target


def modify_access(session: Session, request: Node) -> int:
    """MOD_ACCESS_CONTROL: a user's level on an object or collection, or a collection's inheritance."""
    path = names.check_path(request.value("path"))
    level_name = request.value("accessLevel")
    as_administrator = level_name.startswith("admin:")
    level_name = level_name.removeprefix("admin:")
    if as_administrator and not session.user.administrator:
        raise Refusal(Code.CAT_NO_ACCESS_PERMISSION)
    with session.zone.catalogue.change() as db:
        ids = _access_targets(db, path, recursive=request.number("recursiveFlag") == 1)
        if not as_administrator:
            require(db, session.user, ids[0], OWN)
        if level_name in ("inherit", "noinherit"):
            db.executemany(
                "UPDATE r_coll_main SET coll_inheritance = ? WHERE coll_id = ?",
                [("1" if level_name == "inherit" else "0", object_id) for object_id in ids],
            )
            return 0
        user_id = _user_or_group(db, request.value("userName"), request.value("zone") or session.zone.name)
        for object_id in ids:
            grant(db, object_id, user_id, access_level(level_name))
    return 0


def _access_targets(db: sqlite3.Connection, path: str, *, recursive: bool) -> list[int]:
    """The ids that a change of access touches, the named one first."""
    found = names.find_object(db, path)
    if found:
        return [found.data_id]
    collection = names.find_collection(db, path)
    if collection is None:
        raise Refusal(Code.CAT_UNKNOWN_COLLECTION)
    if not recursive:
        return [collection.coll_id]
    ids = [coll_id for coll_id, _ in _tree(db, path)]
    marks = ",".join("?" * len(ids))
    rows = db.execute(f"SELECT data_id FROM r_data_main WHERE coll_id IN ({marks})", ids)  # noqa: S608
    return ids + [data_id for (data_id,) in rows.fetchall()]


def _user_or_group(db: sqlite3.Connection, name: str, zone: str) -> int:
    user = find_user(db, name, zone)
    if user:
        return user.user_id
    row = db.execute("SELECT user_id FROM r_user_main WHERE user_name = ? AND zone_name = ?", (name, zone)).fetchone()
    if row is None:
        raise Refusal(Code.CAT_INVALID_USER)
    return int(row[0])
