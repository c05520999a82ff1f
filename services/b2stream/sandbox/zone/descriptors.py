"""Calls on open descriptors that carry JSON: what is open there, and giving it back unfinished.

A parallel put uses both: the first connection asks for the write token, the others join with it and give their
descriptors back with REPLICA_CLOSE, so that only the first one's close finishes the replica.
"""

import os

from b2stream.sandbox.zone.numbers import Code, Refusal
from b2stream.sandbox.zone.opening import O_TRUNC
from b2stream.sandbox.zone.state import OpenFile, Session

_OBJECT_COLUMNS = (
    "data_checksum, coll_id, r_comment, create_ts, data_expiry_ts, data_map_id, modify_ts, data_owner_name,"
    " data_owner_zone, data_size, data_type_name, data_is_dirty, data_version"
)
_OPENED_TO_CREATE, _OPENED_TO_READ, _OPENED_TO_WRITE = 1, 2, 3


def _requested(session: Session, request: dict[str, object]) -> tuple[int, OpenFile]:
    number = request.get("fd")
    if not isinstance(number, int):
        raise Refusal(Code.SYS_INVALID_INPUT_PARAM)
    return number, session.opened(number)


def close_replica(session: Session, request: dict[str, object]) -> None:
    """REPLICA_CLOSE: give a descriptor back without finishing the replica."""
    number, opened = _requested(session, request)
    del session.open_files[number]
    os.close(opened.descriptor)


def descriptor_info(session: Session, request: dict[str, object]) -> dict[str, object]:
    """GET_FILE_DESCRIPTOR_INFO: what the zone knows about an open descriptor, the write token among it."""
    _, opened = _requested(session, request)
    row = (
        session.zone.catalogue.reader()
        .execute(
            f"SELECT {_OBJECT_COLUMNS} FROM r_data_main WHERE data_id = ?",  # noqa: S608 (a constant)
            (opened.data_id,),
        )
        .fetchone()
    )
    if row is None:
        raise Refusal(Code.SYS_FILE_DESC_OUT_OF_RANGE)
    verified = opened.keywords.get("verifyChksum", "")
    kind = _OPENED_TO_READ if not opened.writes else _OPENED_TO_CREATE if opened.created else _OPENED_TO_WRITE
    return {
        "bytes_written": -1,
        "checksum": verified,
        "checksum_flag": 2 if verified else 1 if "regChksum" in opened.keywords else 0,
        "copies_needed": 0,
        "data_object_info": _object_info(session, opened, row),
        "data_object_input": _object_input(session, opened, kind),
        "data_object_input_replica_flag": 1,
        "data_size": opened.declared_bytes,
        "in_pdmo": "",
        "in_use": True,
        "l3descInx": 3,
        "lock_file_descriptor": 0,
        "open_type": kind,
        "operation_status": 0,
        "operation_type": 0,
        "other_data_object_info": None,
        "plugin_data": None,
        "purge_cache_flag": 0,
        "remote_l1_descriptor_index": 0,
        "remote_zone_host": None,
        "replica_status": row[11],
        "replica_token": session.zone.tokens.of(opened.data_id) if opened.writes else "",
        "replication_data_object_info": None,
        "source_l1_descriptor_index": 0,
        "stage_flag": 0,
    }


def _object_info(session: Session, opened: OpenFile, row: tuple[object, ...]) -> dict[str, object]:
    return {
        "checksum": row[0],
        "collection_id": row[1],
        "condition_input": [],
        "data_access": "",
        "data_access_index": 0,
        "data_comments": row[2],
        "data_create": row[3],
        "data_expiry": row[4],
        "data_id": opened.data_id,
        "data_map_id": row[5],
        "data_mode": "0",
        "data_modify": row[6],
        "data_owner_name": row[7],
        "data_owner_zone": row[8],
        "data_size": row[9],
        "data_type": row[10],
        "destination_resource_name": "",
        "file_path": opened.file,
        "flags": 0,
        "in_pdmo": "",
        "is_replica_current": False,
        "next": None,
        "object_path": opened.path,
        "other_flags": 0,
        "registering_user_id": 0,
        "replica_number": 0,
        "replica_status": row[11],
        "resource_hierarchy": session.zone.resource,
        "resource_id": session.zone.resource_id,
        "resource_name": session.zone.resource,
        "special_collection": None,
        "status_string": "",
        "sub_path": "",
        "version": row[12],
        "write_flag": 0,
    }


def _object_input(session: Session, opened: OpenFile, kind: int) -> dict[str, object]:
    # The client's keywords, then what the server adds while it resolves the resource; the size becomes the replica's.
    conditions = dict(opened.keywords)
    if "dataSize" in conditions and opened.open_flags & O_TRUNC:
        conditions["dataSize"] = "0"
    conditions |= {
        "resc_hier": session.zone.resource,
        "selected_hierarchy": session.zone.resource,
        "selObjType": "dataObj",
        "openType": str(kind),
    }
    if opened.created:
        conditions |= {"registerAsIntermediate": "", "filePath": opened.file}
    return {
        "condition_input": [{"key": key, "value": value} for key, value in conditions.items()],
        "create_mode": 0,
        "data_size": opened.declared_bytes,
        "number_of_threads": 0,
        "object_path": opened.path,
        "offset": 0,
        "open_flags": opened.open_flags,
        "operation_type": 0,
        "special_collection": None,
    }
