"""The loop: reads events, gives them to the workers, acknowledges in order what is done and told.

One thread owns schedule, frontiers and consumer; workers hand back through a queue. So nothing here needs a lock.
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

from b2stream import failpoints
from b2stream.contracts.messages import LogMessage
from b2stream.errors import Retryable, Stuck
from b2stream.monitoring import Health
from b2stream.work.meters import Meters
from b2stream.work.partitions import Partitions
from b2stream.work.reporting import Reporter, Words
from b2stream.work.schedule import Schedule, Work
from b2stream.work.workers import Acknowledged, Job, Publisher, Tried, Unfit, Workers

BACKLOG_LIMIT = 1_000
"""Events held in memory (about 3 KB each); beyond it reading pauses and the log holds the rest."""

SET_ASIDE_LIMIT = 5_000
"""Refused batches that do not count as backlog, so that a station without permission never stops the others; beyond it they do."""

OUTAGE_READY_S = 600.0
"""After so long without a try that got through, while some wait, the program is not ready."""

SECOND_LOOK_S = 1.0
"""What does not match is looked at twice, so long apart, before it is a dead letter."""

_IDLE_S = 0.05
_AHEAD = 2
"""Works given to the workers per thread: one is under way, one lies ready, so that no worker waits for the loop."""
REPORT_EVERY_S = 1.0
_READ_AT_ONCE = 100
_GRACE_FOR_WORK = 0.6  # of the grace; the rest is for removing what is half done and for acknowledging


class Reader(Protocol):
    """What the loop needs of a consumer; `b2stream.kafka.Consumer` says what each does."""

    on_revoked: Callable[[list[int]], None]

    def poll(self, timeout_s: float) -> LogMessage | None: ...

    def done_up_to(self, partition: int, next_offset: int) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def lag(self) -> int: ...


class Loop:
    """Works off what `reader` gives until `stop` is called; `giving_up` is set near the end of the grace time.

    `key_of` says which events must not be worked on at once. `workers`, `chance` and `clock_s` are given where threads, dice and time
    are not the real ones. Raises Fatal (LostOffsets, credentials, a broken invariant) out of
    `run`, after what was done is acknowledged.
    """

    def __init__(
        self,
        reader: Reader,
        publisher: Publisher,
        job: Job,
        *,
        words: Words,
        meters: Meters,
        threads: int = 4,
        grace_s: float = 20.0,
        health: Health | None = None,
        stopping: threading.Event | None = None,
        giving_up: threading.Event | None = None,
        key_of: Callable[[LogMessage], str] | None = None,
        backlog_limit: int = BACKLOG_LIMIT,
        second_look_s: float = SECOND_LOOK_S,
        outage_ready_s: float = OUTAGE_READY_S,
        workers: Workers | None = None,
        chance: Callable[[], float] | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._clock_s = clock_s
        self._publisher = publisher
        self._meters = meters
        self._words = words
        self._log = logging.getLogger(f"b2stream.{words.program}")
        self._grace_s = grace_s
        self._health = health or Health()
        self._key_of = key_of or event_id
        self._backlog_limit = backlog_limit
        self._second_look_s = second_look_s
        self._stopping = stopping or threading.Event()
        self._giving_up = giving_up or threading.Event()
        self._schedule = Schedule(chance or random.SystemRandom().random)
        self._partitions = Partitions(reader.done_up_to, clock_s, self._log)
        self._report_at_s = 0.0
        self._reporter = Reporter(self._health, meters, words, outage_ready_s, clock_s)
        self._workers = workers or Workers(job, publisher, threads, self._stopping, words.event)
        reader.on_revoked = self._revoked

    def stop(self) -> None:
        """Finish or give up what is in flight within the grace time; setting `stopping` does the same."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `stop`."""
        try:
            while not self._stopping.is_set():
                self._health.beat()
                self.turn()
                self._report()
        finally:
            self._wind_down()

    # One round of the loop --------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """One round; waits a moment where there is nothing to do."""
        self._collect(_IDLE_S if self._no_slot() or self._full() else 0.0)
        self._dispatch()
        self._read()
        self._partitions.acknowledge(now=self._schedule.running == 0)

    def _collect(self, timeout_s: float) -> None:
        """Take what the workers hand back; wait for the first of it at most so long."""
        outcomes = self._workers.outcomes
        deadline_s = self._clock_s() + timeout_s
        while True:
            wait_s = deadline_s - self._clock_s()
            try:
                outcome = outcomes.get(timeout=wait_s) if wait_s > 0 else outcomes.get_nowait()
            except queue.Empty:
                return
            deadline_s = 0.0
            if isinstance(outcome, Tried):
                self._tried(outcome.work, outcome.error)
            else:
                self._acknowledged(outcome)

    def _tried(self, work: Work, error: Exception | None) -> None:
        now_s = self._clock_s()
        if error is None:
            self._schedule.finished(work)
            self._reporter.succeeded(work)
        elif isinstance(error, Unfit):
            self._schedule.again(work, now_s + self._second_look_s)
        elif isinstance(error, Retryable | Stuck):
            pause_s = self._schedule.failed(work, error, now_s)
            if not self._stopping.is_set():
                self._reporter.failed(work, error, pause_s)
        else:
            self._schedule.again(work, now_s)
            raise error

    def _acknowledged(self, outcome: Acknowledged) -> None:
        work = outcome.work
        if not self._partitions.have(work):
            return
        try:
            if outcome.error is not None:
                raise outcome.error
            failpoints.passing("announced")
        except Retryable:
            self._schedule.add(work)
        else:
            self._partitions.finish(work)
            self._meters.outcomes.labels(outcome.outcome).inc()
            self._meters.event_to_done_seconds.observe(max(time.time() - work.message.appended_at_us / 1e6, 0.0))

    def _dispatch(self) -> None:
        while not self._no_slot():
            work = self._schedule.take(self._clock_s())
            if work is None:
                return
            self._workers.give(work)

    def _read(self) -> None:
        if self._full():
            self._reader.pause()
            self._reporter.paused(True)
        elif self._backlog() <= self._backlog_limit // 2:
            self._reader.resume()
            self._reporter.paused(False)
        idle = not self._no_slot() and not self._full()
        timeout_s = _IDLE_S if idle else 0.0
        for _ in range(_READ_AT_ONCE):
            message = self._reader.poll(timeout_s)
            if message is None or self._stopping.is_set():
                return
            timeout_s = 0.0
            self._begin(message)
            self._dispatch()
            if self._full():
                return

    def _begin(self, message: LogMessage) -> None:
        self._schedule.add(Work(message, self._key_of(message), self._partitions.begin(message)))

    def _report(self) -> None:
        now_s = self._clock_s()
        if now_s >= self._report_at_s:
            self._report_at_s = now_s + REPORT_EVERY_S
            running = min(self._schedule.running, self._workers.count)
            self._reporter.report(self._schedule, running, self._partitions.unfinished() + self._reader.lag(), now_s)

    def _no_slot(self) -> bool:
        return self._schedule.running >= self._workers.count * _AHEAD

    def _full(self) -> bool:
        return self._backlog() >= self._backlog_limit

    def _backlog(self) -> int:
        return len(self._schedule) - min(self._schedule.set_aside, SET_ASIDE_LIMIT)

    # Losing partitions, and the end -----------------------------------------------------------------------------------

    def _revoked(self, partitions: list[int]) -> None:
        """Acknowledge what is done, then forget the partitions. Work under way may end: it may be done twice."""
        self._collect(0.0)
        self._partitions.acknowledge(now=True)
        self._partitions.forget(partitions)
        for dropped in self._schedule.drop(lambda work: work.message.partition in partitions):
            self._reporter.forget(dropped)

    def _wind_down(self) -> None:
        """Finish what is in flight, or give it up, within the grace time; acknowledge what was announced."""
        self._stopping.set()
        end_s = self._clock_s() + self._grace_s
        work_end_s = self._clock_s() + self._grace_s * _GRACE_FOR_WORK
        self._workers.close()
        try:
            while self._unannounced() and self._clock_s() < end_s:
                if self._clock_s() >= work_end_s:
                    self._giving_up.set()
                self._collect(_IDLE_S)
            self._collect(0.0)
        finally:
            self._giving_up.set()
            self._partitions.acknowledge(now=True)
        if self._schedule.running:
            self._log.warning("%d tries were given up at the end of the grace time", self._schedule.running)

    def _unannounced(self) -> bool:
        if self._schedule.running:
            return True
        return self._publisher.flush(0.0) > 0 or not self._workers.outcomes.empty()


def event_id(message: LogMessage) -> str:
    """The event's id where it has one: a repeated event waits for the first, instead of being worked on beside it."""
    identity = dict(message.headers).get("ce_id")
    return identity.decode("utf-8", "replace") if identity else f"{message.partition}/{message.offset}"
