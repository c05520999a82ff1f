"""Closing data objects: what becomes of a replica when its writer is done, fails, or vanishes."""

import os
import sqlite3

from b2stream.sandbox.zone import names
from b2stream.sandbox.zone.catalogue import now
from b2stream.sandbox.zone.included import apply_included
from b2stream.sandbox.zone.messages import Node
from b2stream.sandbox.zone.numbers import Code, Refusal, ReplicaStatus
from b2stream.sandbox.zone.state import OpenFile, Session, Zone


def close_object(session: Session, request: Node) -> int:
    """DATA_OBJ_CLOSE: finishes the replica by what was asked for at open.

    Returns 0, or, where the size is not the declared one, the size: that is no error to the client, verifies and
    registers no checksum, and leaves the replica stale.
    """
    return close_descriptor(session, request.number("l1descInx"))


def close_descriptor(session: Session, number: int) -> int:
    """As `close_object`, by the descriptor's number."""
    opened = session.opened(number)
    del session.open_files[number]
    try:
        if not opened.writes or opened.shares_token:
            return 0
        if not opened.changed:
            return _give_back(session.zone, opened)
        return _finish(session, opened)
    finally:
        os.close(opened.descriptor)


def _give_back(zone: Zone, opened: OpenFile) -> int:
    """Opened for writing and never written: the replica is what it was."""
    with zone.catalogue.change() as db:
        status = (opened.status_before, opened.data_id)
        db.execute("UPDATE r_data_main SET data_is_dirty = ? WHERE data_id = ?", status)
    zone.tokens.withdraw(opened.data_id)
    return 0


def _finish(session: Session, opened: OpenFile) -> int:
    zone = session.zone
    try:
        size_bytes = zone.vault.size_bytes_of_open(opened.file, opened.descriptor)
        if opened.declared_bytes >= 0 and size_bytes != opened.declared_bytes:
            _leave_stale(zone, opened, size_bytes)
            return size_bytes
        checksum = _checksum(zone, opened)
    except Refusal as refusal:
        # Measured on 5.0.2: a wrong checksum leaves size 0; an object that was renamed while it was written is no
        # longer where its writer opened it (UNIX_FILE_STAT_ERR), and keeps the size it had.
        _leave_stale(zone, opened, 0 if refusal.code == Code.USER_CHKSUM_MISMATCH else None)
        raise
    # If what came with the open is refused, the replica stays intermediate and its token in force, as measured.
    with zone.catalogue.change() as db:
        _write(db, opened.data_id, ReplicaStatus.GOOD, size_bytes, checksum)
        apply_included(db, session, opened)
    zone.tokens.withdraw(opened.data_id)
    return 0


def _checksum(zone: Zone, opened: OpenFile) -> str:
    """The checksum to register, if any. Raises USER_CHKSUM_MISMATCH."""
    expected = opened.keywords.get("verifyChksum", "")  # an empty value verifies nothing
    if not expected and "regChksum" not in opened.keywords:
        return ""
    checksum = zone.vault.checksum(opened.file)
    if expected and checksum != expected:
        raise Refusal(Code.USER_CHKSUM_MISMATCH)
    return checksum


def _leave_stale(zone: Zone, opened: OpenFile, size_bytes: int | None) -> None:
    """A size of None keeps the one that the catalogue has."""
    with zone.catalogue.change() as db:
        found = names.object_by_id(db, opened.data_id)
        if found:
            size = found.size_bytes if size_bytes is None else size_bytes
            _write(db, opened.data_id, ReplicaStatus.STALE, size, "")
    zone.tokens.withdraw(opened.data_id)


def _write(db: sqlite3.Connection, data_id: int, status: ReplicaStatus, size_bytes: int, checksum: str) -> None:
    db.execute(
        "UPDATE r_data_main SET data_is_dirty = ?, data_size = ?, data_checksum = ?, modify_ts = ? WHERE data_id = ?",
        (status, size_bytes, checksum, now(), data_id),
    )


def abandon(session: Session) -> None:
    """The client is gone, or the zone stops: what was being written becomes stale with the bytes that arrived."""
    for opened in session.open_files.values():
        size_bytes = os.fstat(opened.descriptor).st_size
        os.close(opened.descriptor)
        if opened.writes and not opened.shares_token:
            _leave_stale(session.zone, opened, size_bytes)
    session.open_files.clear()
