"""What an answer of the Handle HTTP JSON API means: JSON into records, refusals into our errors.

The table is measured on Handle.Net 9.2.0; response codes are those of RFC 3652 section 2.2.1.2 and of the server's manual.
"""

import json
from typing import Any

from b2stream.errors import AccessRefused, B2streamError, ConfigurationError, LostReply, Refused, Retryable, Stuck
from b2stream.handles.service import Administrator, HandleRecord, HandleValue

SUCCESS = 1
HANDLE_NOT_FOUND = 100
HANDLE_EXISTS = 101
NOT_RESPONSIBLE = 301
MAY_NOT = 400
NEEDS_LOGIN = 402

_PASSING = {408, 429}  # the server asks for patience


class RecordRefused(Stuck):
    """The Handle server refuses this record: its answer is here; prefix and administrator must be ones that it serves."""

    reason = "record_refused"


def record_of(handle: str, document: Any) -> HandleRecord:
    """The record in an answer. Raises ValueError or its kin where it is none."""
    values = sorted((_value(each) for each in document["values"]), key=lambda value: value.index)
    return HandleRecord(handle, tuple(values))


def document_of(record: HandleRecord) -> dict[str, Any]:
    """The body that writes a record."""
    return {"values": [_document(value) for value in record.values]}


def code_of(document: Any) -> int | None:
    """The response code in an answer's JSON; None where there is none, as with a 401."""
    code = document.get("responseCode") if isinstance(document, dict) else None
    return code if isinstance(code, int) else None


def refusal(status: int, document: Any, about: str, *, changes: bool) -> B2streamError:
    """Our error for an answer that is no success. `changes`: the request may have changed something before it failed."""
    code = code_of(document)
    said = f"{about}: HTTP {status}" + ("" if code is None else f", response code {code}")
    message = document.get("message") if isinstance(document, dict) else None
    if message:
        said += f", {str(message)[:300]}"
    if status >= 500:
        return LostReply(said) if changes else Retryable(said)
    if status in _PASSING:
        return Retryable(said)
    if status == 401 or code == NEEDS_LOGIN:
        return Refused(f"{said}; handle.user with its password or certificate")
    if code == MAY_NOT:
        return AccessRefused(said)
    if code is None:  # a page of some other server, or a redirect from http to https
        return ConfigurationError(f"{said}, without a response code; handle.url must be that of a Handle server's API")
    return RecordRefused(said)


def _value(document: Any) -> HandleValue:
    data = document["data"]
    plain: Any = data if isinstance(data, str) else data["value"]
    if isinstance(data, dict) and data["format"] == "admin":
        return HandleValue(
            int(document["index"]),
            document["type"],
            Administrator(plain["handle"], int(plain["index"]), plain["permissions"]),
        )
    text = plain if isinstance(plain, str) else json.dumps(plain, sort_keys=True)
    return HandleValue(int(document["index"]), document["type"], text)


def _document(value: HandleValue) -> dict[str, Any]:
    if isinstance(value.value, Administrator):
        who = {"handle": value.value.handle, "index": value.value.index, "permissions": value.value.permissions}
        return {"index": value.index, "type": value.type, "data": {"format": "admin", "value": who}}
    return {"index": value.index, "type": value.type, "data": {"format": "string", "value": value.value}}
