"""The threads that copy. Each takes a work, tries it once and hands back what came of it; it decides nothing else."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from b2stream import failpoints
from b2stream.archive.placing import Writer
from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import Clock
from b2stream.contracts.envelopes import Headers
from b2stream.errors import MissingObject, Poison, Retryable
from b2stream.programs.replicator.copying import SOURCE_MISSING, BatchCopy, Copied, SourceHealth, SourceUnfit
from b2stream.programs.replicator.events import Events, Message
from b2stream.programs.replicator.schedule import Work

log = logging.getLogger("b2stream.replicator")


class Publisher(Protocol):
    """What the replicator needs of a producer."""

    def publish(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> "Future[Any]":
        """Hand a message over; the future is done once Kafka has acknowledged it."""
        ...

    def flush(self, timeout_s: float) -> int:
        """Wait for acknowledgements; gives how many are missing."""
        ...


@dataclass(frozen=True, slots=True)
class Tried:
    """A work was tried, and its slot is free. Without `error` its event is on the way to Kafka."""

    work: Work
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Kafka answered for a work's event: `error` where it refused it."""

    work: Work
    outcome: str
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Copying:
    """What all copies share."""

    first: ObjectStore
    second: ObjectStore
    events: Events
    publisher: Publisher
    writer: Writer
    clock: Clock
    now_us: Callable[[], int]
    stopping: threading.Event
    giving_up: threading.Event  # the grace time is nearly over
    source_health: SourceHealth
    copied: Callable[[Copied, float], None]  # called from the threads with what was moved and the seconds it took


class Workers:
    """`count` threads. `outcomes` receives one Tried per work, and one Acknowledged per published event."""

    def __init__(self, copying: Copying, count: int) -> None:
        self.count = count
        self.outcomes: queue.SimpleQueue[Tried | Acknowledged] = queue.SimpleQueue()
        self._copying = copying
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        for number in range(count):  # daemons: a call that hangs in a frozen centre must not hold the exit
            threading.Thread(target=self._run, name=f"copy-{number}", daemon=True).start()

    def give(self, work: Work) -> None:
        """Let the next free thread try this work."""
        self._work.put(work)

    def close(self) -> None:
        """The threads end after what they are doing."""
        for _ in range(self.count):
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            error: Exception | None = None
            try:
                if self._copying.stopping.is_set():
                    raise Retryable("the replicator is stopping")
                self._try(work)
            except Exception as raised:
                error = raised
                if self._copying.stopping.is_set() and work.copy is not None:
                    work.copy.give_up()
            self.outcomes.put(Tried(work, error))

    def _try(self, work: Work) -> None:
        copying = self._copying
        try:
            message, outcome = self._copy(work)
        except Poison as why:
            if isinstance(why, SourceUnfit):
                self._look_again(work, why)
            facts = {"partition": work.message.partition, "offset": work.message.offset, "reason": why.reason}
            log.error("commit event becomes a dead letter: %s", why.detail, extra={"facts": facts})
            if work.copy is not None:
                work.copy.give_up()
            message, outcome = copying.events.letter(work.message, why), "dead_letter"
        failpoints.passing("announce")
        sent = copying.publisher.publish(message.topic, message.partition, message.key, message.value, message.headers)
        sent.add_done_callback(lambda done: self.outcomes.put(Acknowledged(work, outcome, done.exception())))

    def _look_again(self, work: Work, why: SourceUnfit) -> None:
        """A letter is for ever. It is written at the second look, and only while the first centre shows us other objects."""
        if not work.unfit_seen:
            work.unfit_seen = True
            raise why
        if why.reason == SOURCE_MISSING and work.copy is not None:
            since_s = work.first_tried_s if work.first_tried_s is not None else float("inf")
            if not work.copy.first_centre_shows_others(since_s):
                raise MissingObject(f"{why.detail}; nothing else is to be seen at {self._copying.first.centre} either")

    def _copy(self, work: Work) -> tuple[Message, str]:
        copying = self._copying
        commit = copying.events.commit(work.message)
        if work.copy is None:
            work.copy = BatchCopy(
                commit,
                copying.first,
                copying.second,
                copying.writer,
                clock=copying.clock,
                passing=failpoints.passing,
                giving_up=copying.giving_up.is_set,
                source_health=copying.source_health,
            )
        began_s = time.monotonic()
        copied = work.copy.run()
        copying.copied(copied, time.monotonic() - began_s)
        second = copying.second
        message = copying.events.replicated(commit, second.centre, second.url(commit.path), copying.now_us())
        return message, "copied" if copied.objects else "already_there"
