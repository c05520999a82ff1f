"""Opening data objects: who gets in, who creates, who finds the object locked."""

import os
import sqlite3

from b2stream.sandbox.zone import names
from b2stream.sandbox.zone.catalogue import MODIFY_OBJECT, READ_OBJECT, next_id, now
from b2stream.sandbox.zone.collection_calls import touch
from b2stream.sandbox.zone.messages import Node
from b2stream.sandbox.zone.numbers import Code, Refusal, ReplicaStatus
from b2stream.sandbox.zone.permissions import bequeath, require
from b2stream.sandbox.zone.state import OpenFile, Session

# The protocol's own flags, the values of Linux whatever the client runs on.
O_ACCMODE, O_WRONLY, O_CREAT, O_EXCL, O_TRUNC = 3, 1, 64, 128, 512


def open_object(session: Session, request: Node) -> int:
    """DATA_OBJ_OPEN: returns the descriptor."""
    return _open(session, request, request.number("openFlags"))


def create_object(session: Session, request: Node) -> int:
    """DATA_OBJ_CREATE: opens for writing and truncates what is there, as the client's `create` relies on."""
    return _open(session, request, O_CREAT | O_TRUNC | O_WRONLY)


def _open(session: Session, request: Node, flags: int) -> int:
    path = names.check_path(request.value("objPath"))
    keywords = request.keywords()
    for keyword in ("destRescName", "rescName", "resc_hier"):
        if keywords.get(keyword, session.zone.resource) != session.zone.resource:
            raise Refusal(Code.SYS_RESC_DOES_NOT_EXIST)
    db = session.zone.catalogue.reader()
    writes = flags & O_ACCMODE != 0
    found = names.find_object(db, path)
    if found is None:
        if not flags & O_CREAT:
            raise Refusal(Code.OBJ_PATH_DOES_NOT_EXIST)
        opened = create_new(session, path, keywords)
    elif writes:
        opened = _open_for_writing(session, path, found, keywords, flags)
    else:
        opened = _open_for_reading(session, db, path, found)
    opened.keywords = keywords
    opened.declared_bytes = request.number("dataSize", -1)
    opened.open_flags = flags
    return session.add(opened)


def create_new(session: Session, path: str, keywords: dict[str, str]) -> OpenFile:
    """A new object, intermediate until it is closed. One of several racing creators wins; the others are told so.

    Raises CAT_UNKNOWN_COLLECTION, CAT_NO_ACCESS_PERMISSION, CAT_NAME_EXISTS_AS_COLLECTION,
    CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME or UNIX_FILE_CREATE_ERR.
    """
    zone = session.zone
    parent, name = names.split(path)
    file = zone.vault.path_of(path)
    with zone.catalogue.change() as db:
        collection = names.find_collection(db, parent)
        if collection is None:
            raise Refusal(Code.CAT_UNKNOWN_COLLECTION, f"collection '{parent}' is unknown")
        if names.find_collection(db, path):
            raise Refusal(Code.CAT_NAME_EXISTS_AS_COLLECTION)
        refused = f"no permission to update collection '{parent}'"
        require(db, session.user, collection.coll_id, MODIFY_OBJECT, refused)
        if names.find_object(db, path):
            raise Refusal(Code.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME)
        data_id, time = next_id(db), now()
        db.execute(
            "INSERT INTO r_data_main (data_id, coll_id, data_name, resc_id, data_path, data_type_name, data_is_dirty,"
            " data_owner_name, data_owner_zone, create_ts, modify_ts, access_ts) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                data_id, collection.coll_id, name, zone.resource_id, file, keywords.get("dataType", "generic"),
                ReplicaStatus.INTERMEDIATE, session.user.name, session.user.zone, time, time, time,
            ),
        )  # fmt: skip
        bequeath(db, collection.coll_id, data_id, session.user)
        touch(db, collection.coll_id)
        # Within the transaction: if the file cannot be made, the object never was.
        descriptor = zone.vault.create(file)
        zone.tokens.issue(data_id)
    return OpenFile(data_id, path, file, descriptor, True, keywords, -1, 0, created=True, changed=True)


def _open_for_writing(
    session: Session, path: str, found: names.DataObject, keywords: dict[str, str], flags: int
) -> OpenFile:
    zone = session.zone
    if flags & O_EXCL:
        raise Refusal(Code.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME)
    if found.status == ReplicaStatus.INTERMEDIATE:
        return _join_writer(session, path, found, keywords)
    truncate = bool(flags & O_TRUNC)
    with zone.catalogue.change() as db:
        current = names.object_by_id(db, found.data_id)
        if current is None:
            raise Refusal(Code.OBJ_PATH_DOES_NOT_EXIST)
        require(db, session.user, current.data_id, MODIFY_OBJECT)
        if current.status == ReplicaStatus.INTERMEDIATE:
            # Measured on 5.0.2: who loses the race to overwrite is told -154000, not that the object is locked.
            raise Refusal(Code.SYS_INTERNAL_ERR)
        if zone.tokens.of(current.data_id):
            # A writer's failed close left the token behind; an administrator has marked the replica stale since.
            # Measured on 5.0.2: only a restart lets the next writer in.
            raise Refusal(Code.SYS_INTERNAL_ERR)
        _set_status(db, current.data_id, ReplicaStatus.INTERMEDIATE)
        descriptor = zone.vault.open(current.file, write=True)
        zone.tokens.issue(current.data_id)
    if truncate:
        # Only once the catalogue calls it intermediate: no kill may leave an empty file that counts as good.
        os.ftruncate(descriptor, 0)
    return OpenFile(
        current.data_id, path, current.file, descriptor, True, keywords, -1, 0,
        changed=truncate, status_before=current.status,
    )  # fmt: skip


def _join_writer(session: Session, path: str, found: names.DataObject, keywords: dict[str, str]) -> OpenFile:
    """Open what is being written: only with the writer's token, as the further connections of a parallel put have."""
    if "resc_hier" not in keywords:
        raise Refusal(Code.HIERARCHY_ERROR)
    token = session.zone.tokens.of(found.data_id)
    if not token or keywords.get("replicaToken") != token:
        raise Refusal(Code.INTERMEDIATE_REPLICA_ACCESS)
    require(session.zone.catalogue.reader(), session.user, found.data_id, MODIFY_OBJECT)
    descriptor = session.zone.vault.open(found.file, write=True)
    return OpenFile(found.data_id, path, found.file, descriptor, True, keywords, -1, 0, shares_token=True)


def _open_for_reading(session: Session, db: sqlite3.Connection, path: str, found: names.DataObject) -> OpenFile:
    """Stale replicas are readable without any error, as in iRODS: readers must look at the status."""
    if found.status == ReplicaStatus.INTERMEDIATE:
        raise Refusal(Code.HIERARCHY_ERROR)
    require(db, session.user, found.data_id, READ_OBJECT)
    descriptor = session.zone.vault.open(found.file, write=False)
    return OpenFile(found.data_id, path, found.file, descriptor, False, {}, -1, os.O_RDONLY)


def _set_status(db: sqlite3.Connection, data_id: int, status: ReplicaStatus) -> None:
    db.execute("UPDATE r_data_main SET data_is_dirty = ? WHERE data_id = ?", (status, data_id))
