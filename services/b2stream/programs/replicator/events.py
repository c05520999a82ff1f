"""What the replicator reads and writes: a commit event in; a replica event or a dead letter out."""

from b2stream.contracts import schemas
from b2stream.contracts.envelopes import event_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchCommitted, BatchReplicated
from b2stream.contracts.topics import COMMITS, DEAD_LETTERS, REPLICAS
from b2stream.errors import Poison
from b2stream.software import software, who_runs_this
from b2stream.work.outgoing import Outgoing, letter_of

NAME = "b2stream-replicator"


class Events:
    """Reads and writes the events of one community. `commits_topic_id` is Kafka's id of the topic that is read."""

    def __init__(self, community: str, partitions: int, commits_topic_id: str, framing: Framing) -> None:
        self.commits_topic = COMMITS.full_name(community)
        self._replicas_topic = REPLICAS.full_name(community)
        self._letters_topic = DEAD_LETTERS.full_name(community)
        self._partitions = partitions
        self._topic_id = commits_topic_id
        self._framing = framing

    def commit(self, message: LogMessage) -> BatchCommitted:
        """The commit event in a message. Raises Poison; Retryable where the schema registry does not answer."""
        return BatchCommitted.from_framed(self._framing.unframe(message.value))

    def replicated(self, commit: BatchCommitted, centre: str, url: str, replicated_at_us: int) -> Outgoing:
        """The replica event: its id is `<batch>/<centre>`, so announcing twice is announcing once."""
        event = BatchReplicated(
            commit=commit,
            centre=centre,
            url=url,
            replicated_at_us=replicated_at_us,
            software=software(NAME),
            who=who_runs_this(),
        )
        return Outgoing(
            self._replicas_topic,
            partition_of(commit.station, self._partitions),
            commit.station.encode(),
            self._framing.frame(schemas.current(BatchReplicated.SCHEMA), event.to_body()),
            event_headers(
                BatchReplicated.SCHEMA,
                f"{commit.batch}/{centre}",
                f"{commit.station}/{commit.series}",
                source="replicator",
            ),
        )

    def letter(self, message: LogMessage, why: Poison) -> Outgoing:
        """The dead letter of a commit event."""
        return letter_of(
            message,
            why,
            topic_id=self._topic_id,
            letters_topic=self._letters_topic,
            partitions=self._partitions,
            source="replicator",
        )
