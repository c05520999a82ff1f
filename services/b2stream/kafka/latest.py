"""Reading a compacted topic: all of it, and then what comes."""

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Consumer as _Consumer

from b2stream.contracts.messages import LogMessage
from b2stream.errors import Retryable
from b2stream.kafka.errors import translated
from b2stream.kafka.reading import log_message, read_again
from b2stream.kafka.security import Brokers
from b2stream.kafka.settings import client_settings

_ANSWER_S = 10.0
_BUFFER_BYTES = 2 << 20


class LatestReader:
    """Reads every partition of a compacted topic, or the one given, from its beginning, without a group.

    Compaction leaves gaps, also right before the end, so no offset tells that the end is reached: Kafka itself says it.
    Raises Retryable where nobody answers, ConfigurationError where there is no such topic.
    """

    def __init__(self, brokers: Brokers, topic: str, client_id: str, partition: int | None = None) -> None:
        more = {
            "group.id": f"{client_id}-without-group",
            "enable.auto.commit": False,
            "check.crcs": True,  # librdkafka's default believes every byte that comes
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 100,  # Kafka tells of an end when it answers a fetch; default 500
            "auto.offset.reset": "earliest",  # a topic that was made anew is read from its own beginning
            "queued.max.messages.kbytes": _BUFFER_BYTES >> 10,
        }
        self._next: dict[int, int] = {}  # by partition, the offset after the last that was given
        self._consumer = _Consumer(client_settings(brokers, client_id, **more))
        try:
            known = self._consumer.list_topics(topic, timeout=_ANSWER_S).topics[topic]
            if known.error is not None:
                raise translated(known.error)
            self._unread = set(known.partitions) if partition is None else {partition}
            self._consumer.assign([TopicPartition(topic, each, OFFSET_BEGINNING) for each in self._unread])
        except KafkaException as error:
            self._consumer.close()
            raise translated(error) from error
        except BaseException:
            self._consumer.close()
            raise

    @property
    def has_read_all(self) -> bool:
        """Whether the end of each partition was reached once."""
        return not self._unread

    def poll(self, timeout_s: float) -> LogMessage | None:
        """The next message, None where none came in time. Raises what a refusal of Kafka means."""
        message = self._consumer.poll(timeout_s)
        if message is None:
            return None
        error = message.error()
        if error is None:
            read = log_message(message)
            self._next[read.partition] = read.offset + 1
            return read
        if error.code() == KafkaError._BAD_MSG:
            read_again(self._consumer, self._next, error)
        elif error.code() == KafkaError._PARTITION_EOF:
            self._unread.discard(message.partition() or 0)
        elif not isinstance(ours := translated(error), Retryable):
            raise ours
        return None

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()
