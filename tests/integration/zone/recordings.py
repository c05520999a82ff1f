"""Plays the client's half of a recording to a zone and gives back what recording and zone answered.

Recordings are compared with, never played back: only the client's messages are sent, and every answer is the zone's.

Before two answers are compared, what must differ is replaced in both (`Normaliser`):

- ids of objects, collections, AVUs and the resource: by `#1`, `#2`, ... in order of first appearance, so that equal ids
  stay equal; ids in the client's messages are replaced by the zone's own ones
- times: by `<time>`, if they have eleven digits
- challenge and digest of the authentication, which is done afresh with the zone's own challenge; the write token
- the vault's directory, and with it the width (`reslen`) of replies that contain physical paths
- bytes and checksums of writes whose content the recording does not hold: other bytes of the same length are sent, and
  the client's checksum is replaced by theirs
"""

import base64
import hashlib
import json
import re
import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Message = dict[str, Any]

AUTHENTICATION, OPEN, CLOSE, SEEK, WRITE = 110000, 602, 673, 674, 676
ID_COLUMNS = {"401", "402", "423", "500", "603", "613"}
TIME_COLUMNS = {"419", "420", "424", "508", "509"}
RECORDED_VAULTS = ("/var/lib/irods/vault", "/opt/irods-csc/vault")
_RESULT = re.compile(
    r"<SqlResult_PI>\n<attriInx>(\d+)</attriInx>\n<reslen>(\d+)</reslen>\n(.*?)</SqlResult_PI>\n", re.S
)
_BUFFER = re.compile(r"<buflen>(\d+)</buflen>\n?<buf>([^<]*)</buf>")
_TIME = re.compile(r"[0-9]{11}")


def load(path: Path) -> tuple[Message, list[Message]]:
    """The scenario's description and its messages."""
    head, *messages = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return head, messages


def filler(recorded: Message) -> bytes:
    """Bytes in place of recorded ones that are known by length and digest only."""
    seed = bytes.fromhex(recorded["sha256"])
    size_bytes = int(recorded["bytes"])
    return (seed * (size_bytes // len(seed) + 1))[:size_bytes]


def element(text: str, name: str) -> str:
    """The text of the first element of that name, or nothing."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return found[1] if found else ""


def substitute_checksum(messages: list[Message]) -> dict[str, str]:
    """The recorded checksum of an object whose bytes are unknown, and that of the bytes sent instead."""
    content = bytearray()
    positions: dict[int, int] = {}
    recorded = ""
    for message in messages:
        if message["dir"] != "client" or not isinstance(message["message"], str):
            continue
        connection, text = message["conn"], message["message"]
        if message["intInfo"] == OPEN:
            positions[connection] = 0
            recorded = recorded or (re.findall(r"<svalue>(sha2:[^<]*)</svalue>", text) or [""])[0]
        elif message["intInfo"] == SEEK and element(text, "whence") == "0":
            positions[connection] = int(element(text, "offset"))
        elif message["intInfo"] == WRITE and isinstance(message["bs"], dict):
            chunk, start = filler(message["bs"]), positions[connection]
            content.extend(b"\0" * (start + len(chunk) - len(content)))
            content[start : start + len(chunk)] = chunk
            positions[connection] = start + len(chunk)
    if not content or not recorded:
        return {}
    return {recorded: "sha2:" + base64.b64encode(hashlib.sha256(content).digest()).decode()}


@dataclass
class Answer:
    """One answer: code, main part, error part and bytes."""

    code: int
    message: str
    error: str
    stream: bytes


@dataclass
class Normaliser:
    """Replaces what must differ between two zones; one for each side, so that ids are counted on their own."""

    vaults: tuple[str, ...]
    ids: dict[str, str] = field(default_factory=dict)

    def identity(self, value: str) -> str:
        """The same short name for the same id."""
        return self.ids.setdefault(value, f"#{len(self.ids) + 1}")

    def text(self, text: str) -> str:
        """A reply's main part, made comparable."""
        for vault in self.vaults:
            text = text.replace(vault, "<vault>")
        if "<buf>" in text:
            return _BUFFER.sub(self._buffer, text)
        has_paths = "<attriInx>410</attriInx>" in text
        return _RESULT.sub(lambda match: self._column(match, has_paths), text)

    def _column(self, match: re.Match[str], has_paths: bool) -> str:
        number, width, cells = match.groups()
        if number in ID_COLUMNS:
            cells = re.sub(r">([0-9]+)<", lambda value: f">{self.identity(value[1])}<", cells)
        elif number in TIME_COLUMNS:
            cells = re.sub(r">([0-9]{11})<", "><time><", cells)
        return f"[{number} width {'any' if has_paths and number != '422' else width}\n{cells}]\n"

    def _buffer(self, match: re.Match[str]) -> str:
        raw = base64.b64decode(match[2])
        assert len(raw) == int(match[1]), "buflen counts the bytes"
        assert raw.endswith(b"\0"), "the server ends JSON with a NUL"
        content = json.loads(raw.rstrip(b"\0"))
        return json.dumps(self._json(content))  # in the order of the answer

    def _json(self, content: Any, key: str = "") -> Any:
        if isinstance(content, dict):
            return {name: self._json(value, name) for name, value in content.items()}
        if isinstance(content, list):
            return [self._json(value) for value in content]
        if key in ("request_result", "digest", "replica_token"):
            return f"<{len(content)} characters>"
        if key in ("collection_id", "data_id", "resource_id"):
            return self.identity(str(content))
        if isinstance(content, str):
            for vault in self.vaults:
                content = content.replace(vault, "<vault>")
            return "<time>" if _TIME.fullmatch(content) and key != "data_expiry" else content
        return content


class Player:
    """Sends a recording's client messages to a zone."""

    def __init__(self, port: int, passwords: dict[str, str], messages: list[Message]) -> None:
        self._port = port
        self._passwords = passwords
        self._messages = messages
        self._connections: dict[int, socket.socket] = {}
        self._challenges: dict[int, str] = {}
        # From a recorded value in the client's messages to the zone's own.
        self._replace = substitute_checksum(messages)

    @property
    def sent_checksums(self) -> dict[str, str]:
        """Recorded checksums of unknown bytes, and those of the bytes sent instead."""
        return self._replace

    def send(self, index: int) -> None:
        """Send the client's message of that index as recorded, but for what the zone must find its own value in."""
        message = self._messages[index]
        connection = message["conn"]
        if message["type"] == "RODS_CONNECT":
            self._connections[connection] = socket.create_connection(("127.0.0.1", self._port), 30)
        elif message["type"] == "RODS_DISCONNECT":
            later = (other["type"] for other in self._messages[index + 1 :] if other["conn"] == connection)
            if connection not in self._connections or next(later, "RODS_CONNECT") != "RODS_CONNECT":
                return  # of an earlier session, recorded late
        text = message["message"] or ""
        if message["intInfo"] == AUTHENTICATION:
            text = self._authentication(connection, text)
        for recorded, own in self._replace.items():
            text = text.replace(recorded, own)
        stream = message["bs"]
        data = b"" if stream is None else filler(stream) if isinstance(stream, dict) else stream.encode()
        self._send(connection, message["type"], text.encode(), data, message["intInfo"])

    def _send(self, connection: int, kind: str, body: bytes, data: bytes, info: int) -> None:
        header = (
            f"<MsgHeader_PI><type>{kind}</type><msgLen>{len(body)}</msgLen><errorLen>0</errorLen>"
            f"<bsLen>{len(data)}</bsLen><intInfo>{info}</intInfo></MsgHeader_PI>"
        ).encode()
        self._connections[connection].sendall(struct.pack(">I", len(header)) + header + body + data)

    def _authentication(self, connection: int, text: str) -> str:
        content = json.loads(base64.b64decode(element(text, "buf")))
        if "digest" in content:
            challenge, password = self._challenges[connection], self._passwords.get(content["user_name"], "")
            padded = password.encode().ljust(50, b"\0")
            digest = hashlib.md5(challenge.encode() + padded).digest().replace(b"\0", b"\1")
            content |= {"request_result": challenge, "digest": base64.b64encode(digest).decode()}
        raw = json.dumps(content).encode()
        return (
            f"<BinBytesBuf_PI><buflen>{len(raw)}</buflen><buf>{base64.b64encode(raw).decode()}</buf></BinBytesBuf_PI>"
        )

    def receive(self, index: int) -> Answer:
        """The zone's answer in the place of the server's message of that index."""
        recorded = self._messages[index]
        connection = self._connections[recorded["conn"]]
        (size_bytes,) = struct.unpack(">I", self._exactly(connection, 4))
        header = self._exactly(connection, size_bytes).decode()
        assert element(header, "type") == recorded["type"]
        lengths = [int(element(header, name)) for name in ("msgLen", "errorLen", "bsLen")]
        body, error, stream = (self._exactly(connection, length) for length in lengths)
        return self._understood(index, int(element(header, "intInfo")), body.decode(), error.decode(), stream)

    def _understood(self, index: int, code: int, body: str, error: str, stream: bytes) -> Answer:
        recorded = self._messages[index]
        if "request_result" in (decoded := self._decoded(body)):
            self._challenges[recorded["conn"]] = decoded["request_result"]
        self._learn(recorded["message"], body)
        return Answer(code, body, error, stream)

    @staticmethod
    def _decoded(body: str) -> Message:
        if "<buf>" not in body:
            return {}
        content: Message = json.loads(base64.b64decode(element(body, "buf")).rstrip(b"\0"))
        return content

    def _learn(self, recorded: str | Message | None, own: str) -> None:
        """Which id or token of the zone stands for which recorded one, for the client's next messages."""
        if not isinstance(recorded, str):
            return
        pairs: list[tuple[str, str]] = []
        theirs, ours = _RESULT.findall(recorded), _RESULT.findall(own)
        for (number, _, cells), (_, _, own_cells) in zip(theirs, ours, strict=False):
            if number in ID_COLUMNS:
                pairs += zip(re.findall(r">(\d+)<", cells), re.findall(r">(\d+)<", own_cells), strict=False)
        self._replace |= {f"= '{value}'": f"= '{own_value}'" for value, own_value in pairs}
        token = self._decoded(recorded).get("replica_token")
        if token:
            self._replace[token] = self._decoded(own)["replica_token"]

    @staticmethod
    def _exactly(connection: socket.socket, size_bytes: int) -> bytes:
        data = b""
        while len(data) < size_bytes:
            part = connection.recv(size_bytes - len(data))
            assert part, "the zone closed the connection"
            data += part
        return data

    def close(self) -> None:
        """Close what the recording left open."""
        for connection in self._connections.values():
            connection.close()
