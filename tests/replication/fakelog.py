"""A log in memory: what the replicator needs of Kafka, with the same promises, and hooks to break them where Kafka would."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from b2stream.contracts.envelopes import Headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import BatchCommitted, BatchReplicated
from b2stream.errors import Retryable
from tests.replication.batches import event_header_list, event_partition, event_value


@dataclass
class FakeLog:
    """The commits topic, the group's offsets, and what was published. One consumer at a time."""

    messages: dict[int, list[LogMessage]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[int, int] = field(default_factory=dict)
    commits_seen: list[tuple[int, int]] = field(default_factory=list)
    published: list[tuple[str, int, bytes, bytes, Headers]] = field(default_factory=list)
    on_revoked: Callable[[list[int]], None] = lambda partitions: None
    kafka_answers: bool = True
    paused: bool = False
    hold_acknowledgements: bool = False
    _held: list["Future[object]"] = field(default_factory=list)
    _positions: dict[int, int] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _revoke: list[int] = field(default_factory=list)
    fatal: Exception | None = None

    # Tests ------------------------------------------------------------------------------------------------------------

    def append(self, commit: BatchCommitted) -> LogMessage:
        """The processor announces a batch."""
        return self.append_raw(
            event_partition(commit), commit.station.encode(), event_value(commit), event_header_list(commit)
        )

    def append_raw(self, partition: int, key: bytes, value: bytes | None, headers: Headers) -> LogMessage:
        """Any message on the commits topic."""
        with self._lock:
            held = self.messages[partition]
            message = LogMessage("test.commits", partition, len(held), key, value, headers, time.time_ns() // 1000)
            held.append(message)
        return message

    def revoke(self, *partitions: int) -> None:
        """Within the next poll the group takes these away; they come back at their committed offsets."""
        with self._lock:
            self._revoke += partitions

    def acknowledge(self) -> None:
        """Kafka answers for all that was published so far."""
        with self._lock:
            held, self._held = self._held, []
        for future in held:
            future.set_result(None)

    def replicas(self) -> list[BatchReplicated]:
        """The replica events, in order of publishing."""
        with self._lock:
            return [
                BatchReplicated.from_framed(Framing().unframe(value))
                for topic, _, _, value, _ in self.published
                if topic == "test.replicas"
            ]

    def letters(self) -> list[tuple[bytes, Headers]]:
        """Values and headers of the dead letters."""
        with self._lock:
            return [(value, headers) for topic, _, _, value, headers in self.published if topic == "test.dead-letters"]

    def all_committed(self) -> bool:
        """Whether the group's offsets are at the end of the log."""
        return all(self.committed.get(partition, 0) == len(held) for partition, held in self.messages.items() if held)

    # A consumer -------------------------------------------------------------------------------------------------------

    def poll(self, timeout_s: float) -> LogMessage | None:
        if self.fatal is not None:
            raise self.fatal
        with self._lock:
            revoked, self._revoke = self._revoke, []
        if revoked:
            self.on_revoked(revoked)
            for partition in revoked:
                self._positions.pop(partition, None)
        deadline = time.monotonic() + timeout_s
        while True:
            if not self.paused:
                with self._lock:
                    for partition, held in self.messages.items():
                        position = self._positions.get(partition, self.committed.get(partition, 0))
                        if position < len(held):
                            self._positions[partition] = position + 1
                            return held[position]
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.002)

    def done_up_to(self, partition: int, next_offset: int) -> None:
        if not self.kafka_answers:
            raise Retryable("Kafka is away")
        self.commits_seen.append((partition, next_offset))
        self.committed[partition] = next_offset

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def lag(self) -> int:
        return sum(len(held) - self._positions.get(partition, 0) for partition, held in self.messages.items())

    # A producer -------------------------------------------------------------------------------------------------------

    def publish(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> "Future[object]":
        future: Future[object] = Future()
        with self._lock:
            self.published.append((topic, partition, key, value, headers))
            if self.hold_acknowledgements:
                self._held.append(future)
                return future
        future.set_result(None)
        return future

    def flush(self, timeout_s: float) -> int:
        with self._lock:
            return len(self._held)
