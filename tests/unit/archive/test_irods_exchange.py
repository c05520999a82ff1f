"""A reply is taken whole however it arrives, and silence or another protocol ends the connection."""

import socket
import struct
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from irods import exception

from b2stream.archive.irods.exchange import Wire

BODY, ERROR, STREAM = b"<a></a>", b"<RError_PI><msg>no room</msg></RError_PI>", bytes(range(256)) * 1000


def reply(info: int, body: bytes = b"", error: bytes = b"", stream: bytes = b"") -> bytes:
    header = (
        f"<MsgHeader_PI>\n<type>RODS_API_REPLY</type>\n<msgLen>{len(body)}</msgLen>\n<errorLen>{len(error)}</errorLen>\n"
        f"<bsLen>{len(stream)}</bsLen>\n<intInfo>{info}</intInfo>\n</MsgHeader_PI>\n"
    ).encode()
    return struct.pack(">I", len(header)) + header + body + error + stream


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    yield ours, theirs
    ours.close()
    theirs.close()


def wire_of(ours: socket.socket) -> Wire:
    return Wire(SimpleNamespace(socket=ours))


@pytest.mark.parametrize("piece_bytes", [1, 3, 100, 70_000, 1 << 20])
def test_a_reply_that_comes_in_pieces_is_one(ends: tuple[socket.socket, socket.socket], piece_bytes: int) -> None:
    ours, theirs = ends
    stream = STREAM if piece_bytes > 10 else STREAM[:300]
    answer = reply(7, BODY, ERROR, stream) + reply(8)

    def send() -> None:
        for start in range(0, len(answer), piece_bytes):
            theirs.sendall(answer[start : start + piece_bytes])

    sender = threading.Thread(target=send)
    sender.start()
    wire = wire_of(ours)
    assert wire.exchange(b"first") == (7, BODY, ERROR, stream)
    assert wire.exchange(b"second") == (8, b"", b"", b"")
    sender.join()
    assert theirs.recv(100) == b"firstsecond"


@pytest.mark.parametrize("size_bytes", [0, 5, 64 << 10, (64 << 10) + 1, 3 << 20])
def test_the_stream_follows_its_request_whole(ends: tuple[socket.socket, socket.socket], size_bytes: int) -> None:
    ours, theirs = ends
    stream = (STREAM * 13)[:size_bytes]
    received = bytearray()

    def take() -> None:
        while len(received) < len(b"request") + size_bytes:
            received.extend(theirs.recv(1 << 20))
        theirs.sendall(reply(size_bytes))

    taker = threading.Thread(target=take)
    taker.start()
    assert wire_of(ours).exchange(b"request", stream).info == size_bytes
    taker.join()
    assert bytes(received) == b"request" + stream


def test_a_refusal_is_the_clients_exception_with_what_the_server_said(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    theirs.sendall(reply(-818000, error=ERROR) + reply(-510002) + reply(-154000) + reply(3))
    wire = wire_of(ours)
    with pytest.raises(exception.CAT_NO_ACCESS_PERMISSION, match="no room"):
        wire.answer(b"x")
    with pytest.raises(exception.UNIX_FILE_OPEN_ERR) as raised:
        wire.answer(b"x")
    assert raised.value.code == -510002
    with pytest.raises(KeyError):  # a code of which the client has no class
        wire.answer(b"x")
    assert wire.answer(b"x").info == 3


@pytest.mark.parametrize(
    "arriving",
    [
        b"",
        b"\0\0",
        reply(0)[:50],
        reply(0, BODY)[:-1],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack(">I", 5) + b"hello",
    ],
)
def test_half_a_reply_or_another_protocol_is_silence_and_ends_the_connection(
    ends: tuple[socket.socket, socket.socket], arriving: bytes
) -> None:
    ours, theirs = ends
    theirs.sendall(arriving)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(exception.NetworkException):
        wire_of(ours).exchange(b"x")
    assert ours.fileno() == -1


def test_a_server_that_says_nothing_is_given_up_in_time(ends: tuple[socket.socket, socket.socket]) -> None:
    wire = wire_of(ends[0])
    wire.wait_at_most(0.01)
    with pytest.raises(exception.NetworkException, match="TimeoutError"):
        wire.exchange(b"x")
