"""Calls on closed data objects: unlink, rename, copy, checksum, change of catalogue fields."""

import json
import sqlite3

from b2stream.sandbox.zone import closing, collection_calls, names, opening
from b2stream.sandbox.zone.catalogue import MODIFY_OBJECT, OWN, READ_OBJECT, now
from b2stream.sandbox.zone.messages import Node
from b2stream.sandbox.zone.numbers import Code, Refusal, ReplicaStatus
from b2stream.sandbox.zone.permissions import require
from b2stream.sandbox.zone.state import Session

RENAME_COLLECTION = 12  # oprType


def unlink(session: Session, request: Node) -> int:
    """DATA_OBJ_UNLINK: with `forceFlag` for good, without it into the trash."""
    path = names.check_path(request.value("objPath"))
    zone = session.zone
    with zone.catalogue.change() as db:
        found = names.find_object(db, path)
        if found is None:
            raise Refusal(Code.CAT_NO_ROWS_FOUND)
        if found.status == ReplicaStatus.INTERMEDIATE:
            raise Refusal(Code.LOCKED_DATA_OBJECT_ACCESS)
        require(db, session.user, found.data_id, OWN)
        trash = f"/{zone.name}/trash/"
        if "forceFlag" in request.keywords() or path.startswith(trash):
            collection_calls.forget(db, found.data_id)
            db.execute("DELETE FROM r_data_main WHERE data_id = ?", (found.data_id,))
            collection_calls.touch(db, found.coll_id)
        else:
            target = f"{trash}home/{session.user.name}/{found.name}"
            if names.find_object(db, target):
                target += f".{found.data_id}"
            _rename(session, db, found, target)
    zone.vault.remove(found.file)
    return 0


def rename(session: Session, request: Node) -> int:
    """DATA_OBJ_RENAME: gives an object or collection a path that nothing has yet.

    Renaming an object that someone is writing succeeds too; that writer's close then fails.
    """
    source, target = _two_paths(request)
    if request.children[0].number("oprType") == RENAME_COLLECTION:
        return collection_calls.rename(session, source, target)
    with session.zone.catalogue.change() as db:
        found = names.find_object(db, source)
        if found is None:
            raise Refusal(Code.CAT_NO_ROWS_FOUND)
        require(db, session.user, found.data_id, OWN)
        _rename(session, db, found, target)
    session.zone.vault.remove(found.file)
    return 0


def _two_paths(request: Node) -> tuple[str, str]:
    if len(request.children) != 2:
        raise Refusal(Code.SYS_INVALID_INPUT_PARAM)
    source, target = (names.check_path(child.value("objPath")) for child in request.children)
    return source, target


def _rename(session: Session, db: sqlite3.Connection, found: names.DataObject, target: str) -> None:
    """Within a transaction: new catalogue path and file. The old file is the caller's to remove, after the commit."""
    if names.find_object(db, target):
        raise Refusal(Code.CAT_NAME_EXISTS_AS_DATAOBJ)
    if names.find_collection(db, target):
        raise Refusal(Code.CAT_NAME_EXISTS_AS_COLLECTION)
    parent, name = names.split(target)
    collection = names.find_collection(db, parent)
    if collection is None:
        raise Refusal(Code.CAT_UNKNOWN_COLLECTION)
    require(db, session.user, collection.coll_id, MODIFY_OBJECT)
    file = session.zone.vault.path_of(target)
    session.zone.vault.link(found.file, file)
    db.execute(
        "UPDATE r_data_main SET coll_id = ?, data_name = ?, data_path = ? WHERE data_id = ?",
        (collection.coll_id, name, file, found.data_id),
    )
    collection_calls.touch(db, found.coll_id)
    collection_calls.touch(db, collection.coll_id)


def copy(session: Session, request: Node) -> int:
    """DATA_OBJ_COPY: a new object with the bytes of another, never over an existing one, with force or without."""
    source, target = _two_paths(request)
    zone = session.zone
    db = zone.catalogue.reader()
    found = names.find_object(db, source)
    if found is None:
        raise Refusal(Code.OBJ_PATH_DOES_NOT_EXIST)
    if found.status == ReplicaStatus.INTERMEDIATE:
        raise Refusal(Code.HIERARCHY_ERROR)
    require(db, session.user, found.data_id, READ_OBJECT)
    if names.find_object(db, target):
        raise Refusal(Code.USER_INPUT_PATH_ERR)
    number = session.add(opening.create_new(session, target, {}))
    try:
        zone.vault.copy(found.file, session.opened(number).descriptor)
    finally:
        closing.close_descriptor(session, number)
    return 0


def checksum(session: Session, request: Node) -> str:
    """DATA_OBJ_CHKSUM: the registered checksum or a computed one; `forceChksum` computes, `verifyChksum` compares.

    Returns nothing when a comparison finds no fault; raises CHECK_VERIFICATION_RESULTS with its findings otherwise.
    """
    path = names.check_path(request.value("objPath"))
    keywords = request.keywords()
    zone = session.zone
    db = zone.catalogue.reader()
    found = names.find_object(db, path)
    if found is None:
        raise Refusal(Code.OBJ_PATH_DOES_NOT_EXIST)
    if found.status == ReplicaStatus.INTERMEDIATE:
        raise Refusal(Code.HIERARCHY_ERROR)
    require(db, session.user, found.data_id, READ_OBJECT)
    if "verifyChksum" in keywords:
        _verify(session, path, found)
        return ""
    if found.checksum and "forceChksum" not in keywords:
        return found.checksum
    computed = zone.vault.checksum(found.file)
    with zone.catalogue.change() as db:
        db.execute("UPDATE r_data_main SET data_checksum = ? WHERE data_id = ?", (computed, found.data_id))
    return computed


def _verify(session: Session, path: str, found: names.DataObject) -> None:
    """Compare file and catalogue. Raises CHECK_VERIFICATION_RESULTS with JSON findings for the client."""
    vault = session.zone.vault
    try:
        size_bytes = vault.size_bytes(found.file)
    except Refusal as refusal:
        _report(refusal.code, "ERROR: Could not get the size of replica [0] in the vault.", "error")
        raise
    if size_bytes != found.size_bytes:
        text = "ERROR: Physical size does not match size in catalog for replica [0]."
        _report(Code.USER_FILE_SIZE_MISMATCH, text, "error")
    if not found.checksum:
        text = "WARNING: No checksum available for replica [0]."
        _report(Code.CAT_NO_CHECKSUM_FOR_REPLICA, text, "warning")
    computed = vault.checksum(found.file)
    if computed != found.checksum:
        detail = (
            f"verifyDataObjChksum: computed checksum [{computed}] != catalog value [{found.checksum}]"
            f" for [{path}] hierarchy [{session.zone.resource}] replica number [0]"
        )
        text = "ERROR: Computed checksum does not match what is in the catalog for replica [0]."
        _report(Code.USER_CHKSUM_MISMATCH, text, "error", detail)


def _report(code: int, text: str, severity: str, detail: str = "") -> None:
    findings = json.dumps(
        [{"error_code": int(code), "message": text, "severity": severity}], separators=(",", ":"), sort_keys=True
    )
    raise Refusal(Code.CHECK_VERIFICATION_RESULTS, detail, status=int(code), body=findings)


def modify_catalogue(session: Session, request: Node) -> int:
    """MOD_DATA_OBJ_META: only `replStatus`, with which an administrator frees what a killed zone left intermediate."""
    if len(request.children) != 2:
        raise Refusal(Code.SYS_INVALID_INPUT_PARAM)
    described, keywords = request.children[0], request.children[1].pairs()
    if not session.user.administrator:
        raise Refusal(Code.SYS_NO_API_PRIV)
    if "irodsAdmin" not in keywords:
        raise Refusal(Code.CAT_NO_ACCESS_PERMISSION)
    path = described.value("objPath")
    status = keywords.get("replStatus", "")
    if status not in {str(int(known)) for known in ReplicaStatus}:
        raise Refusal(Code.SYS_INVALID_INPUT_PARAM)
    with session.zone.catalogue.change() as db:
        found = names.find_object(db, path)
        if found is None:
            raise Refusal(Code.CAT_NO_ROWS_FOUND)
        db.execute(
            "UPDATE r_data_main SET data_is_dirty = ?, modify_ts = ? WHERE data_id = ?",
            (int(status), now(), found.data_id),
        )
    return 0
