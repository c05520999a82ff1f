"""A request and its reply on a connection that the client made; all of the reply is taken with one call of the system where it can be.

The client takes each part of a reply by itself, and a large one by adding piece to piece.
"""

import io
import socket
import ssl
import struct
from typing import Any, NamedTuple

from irods.exception import NetworkException, get_exception_by_code

from b2stream.archive.irods import messages

_AT_ONCE_BYTES = 64 << 10
_JOINED_BYTES = 64 << 10  # up to so many a copy costs less than a second call of the system


class Reply(NamedTuple):
    """What a server answered; `info` is the call's result, below 0 the code of its refusal."""

    info: int
    body: bytes
    error: bytes
    stream: bytes


class Wire:
    """One of the client's connections. A request at a time, and nothing but its reply is ever on the way back."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._replies = io.BufferedReader(_Arriving(connection.socket), _AT_ONCE_BYTES)

    def wait_at_most(self, timeout_s: float) -> None:
        """For each answer from now on."""
        if self.connection.socket.gettimeout() != timeout_s:
            self.connection.socket.settimeout(timeout_s)

    def exchange(self, request: bytes, stream: bytes = b"") -> Reply:
        """Send it and take the reply. Raises NetworkException, and closes the socket, where there is none."""
        try:
            _send(self.connection.socket, request, stream)
            return self._receive()
        except OSError as error:
            self.connection.socket.close()  # whoever is silent would not hear a goodbye either
            raise NetworkException(f"{type(error).__name__}: {error}") from error

    def answer(self, request: bytes, stream: bytes = b"") -> Reply:
        """The same; raises the client's exception where the server refuses."""
        reply = self.exchange(request, stream)
        if reply.info < 0:
            raise refusal(reply)
        return reply

    def _receive(self) -> Reply:
        (header_bytes,) = struct.unpack(">I", self._exactly(4))
        lengths = None
        if header_bytes <= messages.LONGEST_HEADER_BYTES:
            lengths = messages.lengths(self._exactly(header_bytes))
        if lengths is None:
            raise ConnectionError("what answers does not speak iRODS's protocol")
        body, error = self._exactly(lengths.body_bytes), self._exactly(lengths.error_bytes)
        return Reply(lengths.info, body, error, self._exactly(lengths.stream_bytes))

    def _exactly(self, size_bytes: int) -> bytes:
        part = self._replies.read(size_bytes) if size_bytes else b""
        if len(part) < size_bytes:
            raise ConnectionError("the server closed the connection")
        return part


def refusal(reply: Reply) -> Exception:
    """The client's exception for a code. Raises a bare KeyError(code) for the 246 codes of which the client has no class."""
    error: Exception = get_exception_by_code(reply.info, messages.said(reply.error))
    return error


class _Arriving(io.RawIOBase):
    """What a socket receives. Unlike the file that a socket makes, it never keeps the socket open."""

    def __init__(self, connected: socket.socket) -> None:
        self._receive_into = connected.recv_into

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._receive_into(buffer)


def _send(connected: socket.socket, request: bytes, stream: bytes) -> None:
    if len(stream) <= _JOINED_BYTES or isinstance(connected, ssl.SSLSocket):  # which has no sendmsg
        connected.sendall(request + stream)
        return
    sent = connected.sendmsg((request, stream))  # one segment less than two sends, which Nagle's rule would part
    if sent < len(request):
        connected.sendall(request[sent:])
    connected.sendall(memoryview(stream)[max(sent - len(request), 0) :])
