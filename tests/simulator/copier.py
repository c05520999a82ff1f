"""One simulated replicator: the real `Loop`, `Workers` and `CopyJob`, on a log and two centres in memory."""

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from b2stream.contracts.messages import LogMessage
from b2stream.errors import B2streamError, Retryable
from b2stream.policies import read_policies
from b2stream.programs.replicator import metrics
from b2stream.programs.replicator.events import Events
from b2stream.programs.replicator.replicator import CopyJob
from b2stream.work.loop import Loop
from b2stream.work.reporting import Words
from b2stream.work.schedule import Work
from b2stream.work.workers import Workers
from tests.simulator.agenda import Dead
from tests.simulator.centres import Centre, Client
from tests.simulator.kafka import COMMITS, COMMUNITY, Group, Log, Publisher
from tests.simulator.process import Process
from tests.simulator.worker import FRAMING, SimulatedClock

_WORDS = Words("replicator", "a copy", "commit event", "nobody answers", "all is refused", "it is back")
_LONGEST_LOOK_S = 16.0
_POLICIES = read_policies()


class _Outcomes(deque[Any]):
    """What the workers hand back; nobody waits for it, because whoever puts something wakes the loop."""

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__()
        self._wake = wake

    def put(self, outcome: Any) -> None:
        self.append(outcome)
        self._wake()

    def get(self, timeout: float) -> Any:
        return self.get_nowait()

    def get_nowait(self) -> Any:
        if not self:
            raise queue.Empty
        return self.popleft()

    def empty(self) -> bool:
        return not self


class _Hands(Workers):
    """The workers' own code in simulated threads."""

    def __init__(self, job: CopyJob, publisher: Any, count: int, process: Process, wake: Callable[[], None]) -> None:
        self.count = count
        self.outcomes = _Outcomes(wake)  # type: ignore[assignment]
        self._job = job
        self._publisher = publisher
        self._stopping = threading.Event()
        self._event_name = "commit event"
        self._process = process
        self._given: deque[Work] = deque()
        self._busy = 0

    def give(self, work: Work) -> None:
        self._given.append(work)
        self._begin()

    def close(self) -> None:
        """The threads are the process's own."""

    def _begin(self) -> None:
        if self._given and self._busy < self.count:
            self._busy += 1
            self._process.start_thread(self._one, (self._given.popleft(),), self._process.loop.create_future())

    def _one(self, work: Work) -> None:
        try:
            self.work_on(work)
        finally:
            self._busy -= 1
            self._begin()


class Copier:
    """One life of a replicator process; consumer and member of the group at once."""

    def __init__(
        self,
        process: Process,
        log: Log,
        first: Centre,
        second: Centre,
        group: Group,
        chance: Callable[[], float],
        number: int,
    ) -> None:
        self.process = process
        self.on_revoked: Callable[[list[int]], None] = lambda partitions: None
        self._log = log
        self._group = group
        self._position: dict[int, int] = {}
        self._due = self._retry_due = False
        self._look_s = 0.5
        stopping = threading.Event()
        events = Events(COMMUNITY, log.partitions, "commits-1", FRAMING)
        here: Any = Client(first, process)
        there: Any = Client(second, process)
        job = CopyJob(
            here,
            there,
            events,
            _POLICIES,
            stopping,
            stopping,
            clock=SimulatedClock(process),
        )
        job._writer.id = f"{number:016x}"
        publisher = Publisher(log, process)
        self._loop = Loop(
            self,
            publisher,
            job,
            words=_WORDS,
            meters=metrics.METERS,
            workers=_Hands(job, publisher, 2, process, self.wake),
            chance=chance,
            clock_s=process.loop.time,
        )
        log.listeners.append(self._heard)

    # A consumer -------------------------------------------------------------------------------------------------------

    def poll(self, timeout_s: float) -> LogMessage | None:
        for number, at in self._position.items():
            messages = self._log.topics[COMMITS][number]
            if at < len(messages):
                self._position[number] = at + 1
                return messages[at]
        return None

    def done_up_to(self, partition: int, next_offset: int) -> None:
        self.process.step("commit offset")
        is_taken = self._group.commit(self, partition, next_offset)
        self.process.step("offset is committed")
        if not is_taken:
            raise Retryable("the group does not take it")

    def pause(self) -> None:
        """There are never that many events."""

    def resume(self) -> None:
        """It is never paused."""

    def lag(self) -> int:
        return 0

    # As a member of the group -----------------------------------------------------------------------------------------

    def revoked(self) -> None:
        """The loop is told at its next poll, as by librdkafka."""

        def forget() -> None:
            held = list(self._position)
            self._position.clear()
            self.on_revoked(held)

        self.process.loop.call_soon(self._guarded, forget)

    def assigned(self, starts: dict[int, int]) -> None:
        """From now on these are read."""

        def begin() -> None:
            self._position = dict(starts)
            self.wake()

        self.process.loop.call_soon(begin)

    # Turns of the loop ------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something came: let the loop turn."""
        self._look_s = 0.5
        self._turn_soon()

    def is_idle(self) -> bool:
        """Whether every commit event is done with."""
        return all(
            self._group.committed.get(number, 0) == len(messages)
            for number, messages in enumerate(self._log.topics[COMMITS])
        )

    def _heard(self, message: LogMessage) -> None:
        if message.topic == COMMITS and not self.process.is_dead:
            self.wake()

    def _turn_soon(self) -> None:
        if not self._due:
            self._due = True
            self.process.loop.call_soon(self._guarded, self._turn)

    def _turn(self) -> None:
        self._due = False
        self._loop.turn()
        if not self.is_idle() and not self._retry_due:
            self._retry_due = True
            self.process.loop.call_later(self._look_s, self._retry)
            self._look_s = min(self._look_s * 2, _LONGEST_LOOK_S)

    def _retry(self) -> None:
        self._retry_due = False
        self._turn_soon()

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Dead:
            return
        except B2streamError as error:
            self.process.crashed(error)
