"""The processor as a process: its start, its loops, its end."""

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from b2stream.archive.centres import greet
from b2stream.commands.topics import findings
from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import CoverageStarted
from b2stream.errors import B2streamError, ConfigurationError, Fatal, Retryable
from b2stream.kafka import agreement
from b2stream.kafka.admin import Admin, TopicFacts
from b2stream.kafka.errors import NoSuchTopic, known_topic
from b2stream.monitoring import Health, MonitoringServer
from b2stream.programs.processor import metrics, offsets
from b2stream.programs.processor.parts import Parts, put_together
from b2stream.programs.processor.stalls import Stalls
from b2stream.settings import Settings

_log = logging.getLogger(__name__)

_ACKNOWLEDGE_EVERY_S = 0.3
_LOOK_AROUND_EVERY_S = 1.0
_SHOUT_EVERY_S = 60.0
_SHOUT_AT_PART_OF_RETENTION = 0.5
_AFTER_THE_END_S = 2.0

Answer = TypeVar("Answer")


class Program:
    """One processor process."""

    def __init__(self, settings: Settings, framing: Framing) -> None:
        if not settings.first.url:
            raise ConfigurationError("first.url is not set: the processor needs the first centre")
        self._settings = settings
        self._framing = framing
        self._stop = asyncio.Event()
        self._stopping = threading.Event()
        self._error: B2streamError | None = None
        self._health = Health()
        self._asking = ThreadPoolExecutor(3, "asking")  # never behind a commit that waits for a centre
        self._topic = topics.MEASUREMENTS.full_name(settings.general.community)
        self._group = ""
        self._topic_id = ""
        self._shouted_s = -_SHOUT_EVERY_S
        self._ends: dict[int, int] = {}
        self._keeps_offsets = True
        self._is_handling = False
        self._stalls = Stalls()

    async def run(self) -> None:
        """Work until SIGTERM, SIGINT or a fatal error, which is raised."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        monitoring = self._settings.monitoring
        server = MonitoringServer(monitoring.host, monitoring.port, self._health) if monitoring.port else None
        beating = asyncio.create_task(self._again(_LOOK_AROUND_EVERY_S, self._beat))
        try:
            admin = Admin(self._settings.kafka, "b2stream-processor")
            facts = await self._until_answered(lambda: self._find_topic(admin))
            if facts is not None:
                await self._work(admin, facts)
        finally:
            self._end_soon(_AFTER_THE_END_S)
            beating.cancel()
            self._asking.shutdown(wait=False, cancel_futures=True)
            if server is not None:
                server.close()
        if self._error is not None:
            raise self._error

    def _find_topic(self, admin: Admin) -> TopicFacts:
        """The topic's facts; a topic that is not as the contract says stops the program."""
        found = findings(self._settings)
        if found:
            raise ConfigurationError("; ".join(found))
        return admin.topic(self._topic)

    async def _work(self, admin: Admin, facts: TopicFacts) -> None:
        self._topic_id = facts.topic_id
        self._group = offsets.group_name(self._settings, facts.topic_id)
        parts = put_together(
            self._settings,
            self._framing,
            facts,
            self._group,
            stopping=self._stopping,
            crash=self._crash,
            assigned=lambda numbers: self._assigned(admin, parts, numbers),
            handle=lambda message: self._handle(parts, message),
        )
        loops = []
        loop = asyncio.get_running_loop()
        greet([parts.store], lambda error: loop.call_soon_threadsafe(self._crash, error))
        try:
            if not await self._stations_are_known(parts):
                return
            await parts.source.start()
            silence_s = self._settings.processor.silence_s
            for every_s, act in (
                (_ACKNOWLEDGE_EVERY_S, lambda: parts.processor.acknowledge(parts.source.done_up_to)),
                (_LOOK_AROUND_EVERY_S, lambda: self._look_around(parts)),
                (min(2.0, silence_s / 10), lambda: self._abandon(admin, parts)),
                (_LOOK_AROUND_EVERY_S, parts.processor.look_again),
                (agreement.LOOK_EVERY_S, lambda: self._look_at_topic(admin)),
            ):
                loops.append(asyncio.create_task(self._again(every_s, act)))
            await self._stop.wait()
            await self._finish(parts)
        finally:
            self._stopping.set()
            for each in loops:
                each.cancel()
            parts.processor.stop()
            await loop.run_in_executor(self._asking, parts.close)

    async def _stations_are_known(self, parts: Parts) -> bool:
        """Before the first close is judged all descriptions must be here; False where the program is to stop before."""
        loop = asyncio.get_running_loop()
        parts.stations.start()
        while not self._stop.is_set():
            if await loop.run_in_executor(self._asking, parts.stations.wait_until_loaded, _LOOK_AROUND_EVERY_S):
                return True
            self._health.not_ready("the descriptions of stations are not read yet")
        return False

    async def _finish(self, parts: Parts) -> None:
        """Within the grace time: let commits in flight finish, acknowledge what is done, leave the group."""
        self._health.not_ready("stopping")
        grace_s = self._settings.processor.grace_s
        self._end_soon(grace_s)
        parts.source.pause()
        if self._error is None:
            if not await parts.processor.drain(grace_s * 0.6):
                _log.warning("commits are given up; the next processor takes them from the log")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(parts.processor.acknowledge(parts.source.done_up_to), grace_s * 0.15)
        self._stopping.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(parts.source.stop(), grace_s * 0.15)

    def _end_soon(self, within_s: float) -> None:
        """Whatever hangs (a frozen centre, a frozen Kafka, a library's thread): by then the process is gone.

        Nothing is lost by it: what is not acknowledged is in the log.
        """

        def end() -> None:
            _log.warning("something hangs; ending without it")
            logging.shutdown()
            os._exit(0 if self._error is None else 1)

        timer = threading.Timer(within_s, end)
        timer.daemon = True
        timer.start()

    # Loops ------------------------------------------------------------------------------------------------------------

    async def _again(self, every_s: float, act: Callable[[], Awaitable[None]]) -> None:
        """Do something again and again; only a fatal error, or one that nobody foresaw, ends it, and the program with it."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await act()
            except Retryable as error:
                _log.warning("waiting: %s", error)
            except B2streamError as error:
                self._crash(error)
                return
            except Exception as error:
                _log.exception("in a loop of the processor")
                self._crash(Fatal(repr(error)))
                return

    async def _until_answered(self, ask: Callable[[], Answer]) -> Answer | None:
        """Ask until Kafka answers; None where the program is to stop before. Raises what is fatal."""
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            try:
                return await loop.run_in_executor(self._asking, ask)
            except Retryable as error:
                _log.warning("waiting for Kafka at %s: %s", self._settings.kafka.bootstrap, error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), 1.0)
        return None

    async def _beat(self) -> None:
        self._health.beat()

    async def _look_around(self, parts: Parts) -> None:
        if (reason := parts.source.crashed()) is not None:
            self._crash(Fatal(f"Faust stopped: {reason!r}"))
        processor = parts.processor
        self._notice_stall(parts)
        self._health.troubled_by(processor.troubles(self._settings.processor.outage_ready_s))
        lag = 0
        for number, partition in processor.partitions.items():
            lag += max(0, self._ends.get(number, partition.next_offset) - partition.frontier.frontier())
        metrics.LAG_MESSAGES.set(lag)
        metrics.OPEN_ATTEMPTS.set(processor.open_attempts())
        oldest_us = processor.oldest_us()
        age_s = 0.0 if oldest_us is None else max(0.0, time.time() - oldest_us / 1e6)
        metrics.OLDEST_SECONDS.set(age_s)
        self._shout(age_s)

    async def _look_at_topic(self, admin: Admin) -> None:
        await asyncio.get_running_loop().run_in_executor(
            self._asking,
            agreement.still_agreed,
            admin,
            self._topic,
            self._settings.kafka.partitions,
            self._topic_id,
        )

    def _notice_stall(self, parts: Parts) -> None:
        owned = parts.processor.partitions.items()
        is_behind = any(self._ends.get(number, 0) > partition.next_offset for number, partition in owned)
        stalled = self._stalls.look(
            is_behind=is_behind and not self._is_handling,
            is_refused=bool(self._ends) and self._keeps_offsets and parts.source.is_refused,
        )
        if stalled is not None:
            self._crash(stalled)

    def _shout(self, age_s: float) -> None:
        retention_s = topics.MEASUREMENTS_RETENTION_MS / 1000
        now_s = time.monotonic()
        if age_s > retention_s * _SHOUT_AT_PART_OF_RETENTION and now_s - self._shouted_s > _SHOUT_EVERY_S:
            self._shouted_s = now_s
            left_h = (retention_s - age_s) / 3600
            _log.critical("the oldest message that is not archived leaves the log in %.0f hours", left_h)

    async def _abandon(self, admin: Admin, parts: Parts) -> None:
        partitions = self._settings.kafka.partitions
        loop = asyncio.get_running_loop()
        try:
            with known_topic():
                ranges = await loop.run_in_executor(self._asking, admin.ranges, self._topic, partitions)
                self._ends = {number: held.end for number, held in ranges.items()}
                # Two of three brokers away: the third answers everything, and takes no offset.
                self._keeps_offsets = not parts.source.is_refused or await loop.run_in_executor(
                    self._asking, admin.keeps_offsets
                )
        except Retryable as error:
            _log.warning("waiting for Kafka: %s", error)
            self._ends = {}
        await parts.processor.abandon_silent(self._ends)

    # The source's calls -----------------------------------------------------------------------------------------------

    async def _handle(self, parts: Parts, message: LogMessage) -> None:
        if self._error is not None:
            return  # what comes after a fatal error is for the next processor
        self._is_handling = True
        self._stalls.took_a_message()
        try:
            await parts.processor.handle(message)
        except B2streamError as error:
            self._crash(error)
        except Exception as error:
            _log.exception("message %d of partition %d", message.offset, message.partition)
            self._crash(Fatal(repr(error)))
        finally:
            self._is_handling = False

    async def _assigned(self, admin: Admin, parts: Parts, numbers: set[int]) -> None:
        """Check where the group stands before a message of the new generation is taken."""
        parts.processor.revoked()  # once more: then nothing can be left, whatever Faust called before
        partitions = self._settings.kafka.partitions
        try:
            found = await self._until_answered(lambda: self._standings(admin, partitions))
            if found is None:
                return
            mine = [each for each in found if each.partition in numbers]
            offsets.check(self._group, self._topic, mine)
            for standing in mine:
                if standing.committed is None:
                    await self._coverage(parts, standing)
                parts.processor.assigned(standing.partition, standing.start)
        except B2streamError as error:
            self._crash(error)
            return
        self._health.ready()
        _log.info("reading partitions %s", sorted(numbers))

    def _standings(self, admin: Admin, partitions: int) -> list[offsets.Standing]:
        try:
            return offsets.standings(admin, self._group, self._topic, partitions)
        except NoSuchTopic as error:  # it was there when we began: `_look_at_topic` finds out what became of it
            self._health.not_ready(str(error))
            raise Retryable(error.detail) from error

    async def _coverage(self, parts: Parts, standing: offsets.Standing) -> None:
        """Say from when on this group reads: what lies before is unproven."""

        def append_time_us() -> int | None:
            if standing.held.start == standing.held.end:
                return None
            first = next(parts.reread(standing.partition, standing.start, standing.start), None)
            return None if first is None else first.appended_at_us

        record = CoverageStarted(
            group=self._group,
            topic_id=self._topic_id,
            partition=standing.partition,
            offset=standing.start,
            append_time_us=await self._until_answered(append_time_us),
        )
        while not self._stop.is_set():
            try:
                await parts.outbox.coverage(record)
            except Retryable as error:
                _log.warning("waiting: %s", error)
                await asyncio.sleep(1.0)
            else:
                return

    def _crash(self, error: B2streamError) -> None:
        if self._error is None:
            _log.critical("%s", error)
            self._error = error
        self._health.not_ready(str(error))
        self._stop.set()
