"""What Kafka says: commit and replica events, closes, repeats and dead letters, up to ends that are fixed before anything else.

What lies at or after the committed offset of the group responsible is lag; it is counted here and never becomes a finding.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from b2stream.batches.manifest import batch_of, paths_of
from b2stream.batches.paths import DEAD_FOLDER
from b2stream.contracts import topics
from b2stream.contracts.framing import Framed, Framing
from b2stream.contracts.letters import read_letter
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import (
    BatchClosed,
    BatchCommitted,
    BatchRepeated,
    BatchReplicated,
    CoverageStarted,
    DeadLetter,
    ObjectEvent,
    OffsetsAccepted,
)
from b2stream.errors import LostOffsets, Poison, Retryable
from b2stream.kafka import Consumer
from b2stream.kafka.admin import Admin
from b2stream.programs.audit.events import FIXITY_CHECK, INGESTION, REPLICATION, SET_ASIDE
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.log_rows import (
    aside_of,
    commit_row,
    link,
    note_day,
    note_superseded,
    repeated_close,
)
from b2stream.programs.audit.gathering.readable import passing_over
from b2stream.programs.audit.gathering.walking import SignatureCheck, no_signature_check
from b2stream.settings import Settings

NOT_ITS_OWN = {
    "signature_missing",
    "signature_wrong",
    "key_expired",
    "key_not_valid_yet",
    "key_of_another_station",
    "station_without_key",
    "unknown_key",
}
"""Reasons of letters whose close nobody can tell to be its station's own."""
_CLIENT_ID = "b2stream-audit"
_POLL_S = 0.5
_SILENT_S = 60.0


@dataclass(frozen=True, slots=True)
class Lag:
    """What a program has not done yet of a topic: messages, and how old the oldest is (seconds; None where nothing waits).

    `note` says what else could not be seen.
    """

    program: str
    topic: str
    messages: int
    oldest_s: float | None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Log:
    """The topics, read to ends that were fixed at the beginning.

    Raises Retryable where Kafka does not answer, UpgradeAudit where a later release wrote an event.
    """

    def __init__(
        self, settings: Settings, framing: Framing, check_signature: SignatureCheck = no_signature_check
    ) -> None:
        self._settings = settings
        self._check_signature = check_signature
        self._framing = framing
        self._admin = Admin(settings.kafka, _CLIENT_ID)
        self._partitions = settings.kafka.partitions
        self.ends: dict[str, dict[int, int]] = {}
        self._starts: dict[str, dict[int, int]] = {}
        self._topic_id = ""

    def fix_ends(self) -> None:
        """From now on nothing that comes later is looked at. To be called before the centres are walked."""
        self._topic_id = self._admin.topic(self._name(topics.MEASUREMENTS)).topic_id
        for topic in (topics.MEASUREMENTS, topics.COMMITS, topics.REPLICAS, topics.EVENTS, topics.DEAD_LETTERS):
            held = self._admin.ranges(self._name(topic), self._partitions)
            self.ends[topic.name] = {partition: each.end for partition, each in held.items()}
            self._starts[topic.name] = {partition: each.start for partition, each in held.items()}

    @property
    def held(self) -> int:
        """How many messages all topics hold up to the fixed ends: what `read_into` reads, and what is compacted or marks a transaction."""
        sides = (self.ends, 1), (self._starts, -1)
        return sum(sign * offset for side, sign in sides for topic in side.values() for offset in topic.values())

    def done(self, group: str, topic: topics.Topic) -> dict[int, int]:
        """How far a group is with each partition; the log's start where it has no offset."""
        facts = self._admin.topic(self._name(topic))
        committed = self._admin.committed(f"{group}-{facts.topic_id}", self._name(topic), self._partitions)
        return self._starts[topic.name] | committed

    def lag(self, program: str, topic: topics.Topic, done: dict[int, int]) -> Lag:
        """What a program has still to do of a topic, up to the fixed ends."""
        ends = self.ends[topic.name]
        waiting = {number: done[number] for number in ends if done.get(number, 0) < ends[number]}
        messages = sum(ends[number] - first for number, first in waiting.items())
        oldest_us = min(
            (at for number, first in waiting.items() if (at := self._time_of(topic, number, first))), default=None
        )
        oldest_s = None if oldest_us is None else max(0.0, time.time() - oldest_us / 1e6)
        return Lag(program, topic.name, messages, oldest_s)

    def _time_of(self, topic: topics.Topic, partition: int, offset: int) -> int | None:
        held_from = max(offset, self._starts[topic.name][partition])  # a group may stand before what is left of the log
        for message in self._messages(topic, {partition: held_from}):
            return message.appended_at_us
        return None

    # Reading ----------------------------------------------------------------------------------------------------------

    def read_into(self, index: Index, progress: Callable[[int], None] = lambda _: None) -> None:
        """Write down what the topics say, from their beginnings to the fixed ends."""
        index.forget_log()
        for topic, take in (
            (topics.COMMITS, self._commit),
            (topics.REPLICAS, self._replica),
            (topics.EVENTS, self._event),
            (topics.DEAD_LETTERS, self._letter),
            (topics.MEASUREMENTS, self._measurement),
        ):
            for message in self.messages(topic):
                with passing_over(message):  # the program in charge of that topic writes it a letter
                    take(index, message)
                progress(1)
        index.keep()

    def read_commits(self, index: Index) -> None:
        """Write down the commit and replica events, and when objects were checked; nothing else."""
        for topic, take in (
            (topics.COMMITS, self._commit),
            (topics.REPLICAS, self._replica),
            (topics.EVENTS, self._event),
        ):
            for message in self.messages(topic):
                with passing_over(message):
                    take(index, message)

    def commits(self) -> Iterator[BatchCommitted]:
        """Every commit event, those of a station in order. What cannot be read has a letter of its own, and is passed over."""
        for framed in self._framed(topics.COMMITS):
            with contextlib.suppress(Poison):
                yield BatchCommitted.from_framed(framed)

    def replicas(self) -> Iterator[BatchReplicated]:
        """Every replica event."""
        for framed in self._framed(topics.REPLICAS):
            with contextlib.suppress(Poison):
                yield BatchReplicated.from_framed(framed)

    def object_events(self) -> Iterator[ObjectEvent]:
        """What was done to objects after their commit."""
        for framed in self._framed(topics.EVENTS):
            if framed.schema.name == ObjectEvent.SCHEMA:
                with contextlib.suppress(Poison):
                    yield ObjectEvent.from_framed(framed)

    def _framed(self, topic: topics.Topic) -> Iterator[Framed]:
        for message in self.messages(topic):
            with passing_over(message):
                yield self._framing.unframe(message.value)

    def messages(self, topic: topics.Topic) -> Iterator[LogMessage]:
        """Everything in a topic up to the fixed ends, in order within each partition."""
        return self._messages(topic, self._starts[topic.name])

    def _messages(self, topic: topics.Topic, starts: dict[int, int]) -> Iterator[LogMessage]:
        ends = self.ends[topic.name]
        missing = {number: ends[number] for number, start in starts.items() if start < ends[number]}
        if not missing:
            return
        begin = {number: starts[number] for number in missing}
        consumer = Consumer(
            self._settings.kafka,
            self._name(topic),
            client_id=_CLIENT_ID,
            partitions=list(begin),
            offsets=begin,
        )
        heard_s = time.monotonic()
        try:
            while missing:
                message = consumer.poll(_POLL_S)
                if message is None:
                    if time.monotonic() - heard_s > _SILENT_S:
                        raise Retryable(
                            f"{self._name(topic)}: nothing came for {_SILENT_S:.0f} s before offsets {missing}"
                        )
                    continue
                heard_s = time.monotonic()
                if message.offset + 1 >= missing.get(message.partition, 0):
                    missing.pop(message.partition, None)
                if message.offset < ends[message.partition]:
                    yield message
        except LostOffsets as error:
            raise Retryable(f"the log moved on while it was read: {error.detail}") from error
        finally:
            consumer.close()

    def _name(self, topic: topics.Topic) -> str:
        return topic.full_name(self._settings.general.community)

    # Records ----------------------------------------------------------------------------------------------------------

    def _commit(self, index: Index, message: LogMessage) -> None:
        event = BatchCommitted.from_framed(self._framing.unframe(message.value))
        index.put("committed", [commit_row(event, message)], keep_first=True)  # the earliest event of a batch decides
        note_day(index, event.station, event.committed_at_us)
        note_superseded(index, event, event)

    def _replica(self, index: Index, message: LogMessage) -> None:
        event = BatchReplicated.from_framed(self._framing.unframe(message.value))
        row = {"batch": event.commit.batch, "centre": event.centre, "url": event.url}
        where = {"partition": message.partition, "offset": message.offset, "appended_at_us": message.appended_at_us}
        index.put("replicated", [row | where], keep_first=True)
        note_day(index, event.commit.station, event.replicated_at_us)

    def _event(self, index: Index, message: LogMessage) -> None:
        framed = self._framing.unframe(message.value)
        if framed.schema.name == BatchRepeated.SCHEMA:
            repeat = BatchRepeated.from_framed(framed)
            close = repeated_close(repeat)
            link(index, close, "repeat", repeat.topic_id)
            note_superseded(index, repeat, close)
        elif framed.schema.name == ObjectEvent.SCHEMA:
            event = ObjectEvent.from_framed(framed)
            if event.event == FIXITY_CHECK:
                index.note_check(
                    event.centre, event.path, event.at_us, event.detail if event.outcome == "fail" else None
                )
            elif event.event == REPLICATION:
                index.note_check(event.centre, event.path, event.at_us, None)
            elif event.event == SET_ASIDE:
                index.put("told_aside", [{"centre": event.centre, "path": aside_of(event)}])
            elif event.event == INGESTION:
                facts = {"size_bytes": event.size_bytes, "sha256": event.sha256}
                index.put("kept", [{"path": event.path, "centre": event.centre, **facts}])
            if event.batch is not None:
                note_day(index, event.station, event.at_us)
        elif framed.schema.name == CoverageStarted.SCHEMA:
            started = CoverageStarted.from_framed(framed)
            if started.offset > 0:
                index.put("skipped", [{"topic_id": started.topic_id, "partition": started.partition}])
                if started.append_time_us is not None:
                    index.put("unproven", [{"partition": started.partition, "before_us": started.append_time_us}])
        elif framed.schema.name == OffsetsAccepted.SCHEMA:
            accepted = OffsetsAccepted.from_framed(framed)
            index.put("skipped", [{"topic_id": accepted.topic_id, "partition": accepted.partition}])

    def _letter(self, index: Index, message: LogMessage) -> None:
        letter = read_letter(message.headers)
        if letter is None:
            return
        facts = {name: getattr(letter, name) for name in ("station", "attempt", "batch", "reason", "detail", "poison")}
        index.put("letter", [{"id": letter.identity, "appended_at_us": message.appended_at_us, **facts}])
        try:
            framed = self._framing.unframe(message.value)
            if framed.schema.name == DeadLetter.SCHEMA:
                dead = DeadLetter.from_framed(framed)
                if dead.path.startswith(f"{DEAD_FOLDER}/{letter.attempt}-"):  # else it was written by nobody who buries
                    facts = {"size_bytes": dead.size_bytes, "sha256": dead.sha256}
                    index.put("kept", [{"path": dead.path, "centre": self._settings.first.name or "first", **facts}])
            elif framed.schema.name == BatchClosed.SCHEMA:
                close = BatchClosed.from_framed(framed)
                paths_of(close)  # raises Poison for names that no gateway would write
                link(index, close, "letter", letter.topic_id, is_its_own=letter.reason not in NOT_ITS_OWN)
        except Poison:
            return  # the original value was no close

    def _measurement(self, index: Index, message: LogMessage) -> None:
        framed = self._framing.unframe(message.value)
        if framed.schema.name != BatchClosed.SCHEMA:
            return
        close = BatchClosed.from_framed(framed)
        data_path = paths_of(close).data_object  # raises Poison for names that no gateway would write
        is_its_own = (
            self._check_signature(close, message.appended_at_us) is None
        )  # else anyone could make gaps, or fill them
        link(index, close, "close", self._topic_id, is_its_own=is_its_own)
        row = {
            "topic_id": self._topic_id,
            "partition": message.partition,
            "offset": message.offset,
            "batch": batch_of(close),
            "station": close.station,
            "series": close.series,
            "attempt": close.attempt,
            "data_path": data_path,
            "appended_at_us": message.appended_at_us,
        }
        index.put("close", [row])
