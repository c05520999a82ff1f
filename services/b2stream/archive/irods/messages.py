"""The protocol's messages that an archive exchanges for each object, as text; connections and login are the client's.

The client builds each message of an object per element and reads each answer of a query into a tree of fifty columns, of
which seven are used: two thirds of a commit's time. What is written here is byte for byte what the client writes (a test
holds that), and what is read is what iRODS 5.0.2 sent in the recordings.
"""

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

from irods.api_number import api_number

OPEN = api_number["DATA_OBJ_OPEN_AN"]
CLOSE = api_number["DATA_OBJ_CLOSE_AN"]
READ = api_number["DATA_OBJ_READ_AN"]
WRITE = api_number["DATA_OBJ_WRITE_AN"]
RENAME = api_number["DATA_OBJ_RENAME_AN"]
QUERY = api_number["GEN_QUERY_AN"]

LONGEST_HEADER_BYTES = 4096  # a longer one is another protocol
ROWS_OF_A_PAGE = 500  # asked for; a server gives 256

_FLAGS = {"r": 0, "w": 1 | 64 | 512}  # of the protocol: read only; write only, create, truncate
_RENAME_DATA_OBJECT = 11
_NO_PAIRS = "<KeyValPair_PI><ssLen>0</ssLen></KeyValPair_PI>"
_HEADER = re.compile(
    rb"<msgLen>(\d+)</msgLen>\s*<errorLen>(\d+)</errorLen>\s*<bsLen>(\d+)</bsLen>\s*<intInfo>(-?\d+)</intInfo>"
)
_PAGE = re.compile(r"<rowCnt>(\d+)</rowCnt>\s*<attriCnt>(\d+)</attriCnt>\s*<continueInx>(\d+)</continueInx>")
_VALUE = re.compile(r"<value>([^<]*)</value>")
_SAID = re.compile(r"<msg>([^<]*)</msg>")
_ENTITY = re.compile(r"&(amp|lt|gt|quot|apos);")
_CHARACTERS = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


class Lengths(NamedTuple):
    """What a header announces: bytes of the three parts that follow, and the call's result or the error's code."""

    body_bytes: int
    error_bytes: int
    stream_bytes: int
    info: int


class Page(NamedTuple):
    """One page of a query's rows; `continuation` is 0 where it was the last."""

    rows: list[tuple[str, ...]]
    continuation: int


def message(call: int, body: str, stream_bytes: int = 0) -> bytes:
    """A request, all but the stream that may follow it."""
    content = body.encode()
    header = (
        f"<MsgHeader_PI><type>RODS_API_REQ</type><msgLen>{len(content)}</msgLen><errorLen>0</errorLen>"
        f"<bsLen>{stream_bytes}</bsLen><intInfo>{call}</intInfo></MsgHeader_PI>"
    ).encode()
    return struct.pack(">i", len(header)) + header + content


def lengths(header: bytes) -> Lengths | None:
    """What a reply's header announces; None where it is no header of this protocol."""
    found = _HEADER.search(header)
    return Lengths(*map(int, found.groups())) if found else None


def said(error: bytes) -> str | None:
    """What a server says beside its code; None where it says nothing."""
    found = _SAID.search(error.decode(errors="replace"))
    return _unescaped(found[1]) if found else None


# Data objects ---------------------------------------------------------------------------------------------------------


def opening(path: str, mode: str, size_bytes: int, options: Mapping[str, str]) -> bytes:
    """DATA_OBJ_OPEN, mode `r` or `w`."""
    return message(OPEN, _object(path, flags=_FLAGS[mode], size_bytes=size_bytes, pairs=_pairs(options)))


def renaming(source: str, target: str) -> bytes:
    """DATA_OBJ_RENAME of a data object. The server refuses where the target exists."""
    sides = [_object(path, operation=_RENAME_DATA_OBJECT) for path in (source, target)]
    return message(RENAME, f"<DataObjCopyInp_PI>{''.join(sides)}</DataObjCopyInp_PI>")


def reading(descriptor: int, size_bytes: int) -> bytes:
    """DATA_OBJ_READ of at most so many bytes."""
    return message(READ, _opened(descriptor, size_bytes, _NO_PAIRS))


def writing(descriptor: int, size_bytes: int) -> bytes:
    """DATA_OBJ_WRITE; as many bytes follow it."""
    return message(WRITE, _opened(descriptor, size_bytes, _NO_PAIRS), size_bytes)


def closing(descriptor: int, options: Mapping[str, str]) -> bytes:
    """DATA_OBJ_CLOSE, with the options of the opening."""
    return message(CLOSE, _opened(descriptor, 0, _pairs(options)))


def _object(path: str, *, flags: int = 0, size_bytes: int = 0, operation: int = 0, pairs: str = _NO_PAIRS) -> str:
    return (
        f"<DataObjInp_PI><objPath>{escape(path, quote=False)}</objPath><createMode>0</createMode>"
        f"<openFlags>{flags}</openFlags><offset>0</offset><dataSize>{size_bytes}</dataSize><numThreads>0</numThreads>"
        f"<oprType>{operation}</oprType>{pairs}</DataObjInp_PI>"
    )


def _opened(descriptor: int, size_bytes: int, pairs: str) -> str:
    return (
        f"<OpenedDataObjInp_PI><l1descInx>{descriptor}</l1descInx><len>{size_bytes}</len><whence>0</whence>"
        f"<oprType>0</oprType><offset>0</offset><bytesWritten>0</bytesWritten>{pairs}</OpenedDataObjInp_PI>"
    )


def _pairs(options: Mapping[str, str]) -> str:
    names = "".join([f"<keyWord>{escape(name, quote=False)}</keyWord>" for name in options])
    return f"<KeyValPair_PI><ssLen>{len(options)}</ssLen>{names}{_values(options.values())}</KeyValPair_PI>"


def _values(values: Iterable[str]) -> str:
    return "".join([f"<svalue>{escape(value, quote=False)}</svalue>" for value in values])


# Queries --------------------------------------------------------------------------------------------------------------


class Question:
    """A query of always the same columns; `asking` fills in its conditions."""

    def __init__(self, columns: Sequence[int], zone: str | None = None) -> None:
        """`columns` by their numbers; `zone` where it is not the user's own."""
        numbers = "".join(f"<inx>{number}</inx>" for number in columns)
        self._columns = (
            f"{_pairs({'zone': zone} if zone else {})}<InxIvalPair_PI><iiLen>{len(columns)}</iiLen>{numbers}"
            f"{'<ivalue>1</ivalue>' * len(columns)}</InxIvalPair_PI>"
        )

    def asking(self, conditions: Sequence[tuple[int, str]], continuation: int = 0) -> bytes:
        """GEN_QUERY for a page; conditions are a column's number and text such as `= 'x'`."""
        numbers = "".join([f"<inx>{number}</inx>" for number, _ in conditions])
        return message(
            QUERY,
            f"<GenQueryInp_PI><maxRows>{ROWS_OF_A_PAGE}</maxRows><continueInx>{continuation}</continueInx>"
            f"<partialStartIndex>0</partialStartIndex><options>0</options>{self._columns}"
            f"<InxValPair_PI><isLen>{len(conditions)}</isLen>{numbers}{_values(text for _, text in conditions)}"
            "</InxValPair_PI></GenQueryInp_PI>",
        )


def page(body: bytes) -> Page:
    """The answer to a query, columns in the order of the question. Raises ValueError where it is none."""
    text = body.decode()
    counts = _PAGE.search(text)
    if counts is None:
        raise ValueError("the answer to a query has no rows and says not how many")
    rows, columns, continuation = map(int, counts.groups())
    parts = text.split("<SqlResult_PI>", columns + 1)[1 : columns + 1]  # unused columns follow, up to fifty
    values = [_VALUE.findall(part) for part in parts]
    if len(values) != columns or any(len(column) != rows for column in values):
        raise ValueError(f"the answer to a query has not {rows} rows of {columns} columns")
    if "&" in text:
        values = [[_unescaped(value) for value in column] for column in values]
    return Page(list(zip(*values, strict=True)), continuation)


def _unescaped(text: str) -> str:
    return _ENTITY.sub(lambda name: _CHARACTERS[name[1]], text)
