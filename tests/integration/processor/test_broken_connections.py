"""A broker whose connections all break at once: aiokafka on uvloop hears of a break, and the source of what it hears nothing of."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
import uvloop
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import ApiVersionRequest

import b2stream.programs.processor.source  # noqa: F401 - what it does to aiokafka is what is tested

RESET = struct.pack("ii", 1, 0)  # lingering for no time: the other side is sent a reset


class Broker:
    """Answers each request with an empty list of versions, until it breaks off."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._connections: list[tuple[socket.socket, threading.Thread]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self._listening.accept()[0]
                serving = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._connections.append((connection, serving))
                serving.start()

    @staticmethod
    def _serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError, struct.error):
            while True:
                (size,) = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))
                request = connection.recv(size, socket.MSG_WAITALL)
                (correlation,) = struct.unpack(">i", request[4:8])
                answer = struct.pack(">ihi", correlation, 0, 0)
                connection.sendall(struct.pack(">i", len(answer)) + answer)

    def break_off(self) -> None:
        """Reset every connection; once this returns, each has been."""
        for connection, serving in self._connections:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.shutdown(socket.SHUT_RD)  # wakes the thread that reads: while it does, nothing is really closed
            serving.join()
            connection.close()
        self._connections.clear()

    def close(self) -> None:
        self._listening.close()
        self.break_off()


@pytest.fixture
def broker() -> Iterator[Broker]:
    found = Broker()
    yield found
    found.close()


def test_I11_whatever_is_sent_while_connections_break_fails_as_an_error_of_kafka(broker: Broker) -> None:
    failures: list[BaseException] = []

    async def ask(connection: object) -> None:
        try:
            await connection.send(ApiVersionRequest())  # type: ignore[attr-defined]
        except Exception as error:
            failures.append(error)

    async def scenario() -> None:
        connections = [await create_conn("127.0.0.1", broker.port) for _ in range(2)]
        broker.break_off()  # the loop stands still meanwhile, as on a busy machine: it finds both broken at once
        asking = []
        for _ in range(10):  # each turn of the loop a little later than the break
            asking += [asyncio.create_task(ask(connection)) for connection in connections]
            await asyncio.sleep(0)
        await asyncio.gather(*asking)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
    assert len(failures) == 20
    assert all(isinstance(failure, KafkaError) for failure in failures), set(map(repr, failures))
