"""Packing and unpacking: every character survives, and what is not the protocol is recognised."""

import socket
import struct
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2stream.sandbox.zone.messages import (
    Disconnected,
    Header,
    Incoming,
    element,
    escape,
    leaf,
    pack,
    pack_json,
    parse,
    receive_header,
    unescape,
    unpack_json,
)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_every_text_survives_packing_and_parsing(text: str) -> None:
    assert unescape(escape(text)) == text
    assert parse(element("Outer_PI", leaf("inner", text)).encode()).value("inner") == text


def test_what_the_server_packs_is_xml() -> None:
    packed = element("Outer_PI", leaf("inner", "<&>'\""), leaf("number", 7))
    root = ElementTree.fromstring(packed)
    assert [child.text for child in root] == ["<&>'\"", "7"]


def test_keywords_pair_names_with_values_in_order() -> None:
    body = b"<X_PI><KeyValPair_PI><ssLen>2</ssLen><keyWord>a</keyWord><keyWord>b</keyWord><svalue>1</svalue>"
    body += b"<svalue>&lt;2&gt;</svalue></KeyValPair_PI></X_PI>"
    assert parse(body).keywords() == {"a": "1", "b": "<2>"}


def test_a_missing_child_is_empty_and_a_missing_number_the_default() -> None:
    node = parse(b"<X_PI><a>1</a></X_PI>")
    assert (node.value("b"), node.number("a"), node.number("b", -1)) == ("", 1, -1)
    assert (node.child("b").children, node.all("b"), node.keywords()) == ([], [], {})


@pytest.mark.parametrize("body", [b"", b"no xml", b"<a><b></a></b>", b"<a>", b"</a>"])
def test_what_is_no_element_is_recognised(body: bytes) -> None:
    with pytest.raises(Disconnected):
        parse(body)


def test_json_travels_with_a_closing_nul_that_counts() -> None:
    packed = parse(pack_json({"a": "ü", "b": [1, None]}).encode())
    assert unpack_json(packed) == {"a": "ü", "b": [1, None]}
    assert packed.number("buflen") == len('{"a":"ü","b":[1,null]}'.encode()) + 1


def test_json_that_is_none_is_recognised() -> None:
    for text in ("", "bm90IGpzb24=", "W10="):
        with pytest.raises(Disconnected):
            unpack_json(parse(f"<B_PI><buf>{text}</buf></B_PI>".encode()))


def header_of(raw: bytes) -> Header:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(raw)
        return receive_header(Incoming(ours))


def test_a_packed_header_says_what_follows() -> None:
    raw = pack("RODS_API_REPLY", -808000, "bödy", "error", stream_bytes=5)
    assert raw.endswith("bödyerror".encode())
    header = header_of(raw)
    assert (header.kind, header.info) == ("RODS_API_REPLY", -808000)
    assert (header.body_bytes, header.error_bytes, header.stream_bytes) == (5, 5, 5)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\0",
        struct.pack(">I", 1_000_000) + b"x" * 10,
        struct.pack(">I", 7) + b"<a></a>",
        struct.pack(">I", 100) + b"too short",
        pack("RODS_API_REQ", 0).replace(b"<msgLen>0<", b"<msgLen>9999999999<"),
    ],
    ids=["nothing", "half a length", "too long", "no fields", "cut", "an unbelievable length"],
)
def test_a_header_that_is_none_is_recognised(raw: bytes) -> None:
    with pytest.raises(Disconnected):
        header_of(raw)
