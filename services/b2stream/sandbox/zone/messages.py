"""Messages of the iRODS protocol: a length, an XML header, then body, error and bytes.

Both sides write very plain XML (no attributes, no comments), and the client may put characters into it that no XML
parser accepts, control characters among them; a real server takes them and hands them back. So packing and unpacking
are done here by hand and keep every character.
"""

import base64
import io
import json
import re
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from b2stream.sandbox.zone.numbers import Refusal

# Nothing that the client sends except the bytes of a write comes near this; a longer length is not the protocol.
LONGEST_PART_BYTES = 16 * 1024 * 1024
LONGEST_HEADER_BYTES = 4096

# A small message is taken with one call of the system.
_AT_ONCE_BYTES = 64 * 1024

_HEADER_FIELDS = re.compile(
    rb"<type>([^<]*)</type>\s*<msgLen>(\d+)</msgLen>\s*<errorLen>(\d+)</errorLen>\s*<bsLen>(\d+)</bsLen>"
    rb"\s*<intInfo>(-?\d+)</intInfo>"
)
_ROOT = re.compile(r"\s*<([A-Za-z][A-Za-z0-9_]*)>(.*)</\1>\s*", re.DOTALL)
_CHILD = re.compile(r"<([A-Za-z][A-Za-z0-9_]*)>(.*?)</\1>", re.DOTALL)
_ESCAPED = re.compile("[&<>\"']")
_ENTITIES = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "amp": "&"}
_ENTITY = re.compile(r"&(lt|gt|quot|apos|amp);")


class Disconnected(Exception):
    """The other side closed the connection, or sent what is not this protocol."""


@dataclass(slots=True)
class Header:
    """The header of one message; lengths in bytes, `info` is the call's number or the reply's code."""

    kind: str
    body_bytes: int
    error_bytes: int
    stream_bytes: int
    info: int


class Node:
    """What stands within one element. Only what is asked for is looked for: a query has fifty elements, a call asks for five.

    The first element of a name is the one on the highest level, but in calls with two structures: those look at `children`.
    """

    __slots__ = ("_within",)

    def __init__(self, within: str = "") -> None:
        self._within = within

    @property
    def children(self) -> list["Node"]:
        """The elements within, in order."""
        return [Node(within) for _, within in _CHILD.findall(self._within)]

    def child(self, name: str) -> "Node":
        """The first element of that name, or an empty one."""
        _, _, rest = self._within.partition(f"<{name}>")
        within, end, _ = rest.partition(f"</{name}>")
        return Node(within if end else "")

    def all(self, name: str) -> list[str]:
        """The texts of all elements of that name."""
        return [unescape(rest[: rest.find("<")]) for rest in self._within.split(f"<{name}>")[1:]]

    def value(self, name: str) -> str:
        """The text of the first element of that name, or nothing."""
        _, _, rest = self._within.partition(f"<{name}>")
        return unescape(rest[: rest.find("<")]) if rest else ""

    def number(self, name: str, default: int = 0) -> int:
        """The element's text as a number."""
        text = self.value(name)
        return int(text) if text else default

    def keywords(self) -> dict[str, str]:
        """The element KeyValPair_PI as a dictionary."""
        return self.child("KeyValPair_PI").pairs()

    def pairs(self) -> dict[str, str]:
        """What stands in a KeyValPair_PI."""
        return dict(zip(self.all("keyWord"), self.all("svalue"), strict=True))


def escape(text: str) -> str:
    """Text as the server writes it into XML."""
    if not _ESCAPED.search(text):
        return text
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("'", "&apos;")


def unescape(text: str) -> str:
    """The reverse of `escape`."""
    return _ENTITY.sub(lambda match: _ENTITIES[match[1]], text) if "&" in text else text


def parse(body: bytes) -> Node:
    """What stands in a message's body. Raises Disconnected when that is no element."""
    found = _ROOT.fullmatch(body.decode("utf-8", "surrogateescape"))
    if found is None:
        raise Disconnected("the body is no XML element")
    return Node(found[2])


def element(name: str, *parts: str) -> str:
    """One element around already packed parts, laid out as the server lays it out."""
    return f"<{name}>\n{''.join(parts)}</{name}>\n"


def leaf(name: str, value: object) -> str:
    """One element with a value."""
    return f"<{name}>{escape(str(value))}</{name}>\n"


def leaves(pairs: Iterable[tuple[str, object]]) -> str:
    """Several elements with values."""
    return "".join(leaf(name, value) for name, value in pairs)


def pack_json(content: object) -> str:
    """JSON in a BinBytesBuf_PI; the server ends it with a NUL that counts into the length."""
    raw = json.dumps(content, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode() + b"\0"
    return element("BinBytesBuf_PI", leaf("buflen", len(raw)), leaf("buf", base64.b64encode(raw).decode()))


def unpack_json(node: Node) -> dict[str, object]:
    """The JSON object in a BinBytesBuf_PI."""
    try:
        content = json.loads(base64.b64decode(node.value("buf")).rstrip(b"\0"))
    except ValueError as error:
        raise Disconnected(f"no JSON: {error}") from None
    if not isinstance(content, dict):
        raise Disconnected("no JSON object")
    return content


def pack_refusal(refusal: Refusal) -> str:
    """The error part of a reply: a stack of one message."""
    message = element("RErrMsg_PI", leaf("status", refusal.status), leaf("msg", refusal.message))
    return element("RError_PI", leaf("count", 1), message)


class Incoming:
    """What one connection receives."""

    def __init__(self, connection: socket.socket) -> None:
        self._buffered = io.BufferedReader(_Arriving(connection), _AT_ONCE_BYTES)

    def exactly(self, size_bytes: int) -> bytes:
        """That many bytes. Raises Disconnected when the other side is gone."""
        part = self._buffered.read(size_bytes) if size_bytes else b""
        if len(part) < size_bytes:
            raise Disconnected("closed by the client")
        return part

    def into(self, buffer: memoryview) -> int:
        """What is there, at least one byte, at most as many as the buffer holds; 0 when the other side is gone."""
        return self._buffered.readinto1(buffer)


class _Arriving(io.RawIOBase):
    def __init__(self, connection: socket.socket) -> None:
        self._receive_into = connection.recv_into

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._receive_into(buffer)


def receive_header(incoming: Incoming) -> Header:
    """The next message's header; the parts it announces are still on the connection."""
    (size_bytes,) = struct.unpack(">I", incoming.exactly(4))
    if size_bytes > LONGEST_HEADER_BYTES:
        raise Disconnected("no header of the iRODS protocol")
    fields = _HEADER_FIELDS.search(incoming.exactly(size_bytes))
    if fields is None:
        raise Disconnected("no header of the iRODS protocol")
    header = Header(fields[1].decode("ascii", "replace"), *map(int, fields.groups()[1:]))
    if max(header.body_bytes, header.error_bytes) > LONGEST_PART_BYTES:
        raise Disconnected("a message longer than the protocol needs")
    return header


def pack(kind: str, info: int, body: str = "", error: str = "", stream_bytes: int = 0) -> bytes:
    """A message but for its stream; the stream's bytes follow by the caller's hand."""
    packed_body = body.encode("utf-8", "surrogateescape")
    packed_error = error.encode("utf-8", "surrogateescape")
    header = (
        f"<MsgHeader_PI>\n<type>{kind}</type>\n<msgLen>{len(packed_body)}</msgLen>\n"
        f"<errorLen>{len(packed_error)}</errorLen>\n<bsLen>{stream_bytes}</bsLen>\n<intInfo>{info}</intInfo>\n"
        "</MsgHeader_PI>\n"
    ).encode()
    return b"".join((struct.pack(">I", len(header)), header, packed_body, packed_error))
