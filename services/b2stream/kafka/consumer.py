"""Reading a topic, as a member of a group or as a lone follower."""

import logging
import threading
from collections.abc import Callable, Mapping

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Consumer as _Consumer

from b2stream.contracts.messages import LogMessage
from b2stream.errors import LostOffsets, Retryable
from b2stream.kafka.admin import Admin
from b2stream.kafka.commits import Commits
from b2stream.kafka.errors import known_topic, of_known_topic, translated
from b2stream.kafka.ranges import LogRange
from b2stream.kafka.reading import held, log_message, read_again, reader_settings
from b2stream.kafka.security import Brokers
from b2stream.kafka.standstill import PATIENCE_S, Standstill

_log = logging.getLogger(__name__)

_ANSWER_S = 10.0
_CLOSE_S = 10.0
_PASSING = {
    KafkaError._PARTITION_EOF,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._MAX_POLL_EXCEEDED,
}

_kept: list[_Consumer] = []
"""Clients that are inside a call which does not end: whoever destroys one ends the process."""


class Consumer:
    """Reads one topic.

    With a group: partitions are shared out, `done_up_to` records progress, and a committed offset outside the log raises
    LostOffsets (librdkafka itself would reset without a word). A group without offsets begins at the log's start. One that stands
    still although the log holds more joins its group anew (`standstill`).
    Without a group: all partitions, or those given, from the beginning, the end, or `offsets` by partition; LostOffsets
    is raised where the log does not hold such an offset.
    """

    def __init__(
        self,
        brokers: Brokers,
        topic: str,
        *,
        client_id: str,
        group: str | None = None,
        partitions: list[int] | None = None,
        from_beginning: bool = True,
        offsets: Mapping[int, int] | None = None,
        buffer_bytes: int = 16 << 20,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._topic = topic
        self._group = group
        self._settings = reader_settings(brokers, client_id, group, buffer_bytes)
        self._standstill = Standstill(
            lambda: Admin(brokers, f"{client_id}-standstill"), topic, group or "", patience_s=patience_s
        )
        self._lost: LostOffsets | None = None
        self._unchecked: list[TopicPartition] = []
        self._next: dict[int, int] = {}  # by partition, the offset that `poll` gives next
        self._paused = False
        self._commits = Commits(topic)
        self.on_revoked: Callable[[list[int]], None] = lambda partitions: None
        """Called within `poll` and `close` before the group takes partitions away: the last moment to say `done_up_to`."""
        self._consumer = _Consumer(self._settings)
        if group is not None:
            self._join()
        else:
            chosen = partitions if partitions is not None else list(range(self.partition_count()))
            begin = dict.fromkeys(chosen, OFFSET_BEGINNING)
            if not from_beginning:
                # The end as it is now: librdkafka would look it up later, and pass over what comes until then.
                begin = {
                    partition: self.range(partition).end for partition in chosen if partition not in (offsets or {})
                }
            begin |= offsets or {}
            self._next = begin
            self._assign()

    def poll(self, timeout_s: float) -> LogMessage | None:
        """The next message, None where none came in time. Raises LostOffsets, Refused, ConfigurationError."""
        if self._unchecked:
            self._check(self._unchecked)
        message = self._consumer.poll(timeout_s)
        if self._lost is not None:
            raise self._lost
        if message is None:
            self._look_after_itself()
            return None
        error = message.error()
        if error is None:
            read = log_message(message)
            self._next[read.partition] = read.offset + 1
            self._standstill.gave()
            return read
        if error.code() in (KafkaError._BAD_MSG, KafkaError._AUTO_OFFSET_RESET):
            self._read_again(message.partition() or 0, error)
            return None
        if error.code() == KafkaError._UNKNOWN_PARTITION:
            # Of a partition that is assigned: a broker that was just thawed does not know its topics for a moment. Whether
            # librdkafka goes on with it is not said anywhere, so it is assigned anew, after a look at the offsets.
            _log.warning("%s: %s; assigning its partitions anew", self._topic, error.str())
            if self._group is not None:
                self._unchecked = self._consumer.assignment()
            else:
                read_again(self._consumer, self._next, error)
            return None
        ours = of_known_topic(translated(error))
        if error.code() in _PASSING or isinstance(ours, Retryable):
            return None
        raise ours

    def _read_again(self, partition: int, error: KafkaError) -> None:
        """Go on where `poll` stopped, unless the log does not hold that any more. Raises LostOffsets then."""
        wanted = self._next.get(partition, OFFSET_BEGINNING)
        if error.code() == KafkaError._AUTO_OFFSET_RESET and wanted >= 0:
            try:
                with known_topic():
                    there = self.range(partition)
            except Retryable as unanswered:
                _log.warning("%s[%d]: %s", self._topic, partition, unanswered)
            else:
                if not there.start <= wanted <= there.end:
                    raise LostOffsets(f"{self._topic}: {error.str()}")
        read_again(self._consumer, self._next, error)
        if self._paused:
            self._consumer.pause(self._consumer.assignment())

    def _look_after_itself(self) -> None:
        """Read on with another client where this one stands still."""
        hangs = self._group is not None and self._commits.hang_for_good(self._consumer)
        if self._paused and not hangs:
            self._standstill.gave()
        elif hangs or self._standstill.is_certain(self._next):
            _log.error("%s: nothing comes, or offsets are not taken; going on with a new client", self._topic)
            old = self._consumer
            if self._group is not None:
                self._revoked(old, [TopicPartition(self._topic, number) for number in self._next])
            self._consumer = _Consumer(self._settings)
            if self._group is not None:
                self._join()
            else:
                self._assign()
            # Whatever holds it may hold this, too; what it still has to say is of no interest (`_revoked`).
            threading.Thread(target=old.close, name="closing", daemon=True).start()

    def _assign(self) -> None:
        """Read without a group, from where the next message is."""
        self._consumer.assign([TopicPartition(self._topic, number, offset) for number, offset in self._next.items()])

    def _join(self) -> None:
        self._consumer.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._revoked)

    def done_up_to(self, partition: int, next_offset: int) -> None:
        """Record that everything before `next_offset` is done. Raises Retryable where Kafka did not take it."""
        asked = [TopicPartition(self._topic, partition, next_offset)]
        try:
            answers = self._commits.commit(self._consumer, asked)
        except KafkaException as error:
            raise translated(error) from error
        for each in answers or []:
            if each.error is not None:  # a partition's refusal does not raise
                raise translated(each.error)

    def range(self, partition: int, timeout_s: float = _ANSWER_S) -> LogRange:
        """What the partition holds now."""
        return held(self._consumer, TopicPartition(self._topic, partition), timeout_s)

    def lag(self) -> int:
        """Messages between this consumer's position and the end of its partitions, by what it last heard."""
        lag = 0
        for each in self._consumer.position(self._consumer.assignment()):
            _, end = self._consumer.get_watermark_offsets(each, cached=True)
            if end >= 0:
                lag += max(0, end - max(each.offset, 0))
        return lag

    def pause(self) -> None:
        """Let `poll` give no more messages. It must still be called: it keeps the membership of the group."""
        if not self._paused:
            self._paused = True
            self._consumer.pause(self._consumer.assignment())

    def resume(self) -> None:
        """Go on where `pause` stopped."""
        if self._paused:
            self._paused = False
            self._consumer.resume(self._consumer.assignment())

    def partition_count(self) -> int:
        """How many partitions the topic has. Raises Retryable (nobody answers) or ConfigurationError (no such topic)."""
        try:
            known = self._consumer.list_topics(self._topic, timeout=_ANSWER_S).topics[self._topic]
        except KafkaException as error:
            raise translated(error) from error
        if known.error is not None:
            raise translated(known.error)
        return len(known.partitions)

    def close(self) -> None:
        """Leave the group and close, within ten seconds: the broker forgets by itself a member that is not heard of any more."""
        if self._commits.is_waiting(self._consumer):
            _log.warning("%s: leaving its group without a word, for it has not answered a commit", self._topic)
            _kept.append(self._consumer)
            return
        closing = threading.Thread(target=self._consumer.close, name="closing", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)

    def _assigned(self, consumer: _Consumer, assigned: list[TopicPartition]) -> None:
        self._standstill.assigned()
        self._unchecked = assigned
        self._check(assigned)
        if self._unchecked or self._lost is not None:
            consumer.assign([])  # else librdkafka would begin to read

    def _check(self, assigned: list[TopicPartition]) -> None:
        """Check each committed offset against the log before a message is read; `poll` asks again where nobody answered."""
        try:
            with known_topic():
                committed = self._standings(assigned)
        except (KafkaException, Retryable) as error:
            _log.warning("offsets of group %s could not be checked, asking again: %s", self._group, error)
            return
        except LostOffsets as error:
            self._lost = error
            return
        self._unchecked = []
        self._next |= {each.partition: each.offset for each in committed}
        self._consumer.assign(committed)
        if self._paused:
            self._consumer.pause(committed)

    def _standings(self, assigned: list[TopicPartition]) -> list[TopicPartition]:
        """Where the group stands, the log's start where it has no offset.

        Raises LostOffsets where the log does not hold one, KafkaException, and what a partition's refusal means.
        """
        committed = self._consumer.committed(assigned, timeout=_ANSWER_S)
        for each in committed:
            if each.error is not None:
                raise translated(each.error)
            there = self.range(each.partition)
            if each.offset < 0:
                each.offset = there.start
            elif not there.start <= each.offset <= there.end:
                raise LostOffsets(
                    f"group {self._group} stands at {each.offset} of {self._topic}[{each.partition}], "
                    f"the log holds {there.start} to {there.end}"
                )
        return committed

    def _revoked(self, consumer: _Consumer, revoked: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return  # it was replaced
        self._unchecked = []
        self._next = {}
        self.on_revoked([each.partition for each in revoked])
