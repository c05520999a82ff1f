"""The messages that are ours: byte for byte what the client writes, and answers read as the client reads them."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from irods.api_number import api_number
from irods.column import In, Like
from irods.connection import Connection
from irods.message import FileOpenRequest, GenQueryResponse, ObjCopyRequest, StringStringMap, iRODSMessage
from irods.models import Collection, DataObject
from irods.query import Query
from irods.results import ResultSet

from b2stream.archive.irods import messages

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "irods_wire"
PATHS = st.text(min_size=1)
OPTIONS = st.dictionaries(PATHS, PATHS, max_size=3)


def object_of(path: str, *, flags: int, size: int, operation: int, options: Mapping[str, str]) -> FileOpenRequest:
    return FileOpenRequest(
        objPath=path, createMode=0, openFlags=flags, offset=0, dataSize=size, numThreads=0, oprType=operation,
        KeyValPair_PI=StringStringMap(options),
    )  # fmt: skip


def of_the_client(call: str, body: object) -> bytes:
    return cast(bytes, iRODSMessage("RODS_API_REQ", msg=body, int_info=api_number[call]).pack())


def sent_by(order: Callable[[Any], object]) -> bytes:
    """What a method of the client's connection sends."""
    sent: list[bytes] = []
    connection = SimpleNamespace(
        send=lambda message: sent.append(message.pack()), recv=lambda: SimpleNamespace(int_info=0, bs=b"")
    )
    order(connection)
    return sent[0]


@given(PATHS, st.integers(-1, 1 << 50), OPTIONS)
def test_opening_is_the_clients(path: str, size_bytes: int, options: dict[str, str]) -> None:
    for mode in ("r", "w"):
        flags = 0 if mode == "r" else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        expected = object_of(path, flags=flags, size=size_bytes, operation=0, options=options)
        assert messages.opening(path, mode, size_bytes, options) == of_the_client("DATA_OBJ_OPEN_AN", expected)


@given(PATHS, PATHS)
def test_renaming_is_the_clients(source: str, target: str) -> None:
    sides = [object_of(path, flags=0, size=0, operation=11, options={}) for path in (source, target)]
    expected = ObjCopyRequest(srcDataObjInp_PI=sides[0], destDataObjInp_PI=sides[1])
    assert messages.renaming(source, target) == of_the_client("DATA_OBJ_RENAME_AN", expected)


@given(st.integers(3, 1000), st.binary(max_size=20), OPTIONS)
def test_reading_writing_and_closing_are_the_clients(descriptor: int, piece: bytes, options: dict[str, str]) -> None:
    size_bytes = len(piece)
    read = sent_by(lambda connection: Connection.read_file(connection, descriptor, size_bytes))
    assert messages.reading(descriptor, size_bytes) == read
    written = sent_by(lambda connection: Connection.write_file(connection, descriptor, piece))
    assert messages.writing(descriptor, size_bytes) + piece == written
    closed = sent_by(lambda connection: Connection.close_file(connection, descriptor, **options))
    assert messages.closing(descriptor, options) == closed


@pytest.mark.parametrize("zone", [None, "otherZone"])
@given(name=PATHS, folder=PATHS, continuation=st.integers(0, 9))
def test_a_question_is_the_clients(zone: str | None, name: str, folder: str, continuation: int) -> None:
    columns = (Collection.name, DataObject.name, DataObject.size, DataObject.checksum)
    conditions = (Like(Collection.name, folder), In(DataObject.name, [name, "b"]), DataObject.name == name)
    query = Query(SimpleNamespace(server_version=(5, 0, 2)), *columns).filter(*conditions)
    if zone is not None:
        query = query.add_keyword("zone", zone)
    asked = [(each.query_key.icat_id, f"{each.op} {each.irods_value}") for each in conditions]
    ours = messages.Question([column.icat_id for column in columns], zone).asking(asked, continuation)
    assert ours == of_the_client("GEN_QUERY_AN", query.continue_index(continuation)._message())


# Answers --------------------------------------------------------------------------------------------------------------


def recorded_replies() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(RECORDINGS.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            message = json.loads(line)
            if message.get("dir") == "server":
                yield file.stem, message


def test_each_recorded_page_is_read_as_the_client_reads_it() -> None:
    pages = [(name, reply["message"]) for name, reply in recorded_replies() if "GenQueryOut_PI" in reply["message"]]
    assert len(pages) > 20
    for name, body in pages:
        raw = iRODSMessage(msg=body.encode()).get_main_message(GenQueryResponse)
        expected = [
            [column.value[row] or "" for column in raw.SqlResult_PI[: raw.attriCnt]] for row in range(raw.rowCnt)
        ]
        page = messages.page(body.encode())
        assert [list(row) for row in page.rows] == expected, name
        assert page.continuation == ResultSet(raw).continue_index, name


def test_what_a_server_says_beside_its_code_is_kept() -> None:
    said = [messages.said(reply["error"].encode()) for _, reply in recorded_replies() if reply["error"]]
    assert said
    assert all(said)
    assert messages.said(b"") is None
    assert (
        messages.said(b"<RError_PI><count>1</count><RErrMsg_PI><msg>a &lt; b</msg></RErrMsg_PI></RError_PI>") == "a < b"
    )


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_every_character_of_a_value_comes_back(values: list[str]) -> None:
    packed = [
        value.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&apos;").replace('"', "&quot;")
        for value in values
    ]
    cells = "".join(f"<value>{value}</value>\n" for value in packed)
    column = f"<SqlResult_PI>\n<attriInx>403</attriInx>\n<reslen>50</reslen>\n{cells}</SqlResult_PI>\n"
    unused = "<SqlResult_PI>\n<attriInx>0</attriInx>\n<reslen>0</reslen>\n</SqlResult_PI>\n" * 49
    counts = f"<rowCnt>{len(values)}</rowCnt>\n<attriCnt>1</attriCnt>\n<continueInx>7</continueInx>\n"
    page = messages.page(f"<GenQueryOut_PI>\n{counts}{column}{unused}</GenQueryOut_PI>\n".encode())
    assert page == ([(value,) for value in values], 7)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<GenQueryOut_PI></GenQueryOut_PI>",
        b"<rowCnt>1</rowCnt><attriCnt>1</attriCnt><continueInx>0</continueInx>",
        b"<rowCnt>2</rowCnt><attriCnt>1</attriCnt><continueInx>0</continueInx><SqlResult_PI><value>a</value></SqlResult_PI>",
        b"\xff",
    ],
)
def test_half_an_answer_is_none(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (UnicodeDecodeError is one too)
        messages.page(body)


def test_a_header_is_read_as_servers_and_clients_write_it() -> None:
    ours = messages.message(702, "<a></a>", 5)
    assert messages.lengths(ours[4:]) == (7, 0, 5, 702)
    numbers = b"<msgLen>1</msgLen>\n<errorLen>2</errorLen>\n<bsLen>3</bsLen>\n<intInfo>-808000</intInfo>\n"
    theirs = b"<MsgHeader_PI>\n<type>RODS_API_REPLY</type>\n" + numbers + b"</MsgHeader_PI>\n"
    assert messages.lengths(theirs) == (1, 2, 3, -808000)
    assert messages.lengths(b"HTTP/1.1 400 Bad Request") is None
