"""Reading and writing open data objects: bytes go straight between connection and file."""

import os
import socket

from b2stream.sandbox.zone.faults import Fault, stored_of
from b2stream.sandbox.zone.messages import Disconnected, Header, Incoming, Node, element, leaf, pack
from b2stream.sandbox.zone.numbers import Code, Refusal, file_error
from b2stream.sandbox.zone.state import Session


def seek(session: Session, request: Node) -> str:
    """DATA_OBJ_LSEEK: the new position."""
    opened = session.opened(request.number("l1descInx"))
    try:
        position = os.lseek(opened.descriptor, request.number("offset"), request.number("whence"))
    except OSError as error:
        raise Refusal(file_error(Code.UNIX_FILE_READ_ERR, error)) from None
    return element("fileLseekOut_PI", leaf("offset", position))


def send_file(session: Session, request: Node, connection: socket.socket) -> None:
    """DATA_OBJ_READ, answer included: the bytes from the position on, at most `len`."""
    opened = session.opened(request.number("l1descInx"))
    position = os.lseek(opened.descriptor, 0, os.SEEK_CUR)
    rest = max(os.fstat(opened.descriptor).st_size - position, 0)
    size_bytes = min(max(request.number("len"), 0), rest)
    connection.sendall(pack("RODS_API_REPLY", size_bytes, stream_bytes=size_bytes))
    end = position + size_bytes
    while position < end:
        sent = os.sendfile(connection.fileno(), opened.descriptor, position, end - position)
        if sent == 0:  # truncated by a writer meanwhile: what was announced cannot be sent any more
            raise Disconnected("the file became shorter while it was read")
        position += sent
    os.lseek(opened.descriptor, position, os.SEEK_SET)


def receive_file(
    session: Session, request: Node, header: Header, incoming: Incoming, buffer: memoryview, fault: Fault | None = None
) -> int:
    """DATA_OBJ_WRITE: takes the message's bytes and writes them at the position; returns how many.

    The bytes are taken from the connection even if they cannot be written, so that the next message is found.
    """
    action = fault.action if fault else ""
    refusal: Refusal | None = None
    descriptor = -1
    try:
        opened = session.opened(request.number("l1descInx"))
        descriptor, opened.changed = opened.descriptor, True
    except Refusal as error:
        refusal = error
    left = header.stream_bytes
    while left:
        count = incoming.into(buffer[: min(left, len(buffer))])
        if not count:
            raise Disconnected("closed by the client in the middle of a write")
        left -= count
        if refusal is None:
            try:
                _write_all(descriptor, stored_of(action, buffer[:count]))
            except OSError as error:
                refusal = Refusal(file_error(Code.UNIX_FILE_WRITE_ERR, error))
    if refusal:
        raise refusal
    return header.stream_bytes


def _write_all(descriptor: int, chunk: bytes | memoryview) -> None:
    while chunk:
        chunk = chunk[os.write(descriptor, chunk) :]
