"""Messages of the iRODS protocol: a length, an XML header, then body, error and bytes.

Both sides write very plain XML (no attributes, no comments), and the client may put characters into it that no XML
parser accepts, control characters among them; a real server takes them and hands them back. So packing and unpacking
are done here by hand and keep every character.
"""

import base64
import json
import re
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from b2stream.sandbox.zone.numbers import Refusal

# Nothing that the client sends except the bytes of a write comes near this; a longer length is not the protocol.
LONGEST_PART_BYTES = 16 * 1024 * 1024
LONGEST_HEADER_BYTES = 4096

_HEADER_FIELDS = re.compile(rb"<(type|msgLen|errorLen|bsLen|intInfo)>([^<]*)</")
_TAG_AND_TEXT = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9_]*)>([^<]*)")
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


@dataclass(slots=True)
class Node:
    """One element: its text, or its children in order."""

    name: str
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def child(self, name: str) -> "Node":
        """The first child of that name, or an empty one."""
        for node in self.children:
            if node.name == name:
                return node
        return Node(name)

    def all(self, name: str) -> list[str]:
        """The texts of all children of that name."""
        return [node.text for node in self.children if node.name == name]

    def value(self, name: str) -> str:
        """The text of the first child of that name, or nothing."""
        return self.child(name).text

    def number(self, name: str, default: int = 0) -> int:
        """The child's text as a number."""
        text = self.value(name)
        return int(text) if text else default

    def keywords(self) -> dict[str, str]:
        """The child KeyValPair_PI as a dictionary."""
        pairs = self.child("KeyValPair_PI")
        return dict(zip(pairs.all("keyWord"), pairs.all("svalue"), strict=True))


def escape(text: str) -> str:
    """Text as the server writes it into XML."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("'", "&apos;")


def unescape(text: str) -> str:
    """The reverse of `escape`."""
    return _ENTITY.sub(lambda match: _ENTITIES[match[1]], text) if "&" in text else text


def parse(body: bytes) -> Node:
    """The element tree of a message's body. Raises Disconnected when it is not one."""
    root = Node("")
    stack = [root]
    for slash, name, text in _TAG_AND_TEXT.findall(body.decode("utf-8", "surrogateescape")):
        if slash:
            if stack.pop().name != name or not stack:
                raise Disconnected(f"unbalanced XML at {name}")
        else:
            node = Node(name, unescape(text))
            stack[-1].text = ""  # what stood before the first child is layout
            stack[-1].children.append(node)
            stack.append(node)
    if len(stack) != 1 or not root.children:
        raise Disconnected("the body is no XML element")
    return root.children[0]


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


def receive_exactly(connection: socket.socket, size_bytes: int) -> bytes:
    """That many bytes. Raises Disconnected when the other side is gone."""
    parts: list[bytes] = []
    while size_bytes > 0:
        part = connection.recv(size_bytes)
        if not part:
            raise Disconnected("closed by the client")
        parts.append(part)
        size_bytes -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def receive_header(connection: socket.socket) -> Header:
    """The next message's header; the parts it announces are still on the connection."""
    (size_bytes,) = struct.unpack(">I", receive_exactly(connection, 4))
    if size_bytes > LONGEST_HEADER_BYTES:
        raise Disconnected("no header of the iRODS protocol")
    fields = dict(_HEADER_FIELDS.findall(receive_exactly(connection, size_bytes)))
    try:
        header = Header(
            fields[b"type"].decode(),
            int(fields[b"msgLen"]),
            int(fields[b"errorLen"]),
            int(fields[b"bsLen"]),
            int(fields[b"intInfo"]),
        )
    except (KeyError, ValueError):
        raise Disconnected("no header of the iRODS protocol") from None
    if max(header.body_bytes, header.error_bytes) > LONGEST_PART_BYTES:
        raise Disconnected("a message longer than the protocol needs")
    return header


def pack(kind: str, info: int, body: str = "", error: str = "", stream_bytes: int = 0) -> Sequence[bytes]:
    """Header and parts of a message, ready for `sendmsg`; the stream's bytes follow by the caller's hand."""
    packed_body = body.encode("utf-8", "surrogateescape")
    packed_error = error.encode("utf-8", "surrogateescape")
    header = element(
        "MsgHeader_PI",
        f"<type>{kind}</type>\n<msgLen>{len(packed_body)}</msgLen>\n<errorLen>{len(packed_error)}</errorLen>\n",
        f"<bsLen>{stream_bytes}</bsLen>\n<intInfo>{info}</intInfo>\n",
    ).encode()
    return struct.pack(">I", len(header)) + header, packed_body, packed_error
