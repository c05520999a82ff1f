"""AVUs and access entries that came with an open (`metadataIncluded`, `aclIncluded`) and take effect at close.

On a real 5.0.2 a malformed or empty value makes close fail and leaves the replica intermediate for ever; so here.
"""

import re
import sqlite3

from b2stream.sandbox.zone.metadata import check_triple, link_triple
from b2stream.sandbox.zone.numbers import Code, Refusal
from b2stream.sandbox.zone.people import find_user
from b2stream.sandbox.zone.permissions import access_level, grant
from b2stream.sandbox.zone.state import OpenFile, Session

# Fields end at a semicolon that no backslash precedes.
_SEPARATOR = re.compile(r"(?<!\\);")


def apply_included(db: sqlite3.Connection, session: Session, opened: OpenFile) -> None:
    """Add what came with the open. Raises SYS_BAD_INPUT or SYS_INVALID_INPUT_PARAM."""
    metadata = opened.keywords.get("metadataIncluded")
    if metadata is not None:
        fields = _fields(metadata)
        if not fields or len(fields) % 3:
            raise Refusal(Code.SYS_BAD_INPUT)
        for start in range(0, len(fields), 3):
            name, value, units = fields[start : start + 3]
            check_triple(name, value, units, Code.SYS_INVALID_INPUT_PARAM)
            link_triple(db, opened.data_id, name, value, units)
    access = opened.keywords.get("aclIncluded")
    if access is not None:
        for entry in _fields(access):
            level, _, user_name = entry.partition(" ")
            name, _, zone = user_name.partition("#")
            user = find_user(db, name, zone or session.zone.name)
            if user is None:
                raise Refusal(Code.SYS_INVALID_INPUT_PARAM)
            grant(db, opened.data_id, user.user_id, access_level(level))


def _fields(text: str) -> list[str]:
    fields = [field.replace("\\;", ";") for field in _SEPARATOR.split(text)]
    return fields[:-1] if fields and not fields[-1] else fields
