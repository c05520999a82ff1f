"""What the registrar reads and writes: commit and replica events in; further locations and dead letters out."""

from collections.abc import Mapping

from b2stream.contracts import schemas
from b2stream.contracts.envelopes import event_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchCommitted, BatchReplicated, FurtherLocation
from b2stream.contracts.topics import COMMITS, DEAD_LETTERS, EVENTS, REPLICAS
from b2stream.errors import Poison
from b2stream.work.outgoing import Outgoing, letter_of

SOURCE = "registrar"


class Events:
    """Reads and writes the events of one community. `topic_ids` are Kafka's ids of the topics that are read, by full name."""

    def __init__(self, community: str, partitions: int, topic_ids: Mapping[str, str], framing: Framing) -> None:
        self._replicas_topic = REPLICAS.full_name(community)
        self._events_topic = EVENTS.full_name(community)
        self._letters_topic = DEAD_LETTERS.full_name(community)
        self._partitions = partitions
        self._topic_ids = topic_ids
        self._framing = framing

    def read(self, message: LogMessage) -> BatchCommitted | BatchReplicated:
        """The event in a message. Raises Poison; Retryable where the schema registry does not answer."""
        framed = self._framing.unframe(message.value)
        kind = BatchReplicated if message.topic == self._replicas_topic else BatchCommitted
        return kind.from_framed(framed)

    def further_location(self, replica: BatchReplicated, pid: str, registered_url: str) -> Outgoing:
        """Its id is `<pid>/<batch>`, so telling it twice is telling it once."""
        commit = replica.commit
        event = FurtherLocation(
            pid=pid,
            sha256=commit.sha256,
            registered_url=registered_url,
            batch=commit.batch,
            station=commit.station,
            series=commit.series,
            centre=commit.centre,
            url=commit.url,
            replica_centre=replica.centre,
            replica_url=replica.url,
        )
        return Outgoing(
            self._events_topic,
            partition_of(commit.station, self._partitions),
            commit.station.encode(),
            self._framing.frame(schemas.current(FurtherLocation.SCHEMA), event.to_body()),
            event_headers(
                FurtherLocation.SCHEMA,
                f"{pid}/{commit.batch}",
                f"{commit.station}/{commit.series}",
                source=SOURCE,
            ),
        )

    def letter(self, message: LogMessage, why: Poison) -> Outgoing:
        """The dead letter of an event."""
        return letter_of(
            message,
            why,
            topic_id=self._topic_ids[message.topic],
            letters_topic=self._letters_topic,
            partitions=self._partitions,
            source=SOURCE,
        )


def topics_read(community: str) -> list[str]:
    """Full names of the topics that the registrar reads."""
    return [COMMITS.full_name(community), REPLICAS.full_name(community)]
