"""Attribute-value-unit triples (AVUs) of objects and collections, one at a time or a whole set atomically."""

import sqlite3

from b2stream.sandbox.zone import names
from b2stream.sandbox.zone.catalogue import MODIFY_OBJECT, next_id, now
from b2stream.sandbox.zone.messages import Node
from b2stream.sandbox.zone.numbers import Code, Refusal
from b2stream.sandbox.zone.permissions import require
from b2stream.sandbox.zone.state import Session

LONGEST_FIELD = 2700  # characters, for each of attribute, value and unit


class AtomicRefusal(Exception):
    """A refused set of operations; the answer's body names the first one that failed."""

    def __init__(self, code: Code, message: str, operation: object, index: int) -> None:
        super().__init__(message)
        self.code = code
        self.body = {"error_message": message, "operation": operation, "operation_index": index}


def modify(session: Session, request: Node) -> int:
    """MOD_AVU_METADATA: add, rm or set one triple."""
    operation, kind, path, name, value, units = (request.value(f"arg{number}") for number in range(6))
    if operation not in ("add", "rm", "set", "adda"):
        raise Refusal(Code.SYS_INVALID_INPUT_PARAM)
    with session.zone.catalogue.change() as db:
        object_id = _entity(db, kind, path)
        require(db, session.user, object_id, MODIFY_OBJECT)
        check_triple(name, value, units, Code.CAT_INVALID_ARGUMENT, Code.CAT_SQL_ERR)
        if operation == "rm":
            if not _unlink_triple(db, object_id, name, value, units):
                raise Refusal(Code.CAT_SUCCESS_BUT_WITH_NO_INFO)
            return 0
        if operation == "set":
            db.execute(
                "DELETE FROM r_objt_metamap WHERE object_id = ? AND meta_id IN"
                " (SELECT meta_id FROM r_meta_main WHERE meta_attr_name = ?)",
                (object_id, name),
            )
        if not link_triple(db, object_id, name, value, units):
            raise Refusal(Code.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME)
    return 0


def apply_atomically(session: Session, request: dict[str, object]) -> dict[str, object]:
    """ATOMIC_APPLY_METADATA_OPERATIONS: all or none; adding what is there and removing what is not are no errors.

    Raises AtomicRefusal.
    """
    path, kind, operations = (request.get(key) for key in ("entity_name", "entity_type", "operations"))
    if not isinstance(path, str) or not isinstance(operations, list):
        raise AtomicRefusal(Code.SYS_INVALID_INPUT_PARAM, "Malformed request", None, 0)
    with session.zone.catalogue.change() as db:
        try:
            object_id = _entity(db, {"data_object": "-d", "collection": "-C"}.get(str(kind), ""), path)
        except Refusal:
            message = f"Entity does not exist [entity_name={path}]"
            raise AtomicRefusal(Code.SYS_INVALID_INPUT_PARAM, message, None, 0) from None
        require(db, session.user, object_id, MODIFY_OBJECT)
        for index, operation in enumerate(operations):
            try:
                _apply(db, object_id, operation)
            except Refusal as refusal:
                raise AtomicRefusal(Code(refusal.code), refusal.message, operation, index) from None
    return {}


def _apply(db: sqlite3.Connection, object_id: int, operation: object) -> None:
    if not isinstance(operation, dict):
        raise Refusal(Code.SYS_INVALID_INPUT_PARAM, "Malformed operation")
    name, value, units = (str(operation.get(key, "")) for key in ("attribute", "value", "units"))
    check_triple(name, value, units, Code.SYS_INVALID_INPUT_PARAM, Code.SYS_LIBRARY_ERROR)
    if operation.get("operation") == "add":
        link_triple(db, object_id, name, value, units)
    elif operation.get("operation") == "remove":
        _unlink_triple(db, object_id, name, value, units)
    else:
        raise Refusal(Code.SYS_INVALID_INPUT_PARAM, "Invalid metadata operation")


def check_triple(name: str, value: str, units: str, empty: Code, too_long: Code = Code.CAT_SQL_ERR) -> None:
    """Raise `empty` for an empty attribute or value and `too_long` for a field above 2700 characters."""
    if not name or not value:
        raise Refusal(empty)
    if max(len(name), len(value), len(units)) > LONGEST_FIELD:
        raise Refusal(too_long)


def link_triple(db: sqlite3.Connection, object_id: int, name: str, value: str, units: str) -> bool:
    """Give an object a triple; equal triples are one row, shared by their objects. Returns False if it had it."""
    time = now()
    row = _find_triple(db, name, value, units)
    if row is None:
        row = (next_id(db),)
        db.execute("INSERT INTO r_meta_main VALUES (?, ?, ?, ?, ?, ?)", (row[0], name, value, units, time, time))
    linked = db.execute("INSERT OR IGNORE INTO r_objt_metamap VALUES (?, ?, ?, ?)", (object_id, row[0], time, time))
    return linked.rowcount == 1


def _unlink_triple(db: sqlite3.Connection, object_id: int, name: str, value: str, units: str) -> bool:
    row = _find_triple(db, name, value, units)
    if row is None:
        return False
    removed = db.execute("DELETE FROM r_objt_metamap WHERE object_id = ? AND meta_id = ?", (object_id, row[0]))
    return removed.rowcount == 1


def _find_triple(db: sqlite3.Connection, name: str, value: str, units: str) -> tuple[int] | None:
    row: tuple[int] | None = db.execute(
        "SELECT meta_id FROM r_meta_main WHERE meta_attr_name = ? AND meta_attr_value = ? AND meta_attr_unit = ?",
        (name, value, units),
    ).fetchone()
    return row


def _entity(db: sqlite3.Connection, kind: str, path: str) -> int:
    """The id of what carries the triples: `-d` an object, `-C` a collection."""
    if kind == "-d":
        found = names.find_object(db, path)
        if found is None:
            raise Refusal(Code.CAT_UNKNOWN_FILE)
        return found.data_id
    if kind == "-C":
        collection = names.find_collection(db, path)
        if collection is None:
            raise Refusal(Code.CAT_UNKNOWN_COLLECTION)
        return collection.coll_id
    raise Refusal(Code.SYS_INVALID_INPUT_PARAM)
