"""What a gateway asks the Kafka cluster: whether the topics are as the contract says, and what became of its closes."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from b2stream.contracts import topics
from b2stream.contracts.partitions import partition_of
from b2stream.kafka import Brokers, Consumer
from b2stream.kafka.admin import Admin
from b2stream.kafka.agreement import agreed_topic
from b2stream.kafka.errors import known_topic
from b2stream.programs.gateway.receipts import TOPICS
from b2stream.settings import Settings

CLIENT_ID = "b2stream-gateway"
KNOWN_FOR_S = 30.0


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The station's partition of the measurements topic; `processed_to` is the processors' committed offset, None without one."""

    topic_id: str
    start: int
    end: int
    processed_to: int | None


class Cluster:
    """The cluster as one station's gateway sees it. Every call raises Retryable where nobody answers.

    `check` is asked before the gateway begins; from then on its topics are known to be there, and a broker that does not know one for a
    moment, as after a restart, is Retryable, too.
    """

    def __init__(
        self, settings: Settings, admin: Callable[[Brokers], Admin] = lambda servers: Admin(servers, CLIENT_ID)
    ):
        self._settings = settings
        self._admin = admin(settings.kafka)
        self.topic = topics.MEASUREMENTS.full_name(settings.general.community)
        self.partition = partition_of(settings.gateway.station, settings.kafka.partitions)
        self._known: str | None = None
        self._known_at = 0.0

    def check(self, *, with_receipts: bool) -> None:
        """Raise ConfigurationError where a topic that this gateway needs is missing or differs from the contract."""
        for topic in (topics.MEASUREMENTS, *(TOPICS if with_receipts else ())):
            name = topic.full_name(self._settings.general.community)
            agreed_topic(self._admin, name, self._settings.kafka.partitions)

    def topic_id(self, name: str) -> str:
        """Kafka's id of a topic: another one of the same name has another id."""
        with known_topic():
            return self._admin.topic(name).topic_id

    def measurements_id(self) -> str:
        """Id of the measurements topic, asked now and then. An old one for a close is no harm: it is sent once more then."""
        if self._known is None or time.monotonic() - self._known_at > KNOWN_FOR_S:
            self._known, self._known_at = self.topic_id(self.topic), time.monotonic()
        return self._known

    def facts(self) -> LogFacts:
        """What became of the log. Raises ConfigurationError where the topic is not as agreed by now."""
        count = self._settings.kafka.partitions
        with known_topic():
            found = agreed_topic(self._admin, self.topic, count)
            held = self._admin.ranges(self.topic, count)[self.partition]
            group = f"{self._settings.processor.group}-{found.topic_id}"
            processed_to = self._admin.committed(group, self.topic, count).get(self.partition)
        return LogFacts(found.topic_id, held.start, held.end, processed_to)

    def consumer(self, topic: str, offset: int | None) -> Consumer:
        """Reads the station's partition of a topic from an offset, or from its beginning."""
        return Consumer(
            self._settings.kafka,
            topic,
            client_id=CLIENT_ID,
            partitions=[self.partition],
            offsets=None if offset is None else {self.partition: offset},
            buffer_bytes=2 << 20,
        )
