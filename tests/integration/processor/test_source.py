"""Faust and aiokafka as they really behave on a real Kafka: each trap that `source.py` names, and the way around it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient

from b2stream.contracts.envelopes import Headers
from b2stream.contracts.messages import LogMessage
from b2stream.programs.processor.source import FaustSource
from tests.integration.processor.conftest import PARTITIONS, Deployment
from tests.unit.processor.stations import Sent
from tests.waiting import until_in_loop

NO_HEADERS: Headers = []


def send(deployment: Deployment, count: int, partition: int = 0) -> None:
    deployment.send([Sent(b"ST", b"%d" % number, NO_HEADERS) for number in range(count)], partition=partition)


class Reading:
    """A source, and what it handed over."""

    def __init__(self, deployment: Deployment, folder: Path, handle: Callable[[LogMessage], Awaitable[None]]) -> None:
        self.offsets: list[tuple[int, int]] = []
        self.assignments: list[set[int]] = []
        self._handle = handle
        folder.mkdir(exist_ok=True)
        self.source = FaustSource(
            brokers=deployment.bootstrap,
            group=deployment.group,
            topic=deployment.topic,
            data_directory=str(folder / "faust"),
            assigned=self._assigned,
            revoked=lambda: None,
            handle=self._take,
        )

    async def _assigned(self, numbers: set[int]) -> None:
        assert not self.offsets or self.assignments, "a message came before the assignment was checked"
        self.assignments.append(numbers)

    async def _take(self, message: LogMessage) -> None:
        assert self.assignments
        self.offsets.append((message.partition, message.offset))
        await self._handle(message)


@contextlib.asynccontextmanager
async def reading(
    deployment: Deployment, folder: Path, handle: Callable[[LogMessage], Awaitable[None]]
) -> AsyncIterator[Reading]:
    found = Reading(deployment, folder, handle)
    await found.source.start()
    try:
        yield found
    finally:
        await asyncio.wait_for(found.source.stop(), 20.0)


def run(work: Awaitable[None]) -> None:
    async def scenario() -> None:
        await work

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


async def nothing(message: LogMessage) -> None:
    """Take a message and do nothing with it."""


def test_I8_faust_itself_commits_nothing_neither_while_it_runs_nor_when_it_stops(
    deployment: Deployment, tmp_path: Path
) -> None:
    async def scenario() -> None:
        send(deployment, 50)
        async with reading(deployment, tmp_path, nothing) as found:
            await until_in_loop(lambda: len(found.offsets) >= 50)
        assert found.offsets[-50:] == [(0, number) for number in range(50)]

    run(scenario())
    assert deployment.committed() == {}


def test_I8_the_group_stands_exactly_where_done_up_to_said_whatever_was_read_beyond(
    deployment: Deployment, tmp_path: Path
) -> None:
    async def scenario() -> None:
        send(deployment, 50)
        async with reading(deployment, tmp_path, nothing) as found:
            await until_in_loop(lambda: len(found.offsets) >= 50)
            assert await found.source.done_up_to(0, 7)
            assert deployment.committed() == {0: 7}
            assert await found.source.done_up_to(0, 8)
        assert deployment.committed() == {0: 8}

    run(scenario())


def test_I8_an_exception_while_a_message_is_handled_acknowledges_nothing(
    deployment: Deployment, tmp_path: Path
) -> None:
    async def scenario() -> None:
        send(deployment, 20)
        seen = 0

        async def handle(message: LogMessage) -> None:
            nonlocal seen
            seen += 1
            if message.offset == 3:
                raise ValueError("nobody foresaw this")

        async with reading(deployment, tmp_path, handle):
            await until_in_loop(lambda: seen >= 4)
            await asyncio.sleep(1.0)  # time for a commit that must not come

    run(scenario())
    assert deployment.committed() == {}


def test_an_offset_of_a_partition_that_is_not_ours_is_refused_and_crashes_nothing(
    deployment: Deployment, tmp_path: Path
) -> None:
    async def scenario() -> None:
        send(deployment, 10)
        async with reading(deployment, tmp_path / "one", nothing) as one:
            await until_in_loop(lambda: len(one.offsets) >= 10)
            async with reading(deployment, tmp_path / "two", nothing) as two:
                await until_in_loop(
                    lambda: bool(two.assignments and two.assignments[-1] and one.assignments[-1] != {0, 1, 2})
                )
                theirs = next(iter(two.assignments[-1]))
                assert not await one.source.done_up_to(theirs, 5)
                ours = next(iter(one.assignments[-1]))
                assert await one.source.done_up_to(ours, 0)
                assert one.source.crashed() is None
                assert one.assignments[-1] | two.assignments[-1] == set(range(PARTITIONS))

    run(scenario())


def test_before_anything_is_assigned_an_offset_is_refused(deployment: Deployment, tmp_path: Path) -> None:
    async def scenario() -> None:
        found = Reading(deployment, tmp_path, nothing)
        assert not await found.source.done_up_to(0, 5)

    run(scenario())


def test_a_stop_does_not_wait_for_a_message_that_is_never_done(deployment: Deployment, tmp_path: Path) -> None:
    async def scenario() -> None:
        send(deployment, 30)
        held = asyncio.Event()

        async def handle(message: LogMessage) -> None:
            await held.wait()

        started = 0.0
        async with reading(deployment, tmp_path, handle) as found:
            await until_in_loop(lambda: len(found.offsets) == 1)
            started = time.monotonic()
        assert time.monotonic() - started < 10.0

    run(scenario())


def test_a_paused_source_hands_over_nothing_and_can_still_acknowledge(deployment: Deployment, tmp_path: Path) -> None:
    async def scenario() -> None:
        send(deployment, 5)
        async with reading(deployment, tmp_path, nothing) as found:
            await until_in_loop(lambda: len(found.offsets) >= 5)
            found.source.pause()
            before = len(found.offsets)
            send(deployment, 20)
            await asyncio.sleep(2.0)  # time for a message that must not come
            assert len(found.offsets) == before
            assert await found.source.done_up_to(0, 5)

    run(scenario())


def test_a_crash_of_faust_is_seen(deployment: Deployment, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with reading(deployment, tmp_path, nothing) as found:
            await until_in_loop(lambda: bool(found.assignments))
            assert found.source.crashed() is None
            await found.source.app.consumer.crash(RuntimeError("the consumer is gone"))
            assert found.source.crashed() is not None

    run(scenario())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the stop meets that error again
def test_I13_a_task_of_aiokafka_that_ends_is_seen_although_faust_goes_on(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> bool:
        raise RuntimeError("nobody foresaw this")

    async def scenario() -> None:
        async with reading(deployment, tmp_path, nothing) as found:
            await until_in_loop(lambda: bool(found.assignments))
            consumer = found.source.app.consumer._thread
            monkeypatch.setattr(AIOKafkaClient, "_metadata_update", fails)
            consumer.thread_loop.call_soon_threadsafe(consumer._consumer._client.force_metadata_update)
            await until_in_loop(lambda: found.source.crashed() is not None)
            assert "nobody foresaw this" in str(found.source.crashed())
            assert found.source.app.crash_reason is None

    run(scenario())
