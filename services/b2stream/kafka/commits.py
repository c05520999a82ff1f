"""Committing offsets with an end to the wait.

librdkafka's own wait has none: after a broker was frozen for four seconds, a commit was seen to hang for good, and its caller, who
polls, with it. So another thread waits.
"""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from b2stream.errors import Retryable

COMMIT_S = 10.0
HANGS_FOR_GOOD_S = 20.0


@dataclass(frozen=True, slots=True)
class _Unanswered:
    consumer: Consumer
    answer: "Future[Any]"
    since_s: float = field(default_factory=time.monotonic)


class Commits:
    """The commits of one reader, one at a time; its consumer may be replaced by another one."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._unanswered: _Unanswered | None = None

    def commit(self, consumer: Consumer, asked: list[TopicPartition]) -> list[TopicPartition] | None:
        """What the broker says to these offsets. Raises KafkaException, and Retryable where nothing is said in time."""
        if self.is_waiting(consumer):
            raise Retryable(f"Kafka: an earlier commit of offsets of {self._topic} is not answered yet")
        self._unanswered = None
        answer = Future[Any]()

        def commit() -> None:
            try:
                answer.set_result(consumer.commit(offsets=asked, asynchronous=False))
            except Exception as error:
                answer.set_exception(error)

        threading.Thread(target=commit, name="committing", daemon=True).start()
        try:
            taken: list[TopicPartition] | None = answer.result(COMMIT_S)
        except TimeoutError as error:
            self._unanswered = _Unanswered(consumer, answer)
            raise Retryable(f"Kafka: no answer to offsets of {self._topic} in {COMMIT_S:.0f} s") from error
        return taken

    def hang_for_good(self, consumer: Consumer) -> bool:
        """Whether a commit of this consumer has been waiting for so long that it will not come back."""
        if self._unanswered is None or not self.is_waiting(consumer):
            return False
        return time.monotonic() - self._unanswered.since_s > HANGS_FOR_GOOD_S

    def is_waiting(self, consumer: Consumer) -> bool:
        """Whether a commit of this consumer is not answered yet."""
        waiting = self._unanswered
        return waiting is not None and waiting.consumer is consumer and not waiting.answer.done()
