"""The stream reader of Kafka's connections gives the bytes that came, however they came."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2stream.programs.processor.chunks import ChunkReader

LIMIT_BYTES = 16


class Transport(asyncio.ReadTransport):
    """Counts whether its socket is read."""

    def __init__(self) -> None:
        super().__init__()
        self._reading = True

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        assert self._reading
        self._reading = False

    def resume_reading(self) -> None:
        assert not self._reading
        self._reading = True


def with_reader(scenario: Callable[[asyncio.StreamReader, Transport], Awaitable[Any]]) -> Any:
    """Run it with a reader that was taken over, and its transport."""

    async def run() -> Any:
        reader, transport = asyncio.StreamReader(limit=LIMIT_BYTES), Transport()
        reader.set_transport(transport)
        ChunkReader.take_over(reader)
        return await scenario(reader, transport)

    return asyncio.run(run())


@given(st.lists(st.binary(max_size=40), max_size=12), st.lists(st.integers(min_value=0, max_value=60), max_size=12))
def test_any_pieces_read_in_any_portions_are_the_same_bytes(pieces: list[bytes], portions: list[int]) -> None:
    async def scenario(reader: asyncio.StreamReader, transport: Transport) -> None:
        content, waiting = b"".join(pieces), list(pieces)

        async def feed() -> None:
            for piece in waiting:
                while not transport.is_reading():
                    await asyncio.sleep(0)
                reader.feed_data(piece)
                await asyncio.sleep(0)
            reader.feed_eof()

        feeding = asyncio.create_task(feed())
        at = 0
        for portion in portions:
            if at + portion > len(content):
                with pytest.raises(asyncio.IncompleteReadError) as error:
                    await reader.readexactly(portion)
                assert error.value.partial == content[at:]
                assert reader.at_eof()
                break
            assert await reader.readexactly(portion) == content[at : at + portion]
            at += portion
        feeding.cancel()

    with_reader(scenario)


def test_I10_the_socket_waits_while_nobody_reads_and_goes_on_when_somebody_does() -> None:
    async def scenario(reader: asyncio.StreamReader, transport: Transport) -> None:
        reader.feed_data(b"x" * (2 * LIMIT_BYTES))
        assert transport.is_reading()
        reader.feed_data(b"x")
        assert not transport.is_reading()
        await reader.readexactly(LIMIT_BYTES)
        assert not transport.is_reading()
        await reader.readexactly(1)
        assert transport.is_reading()

    with_reader(scenario)


def test_an_answer_larger_than_the_limit_arrives_whole() -> None:
    async def scenario(reader: asyncio.StreamReader, transport: Transport) -> None:
        reader.feed_data(b"x" * (2 * LIMIT_BYTES + 1))
        assert not transport.is_reading()
        reading = asyncio.create_task(reader.readexactly(10 * LIMIT_BYTES))
        await asyncio.sleep(0)
        assert transport.is_reading(), "else the rest could never come"
        for _ in range(8):
            reader.feed_data(b"y" * LIMIT_BYTES)
        assert await reading == b"x" * (2 * LIMIT_BYTES + 1) + b"y" * (8 * LIMIT_BYTES - 1)
        assert await reader.readexactly(1) == b"y"

    with_reader(scenario)


def test_I11_a_broken_connection_is_told_to_whoever_waits_and_to_whoever_comes_later() -> None:
    async def scenario(reader: asyncio.StreamReader, transport: Transport) -> None:
        waiting = asyncio.create_task(reader.readexactly(1))
        await asyncio.sleep(0)
        reader.set_exception(ConnectionResetError("gone"))
        for each in (waiting, reader.readexactly(1)):
            with pytest.raises(ConnectionResetError):
                await each

    with_reader(scenario)
