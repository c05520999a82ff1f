"""The processor as a process: its start, its loops, its end."""

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable

from b2stream.archive.centres import greet
from b2stream.commands.topics import findings
from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.errors import B2streamError, ConfigurationError, Fatal, Retryable
from b2stream.kafka import agreement
from b2stream.kafka.admin import Admin, TopicFacts
from b2stream.kafka.errors import known_topic
from b2stream.monitoring import Health, MonitoringServer
from b2stream.policies import policies_of
from b2stream.programs.processor import metrics, offsets
from b2stream.programs.processor.asking import Asking
from b2stream.programs.processor.joining import Joining
from b2stream.programs.processor.lookout import Lookout
from b2stream.programs.processor.parts import Parts, put_together
from b2stream.settings import Settings

_log = logging.getLogger(__name__)

_ACKNOWLEDGE_EVERY_S = 0.3
_LOOK_AROUND_EVERY_S = 1.0
_AFTER_THE_END_S = 2.0


class Program:
    """One processor process."""

    def __init__(self, settings: Settings, framing: Framing) -> None:
        if not settings.first.url:
            raise ConfigurationError("first.url is not set: the processor needs the first centre")
        policies_of(settings)  # what cannot be obeyed stops it at once, whether Kafka answers or not
        self._settings = settings
        self._framing = framing
        self._stop = asyncio.Event()
        self._stopping = threading.Event()
        self._error: B2streamError | None = None
        self._health = Health()
        self._asking = Asking(self._stop, settings.kafka.bootstrap)
        self._lookout = Lookout(self._health, settings.processor.outage_ready_s)
        self._topic = topics.MEASUREMENTS.full_name(settings.general.community)

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
            facts = await self._asking.until_answered(lambda: self._find_topic(admin))
            if facts is not None:
                await self._work(admin, facts)
        finally:
            self._end_soon(_AFTER_THE_END_S)
            beating.cancel()
            self._asking.close()
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
        group = offsets.group_name(self._settings, facts.topic_id)
        joining = Joining(
            admin,
            self._asking,
            self._health,
            self._stop,
            group=group,
            topic=self._topic,
            topic_id=facts.topic_id,
            partitions=self._settings.kafka.partitions,
        )
        parts = put_together(
            self._settings,
            self._framing,
            facts,
            group,
            stopping=self._stopping,
            crash=self._crash,
            assigned=lambda numbers: self._assigned(joining, parts, numbers),
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
                (agreement.LOOK_EVERY_S, lambda: self._look_at_topic(admin, facts.topic_id)),
            ):
                loops.append(asyncio.create_task(self._again(every_s, act)))
            await self._stop.wait()
            await self._finish(parts)
        finally:
            self._stopping.set()
            for each in loops:
                each.cancel()
            parts.processor.stop()
            await self._asking.once(parts.close)

    async def _stations_are_known(self, parts: Parts) -> bool:
        """Before the first close is judged all descriptions must be here; False where the program is to stop before."""
        stations = parts.stations
        metrics.DESCRIPTIONS_PASSED_OVER.set_function(lambda: len(stations.refused))
        stations.start()
        while not self._stop.is_set():
            if await self._asking.once(lambda: stations.wait_until_loaded(_LOOK_AROUND_EVERY_S)):
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

    async def _beat(self) -> None:
        self._health.beat()

    async def _look_around(self, parts: Parts) -> None:
        for complaint in self._lookout.complaints(parts):
            self._crash(complaint)
        self._lookout.report(parts)

    async def _look_at_topic(self, admin: Admin, topic_id: str) -> None:
        partitions = self._settings.kafka.partitions
        await self._asking.once(lambda: agreement.still_agreed(admin, self._topic, partitions, topic_id))

    async def _abandon(self, admin: Admin, parts: Parts) -> None:
        partitions, lookout = self._settings.kafka.partitions, self._lookout
        try:
            with known_topic():
                ranges = await self._asking.once(lambda: admin.ranges(self._topic, partitions))
                lookout.ends = {number: held.end for number, held in ranges.items()}
                # Two of three brokers away: the third answers everything, and takes no offset.
                lookout.keeps_offsets = not parts.source.is_refused or await self._asking.once(admin.keeps_offsets)
        except Retryable as error:
            _log.warning("waiting for Kafka: %s", error)
            lookout.ends = {}
        await parts.processor.abandon_silent(lookout.ends)

    # The source's calls -----------------------------------------------------------------------------------------------

    async def _handle(self, parts: Parts, message: LogMessage) -> None:
        if self._error is not None:
            return  # what comes after a fatal error is for the next processor
        with self._lookout.handling():
            try:
                await parts.processor.handle(message)
            except B2streamError as error:
                self._crash(error)
            except Exception as error:
                _log.exception("message %d of partition %d", message.offset, message.partition)
                self._crash(Fatal(repr(error)))

    async def _assigned(self, joining: Joining, parts: Parts, numbers: set[int]) -> None:
        """Check where the group stands before a message of the new generation is taken."""
        try:
            if not await joining.begin(parts, numbers):
                return
        except B2streamError as error:
            self._crash(error)
            return
        self._health.ready()
        _log.info("reading partitions %s", sorted(numbers))

    def _crash(self, error: B2streamError) -> None:
        if self._error is None:
            _log.critical("%s", error)
            self._error = error
        self._health.not_ready(str(error))
        self._stop.set()
