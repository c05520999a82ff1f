"""The proxy itself: an event loop in a thread, two pumps for each connection, at most 1 MiB on its way in each direction."""

import asyncio
import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from b2stream.sandbox.ports import LOOPBACK, free_port, host_in, port_in
from tests.faults.proxy.lane import DOWN, UP, Fault, Lane, Piece

T = TypeVar("T")
_CHUNK_BYTES = 64 * 1024
_QUEUED_CHUNKS = 16
_OPENING_BYTES = 512
_LONGEST_WAIT_S = 3600.0
_END_S = 10.0
_RESET = struct.pack("ii", 1, 0)  # lingering for no time: the other side is sent a reset


@dataclass(frozen=True, slots=True)
class Counts:
    """`hits`: connections on which the fault in force took effect; bytes are those that were sent on."""

    connections: int
    open: int
    up_bytes: int
    down_bytes: int
    hits: int


class FaultProxy:
    """Listens on 127.0.0.1 and passes everything on to `target` (HOST:PORT or a URL) until a fault says otherwise.

    Used from any thread. A fault is in force until the next is set, for connections that are open and those that come. What a
    black hole swallowed is missing for ever, so such a connection is reset when the fault ends; what was held or delayed is sent then.
    """

    def __init__(self, target: str, port: int | None = None) -> None:
        self._host, self._target_port = host_in(target), port_in(target)
        self.port = port or free_port()
        self.fault = Fault()
        self._connections: set[_Connection] = set()
        self._hit: set[_Connection] = set()
        self._accepted = 0
        self.sent_bytes = {UP: 0, DOWN: 0}
        self._loop = asyncio.new_event_loop()
        self._listening: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{self.port}", daemon=True)

    @property
    def address(self) -> str:
        """HOST:PORT for clients."""
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._do(self._listen())

    def close(self) -> None:
        """End all connections and the thread."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> "FaultProxy":
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def set(self, fault: Fault) -> None:
        """Put this fault in force instead of the one before."""
        self._do(self._set(fault))

    def clear(self) -> None:
        """Pass everything on again."""
        self.set(Fault())

    def break_off(self, kind: str = "reset", only: str = "") -> int:
        """End the connections of now, and pass on those that come; how many there were."""

        async def break_off() -> int:
            await self._set(Fault(kind, only=only))
            broken = len(self._hit)
            await self._set(Fault())
            return broken

        return self._do(break_off())

    @property
    def counts(self) -> Counts:
        """What happened so far."""
        return self._do(self._count())

    # In the loop's thread ---------------------------------------------------------------------------------------------

    def _do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _listen(self) -> None:
        self._listening = await asyncio.start_server(self._serve, LOOPBACK, self.port, limit=_CHUNK_BYTES)

    async def _end(self) -> None:
        if self._listening:
            self._listening.close()
        for connection in list(self._connections):
            connection.end("cut")
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if tasks:
            await asyncio.wait(tasks, timeout=_END_S)

    async def _count(self) -> Counts:
        sent = self.sent_bytes
        return Counts(self._accepted, len(self._connections), sent[UP], sent[DOWN], len(self._hit))

    async def _set(self, fault: Fault) -> None:
        self.fault = fault
        self._hit.clear()
        for connection in list(self._connections):
            connection.set(fault)

    def may_hit(self, connection: "_Connection") -> bool:
        """Whether the fault may take effect on one more connection; it is counted."""
        concerned = not self.fault.only or re.search(self.fault.only.encode("latin-1"), connection.opening, re.DOTALL)
        left = not self.fault.times or connection in self._hit or len(self._hit) < self.fault.times
        if concerned and left:
            self._hit.add(connection)
        return bool(concerned and left)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._accepted += 1
        connection = _Connection(self, writer)
        self._connections.add(connection)
        try:
            connection.set(self.fault)
            if not connection.ended.is_set():
                await connection.run(reader, self._host, self._target_port)
        finally:
            connection.end("cut")
            self._connections.discard(connection)


class _Connection:
    """A client and the server behind: two lanes, each with a task that reads and one that sends."""

    def __init__(self, proxy: FaultProxy, client: asyncio.StreamWriter) -> None:
        self.opening = b""
        self.ended = asyncio.Event()
        self._proxy = proxy
        self._writers = [client]
        self._lanes = {direction: Lane(direction) for direction in (UP, DOWN)}
        self._lanes[UP].other, self._lanes[DOWN].other = self._lanes[DOWN], self._lanes[UP]
        self._faults_set = 0
        self._changed = {direction: asyncio.Event() for direction in (UP, DOWN)}

    def set(self, fault: Fault) -> None:
        """What is on its way becomes due; a stream with a hole ends."""
        swallowed = any(lane.swallowed for lane in self._lanes.values())
        self._faults_set += 1
        for direction, lane in self._lanes.items():
            lane.set(fault)
            self._changed[direction].set()
        if swallowed:
            self.end("reset")
        elif fault.at_once and self._proxy.may_hit(self):
            self.end(fault.kind, fault.direction)

    def end(self, kind: str, direction: str = UP) -> None:
        """End both sides, or for `half_close` what is sent in one direction."""
        if kind == "half_close":
            with contextlib.suppress(OSError, RuntimeError, IndexError):
                self._writers[direction == UP].write_eof()
            return
        self.ended.set()
        for writer in self._writers:
            if kind == "reset":
                raw: socket.socket = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
            else:
                writer.close()

    async def run(self, client: asyncio.StreamReader, host: str, port: int) -> None:
        """Until both directions have ended, or one of them broke."""
        try:
            server, writer = await asyncio.open_connection(host, port, limit=_CHUNK_BYTES)
        except OSError:
            self.end("reset")
            return
        self._writers.append(writer)
        pumps = [
            asyncio.create_task(self._pump(*one)) for one in ((UP, client, writer), (DOWN, server, self._writers[0]))
        ]
        ended = asyncio.create_task(self.ended.wait())
        both = asyncio.ensure_future(asyncio.gather(*pumps))
        ended.add_done_callback(lambda _: both.cancel())
        try:
            await asyncio.wait([both])
        finally:
            for task in (*pumps, ended):
                task.cancel()
            await asyncio.gather(*pumps, ended, both, return_exceptions=True)

    async def _pump(self, direction: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        queue: asyncio.Queue[tuple[Piece | None, int]] = asyncio.Queue(_QUEUED_CHUNKS)
        sending = asyncio.create_task(self._send(direction, queue, writer))
        try:
            while content := await reader.read(_CHUNK_BYTES):
                if direction == UP and len(self.opening) < _OPENING_BYTES:
                    self.opening += content[:_OPENING_BYTES]
                for piece in self._lanes[direction].take(content, time.monotonic(), lambda: self._proxy.may_hit(self)):
                    await queue.put((piece, self._faults_set))
            await queue.put((None, self._faults_set))
            await sending
        except OSError:
            self.end("reset")
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send(
        self, direction: str, queue: "asyncio.Queue[tuple[Piece | None, int]]", writer: asyncio.StreamWriter
    ) -> None:
        while True:
            piece, fault_number = await queue.get()
            if piece is None:
                break
            while fault_number == self._faults_set and (left_s := piece.due_s - time.monotonic()) > 0:
                self._changed[direction].clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed[direction].wait(), min(left_s, _LONGEST_WAIT_S))
            try:
                writer.write(piece.content)
                await writer.drain()
            except (OSError, RuntimeError):  # the other side is gone, or its direction was half-closed
                self.end("reset")
                return
            self._proxy.sent_bytes[direction] += len(piece.content)
            if piece.end:
                self.end(piece.end, direction)
        self.end("half_close", direction)
