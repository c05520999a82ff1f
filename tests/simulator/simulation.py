"""Runs one schedule: load with faults, heal, drain, judge."""

import random
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from b2stream.contracts.letters import read_letter
from b2stream.contracts.messages import LogMessage
from tests.simulator import fleet
from tests.simulator.agenda import Agenda
from tests.simulator.centres import Centre
from tests.simulator.copier import Copier
from tests.simulator.judging import Judge
from tests.simulator.kafka import COMMITS, LETTERS, MEASUREMENTS, SESSION_S, Group, Log
from tests.simulator.process import Process
from tests.simulator.remembering import RememberingExaminer
from tests.simulator.schedule import COPIER, Act, Attempt, Schedule, Stray
from tests.simulator.worker import KnownStations, MemorySpool, Worker, seed_patience

LOAD_S = 150.0
"""So long faults may come; then everything is healed."""
DRAIN_S = 6_000.0
RESTART_S = 4.0


@dataclass
class Outcome:
    """What came of one schedule. `in_flight` are the faults that hit while a closed batch was not announced yet."""

    violations: list[str]
    hit: Counter[str]
    in_flight: Counter[str]
    steps: int
    virtual_s: float
    trace: list[str] = field(default_factory=list)


_EXAMINER = RememberingExaminer()


class Simulation:
    """One run of a schedule."""

    def __init__(self, schedule: Schedule, *, tracing: bool = False) -> None:
        self.schedule = schedule
        self.agenda = Agenda()
        self.hit: Counter[str] = Counter()
        self.in_flight: Counter[str] = Counter()
        self.trace: list[str] = []
        self._tracing = tracing
        self._dice = random.Random(schedule.jitter)
        self._stations = KnownStations(fleet.BEFORE if schedule.key_at_s else fleet.DESCRIPTIONS)
        self._slots: dict[int, Worker | Copier] = {}
        self._steps: Counter[int] = Counter()
        self._acts: dict[tuple[int, int], Act] = {(act.process, act.step): act for act in schedule.acts}
        self._lives = 0
        self._all: list[Process] = []
        self._errors: list[str] = []
        self._to_send = 0
        self._healed = False
        self.first = Centre("csc", self.agenda, self._latency_s)
        self.second = Centre("fzj", self.agenda, self._latency_s)
        self.judge = Judge(self.first, self.second)
        for name, centre in (("first", self.first), ("second", self.second)):
            centre.faults = {each.number: each.kind for each in schedule.faults if each.where == name}
            centre.on_fault = lambda kind, name=name: self._struck(f"{name}: {kind}")  # type: ignore[misc]
        self._new_kafka()
        self.log.faults = {each.number: each.kind for each in schedule.faults if each.where == "log"}
        self.workers.faults = {each.number: each.kind for each in schedule.faults if each.where == "offsets"}

    def run(self) -> Outcome:
        """The whole of it."""
        seed_patience(self.schedule.jitter)
        self._plan()
        if not self.agenda.run_until(self._is_drained, LOAD_S):
            self._heal()
            if not self.agenda.run_until(self._is_drained, self.agenda.now_s + DRAIN_S):
                self._errors.append("I11: not drained: " + "; ".join(self._what_is_left()))
        self.judge.judge(self.log, self._owed, self._owed - self._refused)
        if self.schedule.amnesia and not self.judge.violations and not self._errors:
            self._amnesia()
        return self._end()

    # What is planned --------------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        for each in self.schedule.outages:
            centre = self.first if each.centre == "first" else self.second
            self.agenda.at(each.at_s, lambda centre=centre, each=each: self._outage(centre, each.kind, each.seconds))  # type: ignore[misc]
        for lost in self.schedule.offsets:
            self.agenda.at(lost.at_s, lambda lost=lost: self._lose_offsets(lost.group, lost.part))  # type: ignore[misc]
        if self.schedule.key_at_s:
            self.agenda.at(self.schedule.key_at_s, self._publish_key)
        for at, attempt in enumerate(self.schedule.attempts):
            self._send(at, attempt)
        for stray in self.schedule.strays:
            self.agenda.at(stray.at_s, lambda stray=stray: self._stray(stray))  # type: ignore[misc]
        for number in range(self.schedule.workers):
            self._start(number)
        self._start(COPIER)

    def _new_kafka(self) -> None:
        self.log = Log(self.agenda, self.schedule.partitions, self._latency_s)
        self.log.on_append = self._appended
        self.log.on_fault = lambda kind: self._struck(f"log: {kind}")
        self.workers = Group(self.agenda, self.log, MEASUREMENTS, self._latency_s)
        self.copiers = Group(self.agenda, self.log, COMMITS, self._latency_s)
        for group in (self.workers, self.copiers):
            group.on_fault = lambda kind: self._struck(f"offsets: {kind}")
        self.workers.on_commit = self.judge.acknowledged
        self.copiers.on_commit = lambda partition, before, offset: self.judge.copies_acknowledged(
            self.log, partition, before, offset
        )
        self._owed: set[str] = set()
        self._refused: set[str] = set()
        self._latest: dict[int, int] = {}  # batch of the fleet -> its latest attempt
        self._again: set[int] = set()  # batches of the fleet that must be sent once more
        self._left_open: dict[int, list[str]] = {}
        self._unannounced: set[str] = set()
        self._last_offset: dict[str, int] = {}

    def _latency_s(self) -> float:
        return 0.01 if not self.schedule.jitter else 0.002 + 0.098 * self._dice.random() ** 3

    # Stations ---------------------------------------------------------------------------------------------------------

    def _send(self, at: int, attempt: Attempt) -> None:
        """A gateway sends an attempt, message by message; what it was meant to be is known to the judge alone."""
        number = attempt.batch % len(fleet.FLEET)
        count = len(fleet.FLEET[number].content)
        order = [each for each in attempt.order if each < count]
        messages = [fleet.block(number, at, each) for each in order]
        if attempt.conflict and order:
            messages.append(fleet.block(number, at, order[0], other=True))
        supersedes = tuple(
            fleet.attempt_name(number, before)
            for before, each in enumerate(self.schedule.attempts[:at])
            if attempt.supersedes and each.ending == "open" and each.batch % len(fleet.FLEET) == number
        )
        if attempt.ending == "forged" and fleet.FLEET[number].station == fleet.SIGNS:
            messages.append(fleet.forged_close(number, at))
            self._again.add(number)
        elif attempt.ending in ("open", "forged"):
            self._again.add(number)
            self._left_open.setdefault(number, []).append(fleet.attempt_name(number, at))
        else:
            close = fleet.close(number, at, supersedes, attempt.ending == "wrong rows")
            messages.append(close)
            if attempt.ending == "closed":
                self._owed.add(close.batch)
            if attempt.tail:
                messages += [*messages[len(order) - 1 : len(order)], close]
            for name in supersedes:
                self.judge.superseded[name] = close.batch
        self._latest[number] = max(at, self._latest.get(number, -1))
        for place, message in enumerate(messages):
            self._to_send += 1
            self.agenda.at(attempt.at_s + place * attempt.gap_s, lambda message=message: self._sent(message))  # type: ignore[misc]

    def _sent(self, message: fleet.Message) -> None:
        self._to_send -= 1
        self._put(message)

    def _put(self, message: fleet.Message) -> None:
        key, value, headers = message.sent.key, message.sent.value, message.sent.headers
        partition = _home(key, self.log.partitions)
        offset = len(self.log.topics[MEASUREMENTS][partition])
        self.judge.sent[partition, offset] = message
        self._last_offset[message.attempt] = offset
        if message.what == "close":
            self._unannounced.add(message.batch)
        self.log.append(MEASUREMENTS, partition, key, value, headers)

    def _stray(self, stray: Stray) -> None:
        at = stray.attempt % len(self.schedule.attempts)
        number = self.schedule.attempts[at].batch % len(fleet.FLEET)
        last_offset = self._last_offset.get(fleet.attempt_name(number, at))
        if last_offset is not None:
            key, value, headers = fleet.abandonment(number, at, last_offset - stray.late)
            self.log.append(MEASUREMENTS, _home(key, self.log.partitions), key, value, headers)
            self._again.add(number)
            self._struck("stray abandonment")

    def _send_again(self, number: int) -> None:
        """The gateway sends a batch as a new attempt, this time as it should be."""
        self._again.discard(number)
        attempt = self._latest[number] = max(self._latest.get(number, -1), 100) + 1
        batch = fleet.identity(number)
        supersedes = tuple(self._left_open.pop(number, ()))
        for name in supersedes:
            self.judge.superseded[name] = batch
        self._owed.add(batch)
        for sequence in range(len(fleet.FLEET[number].content)):
            self._put(fleet.block(number, attempt, sequence))
        self._put(fleet.close(number, attempt, supersedes))

    def _appended(self, message: LogMessage) -> None:
        if self._tracing:
            identity = dict(message.headers).get("ce_id", b"").decode()
            self._say(f"{message.topic}[{message.partition}] {message.offset} {identity}")
        self.judge.saw(message)
        if message.topic == LETTERS:
            self._letter(message)
        elif message.topic == COMMITS:
            self._unannounced -= self.judge.announced.keys()

    def _letter(self, message: LogMessage) -> None:
        """A gateway reads of a letter: what is not poison it sends again after a while."""
        letter = read_letter(message.headers)
        sent = self.judge.sent.get((letter.partition, letter.offset)) if letter else None
        if letter is None or sent is None or letter.attempt != sent.attempt:
            return
        number = self.judge.batches[sent.batch]
        if sent.attempt != fleet.attempt_name(number, self._latest[number]):
            return
        if letter.poison:
            self._refused.add(sent.batch) if sent.what == "close" else None
            self._unannounced.discard(sent.batch)
        elif number not in self._again:
            self._again.add(number)
            self.agenda.after(3.0, lambda: self._if_again(number))

    def _if_again(self, number: int) -> None:
        if number in self._again and fleet.identity(number) not in self.judge.announced:
            self._send_again(number)

    # Processes --------------------------------------------------------------------------------------------------------

    def _start(self, number: int) -> None:
        self._lives += 1
        process = Process(self.agenda, f"{number}", partial(self._step, number))
        self._all.append(process)
        started: Worker | Copier
        if number == COPIER:
            started = Copier(process, self.log, self.first, self.second, self.copiers, self._dice.random, self._lives)
            self._slots[number] = started
            self.copiers.join(started)
        else:
            full_at = frozenset() if self._healed else frozenset(self.schedule.full_at)
            spool = MemorySpool(self.schedule.spool_bytes, full_at, lambda: self._struck("spool: full"))
            started = Worker(
                process,
                self.log,
                self.first,
                self.workers,
                self._stations,
                _EXAMINER,
                spool,
                self._lives,
                letters_per_minute=self.schedule.letters_per_minute,
            )
            self._slots[number] = started
            self.workers.join(started)

    def _group(self, number: int) -> Group:
        return self.copiers if number == COPIER else self.workers

    def _step(self, number: int, process: Process, what: str) -> None:
        self._steps[number] += 1
        if self._tracing:
            self._say(f"{number}: {self._steps[number]} {what}")
        act = self._acts.pop((number, self._steps[number]), None) if self._acts else None
        member = self._slots[number]
        if act is None or self._healed or member.process is not process:
            return
        self._struck(act.kind)
        group = self._group(number)
        if act.kind == "kill":
            process.kill()
            self.agenda.after(min(act.seconds, SESSION_S), lambda: group.left(member))
            self.agenda.after(RESTART_S if act.seconds < 10 else SESSION_S * 2, lambda: self._restart(number))
        elif act.kind == "freeze":
            process.freeze(act.seconds)
            if act.seconds > SESSION_S:
                self._away(group, member, SESSION_S, act.seconds - SESSION_S + self._latency_s() * 20)
        elif act.kind == "lose":
            self._away(group, member, 0.0, act.seconds)
        else:
            self.agenda.after(0.0, group.rebalance)

    def _away(self, group: Group, member: Worker | Copier, from_s: float, for_s: float) -> None:
        self.agenda.after(from_s, lambda: group.left(member))
        self.agenda.after(from_s + for_s, lambda: group.rejoin(member))

    def _restart(self, number: int) -> None:
        if self._slots[number].process.is_dead:
            self._group(number).left(self._slots[number])
            self._start(number)

    # Troubles and their end -------------------------------------------------------------------------------------------

    def _struck(self, kind: str) -> None:
        self._say(f"    {kind}")
        self.hit[kind] += 1
        if self._unannounced or (self.judge.announced.keys() - self.judge.replicated):
            self.in_flight[kind] += 1

    def _outage(self, centre: Centre, kind: str, seconds: float) -> None:
        if kind == "away":
            centre.away_until_s = self.agenda.now_s + seconds
        else:
            centre.refuses_until_s = self.agenda.now_s + seconds

    def _publish_key(self) -> None:
        if self._stations.descriptions is not fleet.DESCRIPTIONS:
            if any(worker.processor.waiting_closes() for worker in self._slots.values() if isinstance(worker, Worker)):
                self._struck("key published late")
            self._stations.publish(fleet.DESCRIPTIONS)

    def _lose_offsets(self, group: str, part: float) -> None:
        self._struck(f"offsets of the {group} lost")
        (self.copiers if group == "replicator" else self.workers).lose_offsets(part, range(self.log.partitions))

    def _heal(self) -> None:
        self._say("healed")
        self._healed = True
        self._publish_key()
        self.first.heal()
        self.second.heal()
        self.log.faults.clear()
        self.workers.faults.clear()
        for number, member in list(self._slots.items()):
            member.process.frozen_until_s = 0.0
            self._restart(number)
            if not member.process.is_dead:
                self._group(number).rejoin(member)
        for number in list(self._again):
            self._if_again(number)

    def _amnesia(self) -> None:
        """Kafka is lost, with offsets and processes: the gateways send all again, nothing may change in the archive."""
        self._struck("amnesia")
        for process in self._all:
            process.kill()
        before = {path: stored.content for path, stored in self.first.placed.items()}
        known = sorted(self.judge.batches[batch] for batch in self.judge.announced)
        latest = max(self._latest.values(), default=0) + 100
        self._new_kafka()
        self.log.topic_id = "topic-2"
        self.judge.forget_log(self.log.topic_id)
        for number in self._slots:
            self._start(number)
        for number in known:
            self._latest[number] = latest
            self._send_again(number)
        if not self.agenda.run_until(self._is_drained, self.agenda.now_s + DRAIN_S):
            self._errors.append("I11: not drained after amnesia: " + "; ".join(self._what_is_left()))
        self.judge.judge(self.log, self._owed, self._owed - self._refused)
        if {path: stored.content for path, stored in self.first.placed.items()} != before:
            self._errors.append("I12: the archive is another one after Kafka was lost")

    # The end ----------------------------------------------------------------------------------------------------------

    def _is_drained(self) -> bool:
        """Whether there is nothing left to do, whatever is still planned to go wrong."""
        if self._to_send or (self._again and not self._healed):
            return False
        ends = [len(messages) for messages in self.log.topics[MEASUREMENTS]]
        if any(self.workers.committed.get(number, 0) != end for number, end in enumerate(ends)):
            return False
        if any(batch not in self.judge.announced and batch not in self._refused for batch in self._owed):
            return False
        return all(
            not member.process.is_dead and member.process.frozen_until_s <= self.agenda.now_s and member.is_idle()
            for member in self._slots.values()
        )

    def _what_is_left(self) -> list[str]:
        left = [f"{batch[:8]} has no receipt" for batch in self._owed - self.judge.announced.keys() - self._refused]
        for number, member in self._slots.items():
            process = member.process
            if process.is_dead or process.frozen_until_s > self.agenda.now_s:
                left.append(f"process {number} is dead or frozen")
            elif not member.is_idle():
                left.append(f"process {number} is not idle")
        return left

    def _end(self) -> Outcome:
        for process in self._all:
            self._errors += [f"I11: process {process.name} failed: {error!r}" for error in process.errors]
            process.end()
        return Outcome(
            sorted(set(self.judge.violations + self._errors)),
            self.hit,
            self.in_flight,
            sum(self._steps.values()),
            self.agenda.now_s,
            self.trace,
        )

    def _say(self, what: str) -> None:
        if self._tracing:
            self.trace.append(f"{self.agenda.now_s:9.3f} {what}")


def _home(key: bytes, partitions: int) -> int:
    """The stations of the fleet were chosen so that two partitions have them all."""
    return 0 if partitions == 1 or key == b"FI-Hyy" else 1


def run(schedule: Schedule, *, tracing: bool = False) -> Outcome:
    """Run a schedule."""
    return Simulation(schedule, tracing=tracing).run()


def violates(schedule: Schedule) -> bool:
    """Whether anything is wrong at its end."""
    return bool(run(schedule).violations)
