"""The threads that work. Each takes a work, tries it once and hands back what came of it; it decides nothing else."""

import logging
import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from b2stream import failpoints
from b2stream.contracts.envelopes import Headers
from b2stream.contracts.messages import LogMessage
from b2stream.errors import Poison, Retryable
from b2stream.work.outgoing import Outgoing
from b2stream.work.schedule import Work

log = logging.getLogger("b2stream.work")


class Publisher(Protocol):
    """What a loop needs of a producer."""

    def publish(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> "Future[Any]":
        """Hand a message over; the future is done once Kafka has acknowledged it."""
        ...

    def flush(self, timeout_s: float) -> int:
        """Wait for acknowledgements; gives how many are missing."""
        ...


@dataclass(frozen=True, slots=True)
class Tried:
    """A work was tried, and its slot is free. Without `error` it is done, or its message on the way to Kafka."""

    work: Work
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A work is done, and Kafka has what there was to tell: `error` where it refused that."""

    work: Work
    outcome: str
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a job came to: the message that tells it, if any, and the outcome as the metrics call it."""

    message: Outgoing | None
    outcome: str


class Unfit(Poison):
    """What this event speaks of is not as it says: looked at a second time, then it becomes a dead letter."""

    reason = "unfit"


class Job(Protocol):
    """What is to be done with an event; called from several threads at once."""

    def try_once(self, work: Work) -> Done:
        """Do it, or find it done. Raises Retryable, Stuck, Poison (a dead letter; Unfit only the second time), Fatal."""
        ...

    def before_letter(self, work: Work, why: Poison) -> None:
        """The last moment before a letter, which is for ever: raises Stuck or Retryable where it is too early for one."""
        ...

    def letter(self, message: LogMessage, why: Poison) -> Outgoing:
        """The dead letter of an event."""
        ...

    def give_up(self, work: Work) -> None:
        """This work will not be tried again, or the program stops: remove what it left half done."""
        ...


class Workers:
    """`count` threads. `outcomes` receives one Tried per try, and one Acknowledged per work that is done."""

    def __init__(self, job: Job, publisher: Publisher, count: int, stopping: threading.Event, event_name: str) -> None:
        self.count = count
        self.outcomes: queue.SimpleQueue[Tried | Acknowledged] = queue.SimpleQueue()
        self._job = job
        self._publisher = publisher
        self._stopping = stopping
        self._event_name = event_name
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        for number in range(count):  # daemons: a call that hangs in a frozen server must not hold the exit
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True).start()

    def give(self, work: Work) -> None:
        """Let the next free thread try this work."""
        self._work.put(work)

    def close(self) -> None:
        """The threads end after what they are doing."""
        for _ in range(self.count):
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            self.work_on(work)

    def work_on(self, work: Work) -> None:
        """Try it once, in this thread, and hand back what came of it."""
        error: Exception | None = None
        try:
            if self._stopping.is_set():
                raise Retryable("the program is stopping")
            self._try(work)
        except Exception as raised:
            error = raised
            if self._stopping.is_set():
                self._job.give_up(work)
        self.outcomes.put(Tried(work, error))

    def _try(self, work: Work) -> None:
        try:
            done = self._job.try_once(work)
        except Poison as why:
            done = Done(self._letter(work, why), "dead_letter")
        if done.message is None:
            self.outcomes.put(Acknowledged(work, done.outcome))
            return
        failpoints.passing("announce")
        sent = self._publisher.publish(
            done.message.topic, done.message.partition, done.message.key, done.message.value, done.message.headers
        )
        sent.add_done_callback(
            lambda acknowledged: self.outcomes.put(Acknowledged(work, done.outcome, acknowledged.exception()))
        )

    def _letter(self, work: Work, why: Poison) -> Outgoing:
        """A letter is for ever, so what may look otherwise in a moment is looked at twice."""
        if isinstance(why, Unfit) and not work.unfit_seen:
            work.unfit_seen = True
            raise why
        self._job.before_letter(work, why)
        facts = {"partition": work.message.partition, "offset": work.message.offset, "reason": why.reason}
        log.error("%s becomes a dead letter: %s", self._event_name, why.detail, extra={"facts": facts})
        self._job.give_up(work)
        return self._job.letter(work.message, why)
