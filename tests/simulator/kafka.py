"""Kafka in memory: topics whose appends may fail or lose their answer, and a group whose offsets only its owners may commit."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Protocol

from b2stream.contracts.envelopes import Headers
from b2stream.contracts.messages import LogMessage
from b2stream.errors import Retryable
from b2stream.kafka import Delivered
from tests.simulator.agenda import Agenda
from tests.simulator.process import Process

COMMUNITY = "test"
MEASUREMENTS, COMMITS, REPLICAS = (f"{COMMUNITY}.{topic}" for topic in ("measurements", "commits", "replicas"))
LETTERS, EVENTS = (f"{COMMUNITY}.{topic}" for topic in ("dead-letters", "events"))
APPENDED_US = 1_790_000_000_000_000
SESSION_S = 10.0

PUBLISHING = ("refused", "appended, lost", "lost, then appended")
COMMITTING = ("not committed", "committed, lost")


class Log:
    """Topics, partitions, offsets and append times. `on_append` sees each message as it becomes visible."""

    def __init__(self, agenda: Agenda, partitions: int, latency_s: Callable[[], float]) -> None:
        self.agenda = agenda
        self.partitions = partitions
        self.latency_s = latency_s
        self.topics: dict[str, list[list[LogMessage]]] = defaultdict(lambda: [[] for _ in range(partitions)])
        self.faults: dict[int, str] = {}
        self.hit: Counter[str] = Counter()
        self.published = 0
        self.topic_id = "topic-1"
        self.on_append: Callable[[LogMessage], None] = lambda message: None
        self.on_fault: Callable[[str], None] = lambda kind: None
        self.listeners: list[Callable[[LogMessage], None]] = []

    def append(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> LogMessage:
        """Append a message."""
        messages = self.topics[topic][partition]
        at_us = APPENDED_US + int(self.agenda.now_s * 1e6)
        message = LogMessage(topic, partition, len(messages), key, value, headers, at_us)
        messages.append(message)
        self.on_append(message)
        for each in self.listeners:
            each(message)
        return message

    def all(self, topic: str) -> Iterator[LogMessage]:
        """Every message of a topic, partition by partition."""
        return itertools.chain.from_iterable(self.topics[topic])

    def reread(self, partition: int, first: int, last: int) -> Iterator[LogMessage]:
        """As `b2stream.kafka.read_range`, of the measurements."""
        yield from self.topics[MEASUREMENTS][partition][first : last + 1]

    def fault(self) -> str:
        """What goes wrong with this publishing; empty where nothing does."""
        self.published += 1
        kind = self.faults.pop(self.published, "")
        if kind:
            self.hit[kind] += 1
            self.on_fault(kind)
        return kind


class Publisher:
    """What one process publishes. Nothing of it arrives in another order, and what was sent before a death still arrives."""

    def __init__(self, log: Log, process: Process) -> None:
        self._log = log
        self._process = process
        self._free_at_s = 0.0  # when the last message has arrived: one producer keeps its order

    def publish(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> "Future[Delivered]":
        future: Future[Delivered] = Future()
        log, agenda = self._log, self._log.agenda
        self._process.step(f"publish to {topic}")
        kind = log.fault()
        arrives_at_s = self._free_at_s = max(self._free_at_s, agenda.now_s + log.latency_s())

        def arrive() -> None:
            message = log.append(topic, partition, key, value, headers)
            if not kind:
                answer(lambda: future.set_result(Delivered(message.partition, message.offset)))
            elif kind == "appended, lost":
                refuse()

        def refuse() -> None:
            answer(lambda: future.set_exception(Retryable(kind)))

        def answer(act: Callable[[], None]) -> None:
            agenda.after(log.latency_s(), lambda: None if self._process.is_dead else act())

        if kind == "refused":
            refuse()
        elif kind == "lost, then appended":
            refuse()
            agenda.at(arrives_at_s + 20 * log.latency_s(), arrive)
        else:
            agenda.at(arrives_at_s, arrive)
        return future

    def flush(self, timeout_s: float) -> int:
        """The replicator's loop asks at its end; nothing is ever left here."""
        return 0


class Member(Protocol):
    """A consumer as the group sees it."""

    process: Process

    def revoked(self) -> None: ...

    def assigned(self, starts: dict[int, int]) -> None: ...


class Group:
    """Who owns which partition of a topic, and the offsets that are committed. `on_commit` sees each one that counts."""

    def __init__(self, agenda: Agenda, log: Log, topic: str, settling_s: Callable[[], float]) -> None:
        self.committed: dict[int, int] = {}
        self.owners: dict[int, Member] = {}
        self.generation = 0
        self.faults: dict[int, str] = {}
        self.commits = 0
        self.hit: Counter[str] = Counter()
        self.on_commit: Callable[[int, int, int], None] = lambda partition, before, offset: None
        self.on_fault: Callable[[str], None] = lambda kind: None
        self._agenda = agenda
        self._log = log
        self._topic = topic
        self._settling_s = settling_s
        self._members: list[Member] = []
        self._unaware: set[Member] = set()

    def join(self, member: Member) -> None:
        """A new member: everybody's partitions are dealt anew."""
        self._members.append(member)
        self.rebalance()

    def left(self, member: Member) -> None:
        """A member's session is over: it may not know."""
        if member in self._members:
            self._members.remove(member)
            self.rebalance()

    def rejoin(self, member: Member) -> None:
        """A member that was away notices it: what it held is taken from it, and it joins again."""
        if not member.process.is_dead and member not in self._members:
            member.revoked()
            self.join(member)

    def rebalance(self) -> None:
        """Take all partitions away, and deal them a moment later."""
        self.generation += 1
        generation = self.generation
        self.owners.clear()
        for member in self._members:
            member.revoked()
        self._agenda.after(self._settling_s(), lambda: self._deal(generation))

    def _deal(self, generation: int) -> None:
        members = [each for each in self._members if not each.process.is_dead]
        if generation != self.generation or not members:
            return
        for number in range(self._log.partitions):
            self.owners[number] = members[(number + generation) % len(members)]
        for member in members:
            member.assigned(
                {number: self.committed.get(number, 0) for number, owner in self.owners.items() if owner is member}
            )

    def commit(self, member: Member, partition: int, offset: int) -> bool:
        """Commit an offset; False where the group does not take it, or its answer is lost."""
        self.commits += 1
        kind = self.faults.pop(self.commits, "")
        if kind:
            self.hit[kind] += 1
            self.on_fault(kind)
        if kind == "not committed" or self.owners.get(partition) is not member:
            return False
        before = self.committed.get(partition, 0)
        self.committed[partition] = offset
        self.on_commit(partition, before, offset)
        return kind != "committed, lost"

    def lose_offsets(self, part: float, partitions: Iterable[int]) -> None:
        """Offsets are deleted, or those of an old backup come back: reading begins earlier."""
        for number in partitions:
            self.committed[number] = int(self.committed.get(number, 0) * part)
        self.rebalance()
