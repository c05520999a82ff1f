"""The replicator: the loop that works off commit events, with copying as its job."""

import threading
import time

from b2stream import failpoints
from b2stream.archive.placing import Writer
from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import Clock, StoppableClock
from b2stream.contracts.messages import LogMessage
from b2stream.errors import MissingObject, Poison, Stuck
from b2stream.monitoring import Health
from b2stream.policies import Policies, read_policies
from b2stream.programs.replicator import metrics
from b2stream.programs.replicator.copying import SOURCE_DAMAGED, SOURCE_MISSING, BatchCopy, Copied, SourceHealth
from b2stream.programs.replicator.events import Events
from b2stream.work.loop import BACKLOG_LIMIT, OUTAGE_READY_S, SECOND_LOOK_S, Loop, Reader
from b2stream.work.outgoing import Outgoing
from b2stream.work.reporting import Words
from b2stream.work.schedule import Work
from b2stream.work.upgrading import wait_for_upgrade
from b2stream.work.workers import Done, Publisher


class Replicator:
    """Copies committed batches from `first` to `second` until `stop` is called.

    Raises Fatal (LostOffsets, credentials, a broken invariant) out of `run`, after what was done is acknowledged.
    """

    def __init__(
        self,
        reader: Reader,
        publisher: Publisher,
        events: Events,
        first: ObjectStore,
        second: ObjectStore,
        *,
        policies: Policies | None = None,
        copies_in_flight: int = 4,
        grace_s: float = 20.0,
        health: Health | None = None,
        stopping: threading.Event | None = None,
        backlog_limit: int = BACKLOG_LIMIT,
        second_look_s: float = SECOND_LOOK_S,
        outage_ready_s: float = OUTAGE_READY_S,
    ) -> None:
        stopping, giving_up = stopping or threading.Event(), threading.Event()
        self._loop = Loop(
            reader,
            publisher,
            CopyJob(first, second, events, policies or read_policies(), stopping, giving_up),
            words=Words(
                program="replicator",
                a_try="a copy",
                event="commit event",
                nobody_answers=f"{second.centre} or the first centre does not answer",
                all_refused=f"{second.centre} refuses every batch",
                back=f"{second.centre} takes copies again",
                where=second.centre,
            ),
            meters=metrics.METERS,
            threads=copies_in_flight,
            grace_s=grace_s,
            health=health,
            stopping=stopping,
            giving_up=giving_up,
            backlog_limit=backlog_limit,
            second_look_s=second_look_s,
            outage_ready_s=outage_ready_s,
        )

    def stop(self) -> None:
        """Finish or give up what is in flight within the grace time; setting `stopping` does the same."""
        self._loop.stop()

    def run(self) -> None:
        """Work until `stop`."""
        self._loop.run()


class CopyJob:
    """Copies one batch. What is staged is remembered from one try to the next, as the work's task."""

    def __init__(
        self,
        first: ObjectStore,
        second: ObjectStore,
        events: Events,
        policies: Policies,
        stopping: threading.Event,
        giving_up: threading.Event,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._first = first
        self._second = second
        self._events = events
        self._policies = policies
        self._clock = clock or StoppableClock(stopping)
        self._giving_up = giving_up
        self._writer = Writer(metrics.DEBRIS.inc)
        self._source_health = SourceHealth()
        self._began_s = self._second_answered_s = time.monotonic()
        answered = metrics.CENTRE_ANSWERED_SECONDS
        answered.labels(first.centre).set_function(
            lambda: time.monotonic() - max(self._began_s, self._source_health.last_read_s)
        )
        answered.labels(second.centre).set_function(lambda: time.monotonic() - self._second_answered_s)

    def try_once(self, work: Work) -> Done:
        commit = self._events.commit(work.message)
        if self._policies.rule(commit.station, commit.series).copies < 2:
            return Done(None, "one_copy_wanted")
        if work.task is None:
            work.task = BatchCopy(
                commit,
                self._first,
                self._second,
                self._writer,
                clock=self._clock,
                passing=failpoints.passing,
                giving_up=self._giving_up.is_set,
                source_health=self._source_health,
            )
        began_s = time.monotonic()
        copied = work.task.run()
        self._second_answered_s = time.monotonic()
        _count(copied, time.monotonic() - began_s)
        message = self._events.replicated(
            commit, self._second.centre, self._second.url(commit.path), time.time_ns() // 1000
        )
        return Done(message, "copied" if copied.objects else "already_there")

    def before_letter(self, work: Work, why: Poison) -> None:
        """A source is missing only while the first centre shows us other objects, and damaged only where it finds that itself."""
        wait_for_upgrade(work, why)
        if why.reason == SOURCE_MISSING and work.task is not None:
            since_s = work.first_tried_s if work.first_tried_s is not None else float("inf")
            if not work.task.first_centre_shows_others(since_s):
                raise MissingObject(f"{why.detail}; nothing else is to be seen at {self._first.centre} either")
        if why.reason == SOURCE_DAMAGED and work.task is not None and work.task.source_is_sound():
            # Not `Retryable`: this one batch waits, with growing pauses, and others go on.
            raise Stuck(f"{self._first.centre} finds its object sound, what arrives of it is not: {why.detail}")

    def letter(self, message: LogMessage, why: Poison) -> Outgoing:
        return self._events.letter(message, why)

    def give_up(self, work: Work) -> None:
        if work.task is not None:
            work.task.give_up()


def _count(copied: Copied, seconds: float) -> None:
    metrics.COPIED_OBJECTS.inc(copied.objects)
    metrics.COPIED_BYTES.inc(copied.size_bytes)
    metrics.COPY_SECONDS.observe(seconds)
