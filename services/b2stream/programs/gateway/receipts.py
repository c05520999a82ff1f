"""What comes back to this station: commit events, repeats, replica events and dead letters, read without a group.

A commit event answers the close of the attempt that it names; where the policy demands one copy, nothing more has to come. A close of a
batch that is archived already (a file corrected and then changed back; a journal that was lost) is answered by `BatchRepeated`, which
the processor publishes once that batch verifies.

An event of a later release is not passed over: nothing is read further, and so nothing is sent again for want of it, until the gateway
is upgraded or a week is over. Files are published all the while.

Where reading stands is in the journal, in one transaction with what was read. A topic that is new to the journal is read from its
beginning. Messages of other stations in the same partition are passed over by their key, unread.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from b2stream import failpoints
from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.letters import read_letter
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import BatchCommitted, BatchRepeated, BatchReplicated
from b2stream.contracts.upgrades import waits_for_upgrade
from b2stream.errors import LostOffsets, Poison, Retryable
from b2stream.programs.gateway.journal.journal import Journal, ReceiptWriter, now_us

TOPICS = (topics.COMMITS, topics.EVENTS, topics.REPLICAS, topics.DEAD_LETTERS)
MOST_AT_ONCE = 500
NOTE_POSITION_EVERY = 10_000
CHECK_EVERY_S = 60.0
_REPEATED = f"b2stream.{BatchRepeated.SCHEMA}".encode()

log = logging.getLogger(__name__)


class UpgradeGateway(Retryable):
    """A later release tells what became of files: upgrade this gateway; until then it publishes, and its receipts stand still."""

    reason = "later_release"


class ConsumerLike(Protocol):
    """What is needed of `b2stream.kafka.Consumer`."""

    def poll(self, timeout_s: float) -> LogMessage | None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Reader:
    topic: topics.Topic
    topic_id: str
    consumer: ConsumerLike
    next_offset: int = 0
    unnoted: int = 0


@dataclass(slots=True)
class Receipts:
    """Reads the topics. `open_consumer(topic name, offset or None)` makes a consumer of the station's partition."""

    journal: Journal
    station: str
    community: str
    topic_id: Callable[[str], str]
    open_consumer: Callable[[str, int | None], ConsumerLike]
    framing: Framing = field(default_factory=Framing)
    monotonic: Callable[[], float] = time.monotonic
    clock_us: Callable[[], int] = now_us
    _readers: list[_Reader] = field(default_factory=list)
    _checked_at: float = 0.0
    _too_new: str = ""
    _ask_again_at: float = 0.0

    def open(self) -> None:
        """Connect. Raises Retryable where Kafka does not answer, ConfigurationError where a topic is missing."""
        self.close()
        self._checked_at = self.monotonic()
        for topic in TOPICS:
            name = topic.full_name(self.community)
            topic_id = self.topic_id(name)
            position = self.journal.position(name, topic_id)
            self._readers.append(_Reader(topic, topic_id, self.open_consumer(name, position), position or 0))

    def poll(self, timeout_s: float = 0.0) -> int:
        """Read what is there and write it down; gives the number of messages read. Raises Retryable: then ask again later."""
        if self._too_new and self.monotonic() < self._ask_again_at:
            raise UpgradeGateway(self._too_new)
        self._too_new = ""
        if not self._readers or not self._are_current():
            self.open()
        count = 0
        for reader in self._readers:
            found = self._read(reader, timeout_s / len(self._readers))
            count += len(found)
            try:
                self._write(reader, found)
            except Retryable:  # a schema registry that does not answer: nothing was written, so all is read once more
                self.close()
                raise
            if self._too_new:
                self.close()
                raise UpgradeGateway(self._too_new)
        return count

    def close(self) -> None:
        """Disconnect."""
        for reader in self._readers:
            reader.consumer.close()
        self._readers = []

    def _are_current(self) -> bool:
        """Whether the topics are still those that were opened; asked now and then. A recreated topic begins at offset 0 again."""
        if self.monotonic() - self._checked_at < CHECK_EVERY_S:
            return True
        self._checked_at = self.monotonic()
        try:
            return all(self.topic_id(r.topic.full_name(self.community)) == r.topic_id for r in self._readers)
        except Retryable:
            return True

    def _read(self, reader: _Reader, timeout_s: float) -> list[LogMessage]:
        found: list[LogMessage] = []
        try:
            message = reader.consumer.poll(timeout_s)
            while message is not None:
                found.append(message)
                message = reader.consumer.poll(0) if len(found) < MOST_AT_ONCE else None
        except LostOffsets as error:
            name = reader.topic.full_name(self.community)
            log.warning("%s is read from its beginning again: %s", name, error)
            reader.consumer.close()
            reader.consumer = self.open_consumer(name, None)
        return found

    def _write(self, reader: _Reader, found: list[LogMessage]) -> None:
        """In one transaction. The position alone is written now and then: reading a message again changes nothing."""
        if not found:
            return
        name = reader.topic.full_name(self.community)
        reader.next_offset = found[-1].offset + 1
        reader.unnoted += len(found)
        ours = [message for message in found if message.key == self.station.encode()]
        if not ours and reader.unnoted < NOTE_POSITION_EVERY:
            return

        def apply(writer: ReceiptWriter) -> None:
            for message in ours:
                try:
                    self._take(reader.topic, message, writer)
                except UpgradeGateway as error:  # what came before it is written down
                    self._too_new, self._ask_again_at = error.detail, self.monotonic() + CHECK_EVERY_S
                    writer.read_up_to(name, reader.topic_id, message.offset)
                    return
            writer.read_up_to(name, reader.topic_id, reader.next_offset)

        failpoints.passing("receipts read")
        self.journal.write_receipts(apply)
        reader.unnoted = 0

    def _take(self, topic: topics.Topic, message: LogMessage, writer: ReceiptWriter) -> None:
        try:
            if topic is topics.DEAD_LETTERS:
                _take_letter(message, writer)
                return
            framed = self.framing.unframe(message.value)
            if topic is topics.COMMITS:
                _take_commit(BatchCommitted.from_framed(framed), writer)
            elif topic is topics.EVENTS:
                if framed.schema.name == BatchRepeated.SCHEMA:
                    _take_repeat(BatchRepeated.from_framed(framed), message.appended_at_us, writer)
            else:
                replica = BatchReplicated.from_framed(framed)
                _take_commit(replica.commit, writer)
                if writer.knows(replica.commit.batch):
                    writer.replicated(replica.commit.batch, replica.replicated_at_us, replica.url)
        except Poison as error:
            is_for_us = topic is not topics.EVENTS or dict(message.headers).get("ce_type") == _REPEATED
            if is_for_us and waits_for_upgrade(error, message, self.clock_us()):
                raise UpgradeGateway(f"{message.topic}[{message.partition}] offset {message.offset}") from error
            log.warning("%s[%d] offset %d is passed over: %s", message.topic, message.partition, message.offset, error)


def _take_commit(commit: BatchCommitted, writer: ReceiptWriter) -> None:
    if not writer.knows(commit.batch):
        return
    if writer.committed(
        commit.batch,
        commit.attempt,
        commit.committed_at_us,
        id24=commit.id24,
        pid=commit.pid,
        url=commit.url,
        path=commit.path,
    ):
        log.info("committed", extra={"facts": {"name": commit.name, "series": commit.series, "path": commit.path}})
    if commit.copies == 1:
        writer.only_copy(commit.batch, commit.committed_at_us)


def _take_repeat(repeat: BatchRepeated, at_us: int, writer: ReceiptWriter) -> None:
    try:
        close = json.loads(repeat.close)
        attempt, name = str(close["attempt"]), close["name"]
    except (ValueError, KeyError, TypeError) as error:
        raise Poison(f"BatchRepeated: its close is no close: {error!r}", reason="bad_close") from error
    if writer.answered(repeat.batch, attempt, at_us):
        log.info("committed, as it was before", extra={"facts": {"name": name, "series": repeat.series}})


def _take_letter(message: LogMessage, writer: ReceiptWriter) -> None:
    letter = read_letter(message.headers)
    if letter is None:
        log.warning("a dead letter without a reason at offset %d is passed over", message.offset)
    elif writer.letter(letter.attempt, letter.batch, letter.reason, letter.detail, poison=letter.poison):
        facts = {"reason": letter.reason, "detail": letter.detail, "attempt": letter.attempt, "poison": letter.poison}
        log.warning("a dead letter names our attempt", extra={"facts": facts})
