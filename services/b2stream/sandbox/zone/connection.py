"""One connection: startup, authentication, then call after call until the client leaves.

Each state change is committed before its answer is sent, so what a client was told survives any death of this process.
"""

import contextlib
import socket
import sqlite3
from collections.abc import Callable

from b2stream.sandbox.zone import (
    closing,
    collection_calls,
    descriptors,
    metadata,
    object_calls,
    opening,
    query_calls,
    transfer,
)
from b2stream.sandbox.zone.authentication import NativeAuthentication
from b2stream.sandbox.zone.faults import Cut, Fault
from b2stream.sandbox.zone.messages import (
    Disconnected,
    Header,
    Incoming,
    Node,
    element,
    leaf,
    leaves,
    pack,
    pack_json,
    pack_refusal,
    parse,
    receive_header,
    unpack_json,
)
from b2stream.sandbox.zone.numbers import Api, Code, Refusal
from b2stream.sandbox.zone.people import find_user
from b2stream.sandbox.zone.state import Session, Zone
from b2stream.sandbox.zone.vault import BUFFER_BYTES

NEGOTIATION = "request_server_negotiation"
VERSION = element(
    "Version_PI",
    leaves([("status", 0), ("relVersion", "rods5.0.2"), ("apiVersion", "d"), ("reconnPort", 0), ("reconnAddr", "")]),
    leaf("cookie", 400),
)

# Calls whose answer is a number, and calls whose answer is a body.
_NUMBER_CALLS: dict[int, Callable[[Session, Node], int]] = {
    Api.DATA_OBJ_OPEN: opening.open_object,
    Api.DATA_OBJ_CREATE: opening.create_object,
    Api.DATA_OBJ_CLOSE: closing.close_object,
    Api.DATA_OBJ_UNLINK: object_calls.unlink,
    Api.DATA_OBJ_RENAME: object_calls.rename,
    Api.DATA_OBJ_COPY: object_calls.copy,
    Api.MOD_DATA_OBJ_META: object_calls.modify_catalogue,
    Api.COLL_CREATE: collection_calls.create,
    Api.RM_COLL: collection_calls.remove,
    Api.MOD_ACCESS_CONTROL: collection_calls.modify_access,
    Api.MOD_AVU_METADATA: metadata.modify,
}


def _text(call: Callable[[Session, Node], str]) -> Callable[[Session, Node], str]:
    def answer(session: Session, request: Node) -> str:
        text = call(session, request)
        return element("STR_PI", leaf("myStr", text)) if text else ""

    return answer


def _replica_closed(session: Session, request: Node) -> str:
    descriptors.close_replica(session, unpack_json(request))
    return ""


_BODY_CALLS: dict[int, Callable[[Session, Node], str]] = {
    Api.GEN_QUERY: query_calls.gen_query,
    Api.GENQUERY2: _text(query_calls.genquery2),
    Api.DATA_OBJ_CHKSUM: _text(object_calls.checksum),
    Api.DATA_OBJ_LSEEK: transfer.seek,
    Api.GET_FILE_DESCRIPTOR_INFO: lambda session, request: pack_json(
        descriptors.descriptor_info(session, unpack_json(request))
    ),
    Api.ATOMIC_APPLY_METADATA_OPERATIONS: lambda session, request: pack_json(
        metadata.apply_atomically(session, unpack_json(request))
    ),
    Api.REPLICA_CLOSE: _replica_closed,
}


class Connection:
    """Serves one client. `serve` returns when the client is gone; `abandon` is for a zone that stops."""

    def __init__(self, zone: Zone, client: socket.socket) -> None:
        self._zone = zone
        self._client = client
        self._incoming = Incoming(client)
        self._session: Session | None = None
        self._buffer = memoryview(bytearray(BUFFER_BYTES))

    def serve(self) -> None:
        """Answer until the end; what the client left open for writing becomes stale."""
        try:
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start()
            while self._answer_next():
                pass
        except (Disconnected, Cut, OSError):
            pass
        finally:
            with contextlib.suppress(OSError):
                self._client.close()
            if self._session:
                closing.abandon(self._session)
            self._zone.catalogue.release_reader()

    def disconnect(self) -> None:
        """Make `serve` return."""
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def _send(self, kind: str, info: int, body: str = "", error: str = "") -> None:
        self._client.sendall(pack(kind, info, body, error))

    def _receive_body(self, header: Header) -> bytes:
        body = self._incoming.exactly(header.body_bytes)
        self._incoming.exactly(header.error_bytes)
        return body

    def _start(self) -> None:
        header = receive_header(self._incoming)
        body = self._receive_body(header)
        if header.kind != "RODS_CONNECT":
            raise Disconnected("no startup message")
        self._misbehave(self._zone.faults.consult("CONNECT", body))
        if NEGOTIATION in parse(body).value("option"):
            # The server's policy is to refuse TLS: it listens on the loopback device only.
            refusal = element("CS_NEG_PI", leaf("status", 1), leaf("result", "CS_NEG_REFUSE"))
            self._send("RODS_CS_NEG_T", 0, refusal)
            if "CS_NEG_USE_TCP" not in parse(self._receive_body(receive_header(self._incoming))).value("result"):
                raise Disconnected("the client insists on TLS")
        self._send("RODS_VERSION", 0, VERSION)
        authentication = NativeAuthentication()
        while self._session is None:
            header = receive_header(self._incoming)
            if header.info != Api.AUTHENTICATION:
                raise Disconnected("the client does not authenticate")
            self._authenticate(authentication, self._receive_body(header))

    def _authenticate(self, authentication: NativeAuthentication, body: bytes) -> None:
        db = self._zone.catalogue.reader()
        try:
            answer, user = authentication.answer(db, unpack_json(parse(body)))
        except Refusal as refusal:
            self._send("RODS_API_REPLY", refusal.code)
            raise Disconnected("not authenticated") from None
        if user is not None and find_user(db, user.name, self._zone.name) is not None:
            self._session = Session(self._zone, user)
        self._send("RODS_API_REPLY", 0, pack_json(answer))

    def _answer_next(self) -> bool:
        header = receive_header(self._incoming)
        if header.kind == "RODS_DISCONNECT":
            return False
        if header.kind != "RODS_API_REQ" or self._session is None:
            raise Disconnected(f"unexpected message {header.kind}")
        body = self._receive_body(header)
        fault = self._fault(self._session, header.info, body)
        try:
            if header.info != Api.DATA_OBJ_WRITE or (fault is not None and fault.action == "error"):
                self._discard(header.stream_bytes)
            self._misbehave(fault)
            self._answer(self._session, header, body, fault)
        except Refusal as refusal:
            error = pack_refusal(refusal) if refusal.message else ""
            packed = element("STR_PI", leaf("myStr", refusal.body)) if refusal.body.startswith("[") else refusal.body
            self._send("RODS_API_REPLY", refusal.code, packed, error)
        except metadata.AtomicRefusal as refusal:
            self._send("RODS_API_REPLY", refusal.code, pack_json(refusal.body))
        except sqlite3.Error:
            self._send("RODS_API_REPLY", Code.CAT_SQL_ERR)
        except ValueError:  # a number that is none
            if header.info == Api.DATA_OBJ_WRITE:
                raise Disconnected("a write that makes no sense") from None
            self._send("RODS_API_REPLY", Code.SYS_INVALID_INPUT_PARAM)
        return True

    def _fault(self, session: Session, api: int, body: bytes) -> Fault | None:
        """The fault for this call; its path may also be that of the open object which the call is about."""
        if self._zone.faults.none:  # the ordinary case costs nothing
            return None
        call = Api(api).name if api in Api.__members__.values() else str(api)
        number = parse(body).number("l1descInx", -1) if b"l1descInx" in body else -1
        opened = session.open_files.get(number)
        return self._zone.faults.consult(call, body + opened.path.encode() if opened else body)

    def _discard(self, size_bytes: int) -> None:
        """Take bytes that no call asked for, so that the next message is found."""
        while size_bytes > 0:
            count = self._incoming.into(self._buffer[: min(size_bytes, len(self._buffer))])
            if not count:
                raise Disconnected("closed by the client")
            size_bytes -= count

    def _misbehave(self, fault: Fault | None) -> None:
        if fault is None:
            return
        if fault.action == "error":
            raise Refusal(fault.code)
        if fault.action == "cut":
            raise Cut
        if fault.action in ("delay", "hang"):
            self._zone.faults.wait(fault)

    def _answer(self, session: Session, header: Header, body: bytes, fault: Fault | None) -> None:
        request = parse(body) if body else Node()
        silent, pretended = (fault is not None and fault.action == action for action in ("drop_reply", "pretend"))
        if header.info == Api.DATA_OBJ_READ:
            if silent:
                raise Cut
            transfer.send_file(session, request, self._client)
            return
        info, packed = 0, ""
        if header.info == Api.DATA_OBJ_WRITE:
            info = transfer.receive_file(session, request, header, self._incoming, self._buffer, fault)
        elif pretended:
            pass
        elif header.info in _NUMBER_CALLS:
            info = _NUMBER_CALLS[header.info](session, request)
        elif header.info in _BODY_CALLS:
            packed = _BODY_CALLS[header.info](session, request)
        else:
            raise Refusal(Code.SYS_UNMATCHED_API_NUM)
        if silent:
            raise Cut
        self._send("RODS_API_REPLY", info, packed)
