"""What the replicator reads and writes: a commit event in; a replica event or a dead letter out."""

from dataclasses import dataclass

from b2stream import __version__
from b2stream.contracts import schemas
from b2stream.contracts.envelopes import Headers, event_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.letters import Letter, letter_headers
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchCommitted, BatchReplicated
from b2stream.contracts.topics import COMMITS, DEAD_LETTERS, REPLICAS
from b2stream.errors import Poison

SOFTWARE = f"b2stream-replicator {__version__}"


@dataclass(frozen=True, slots=True)
class Message:
    """A message to be published."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers


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

    def replicated(self, commit: BatchCommitted, centre: str, url: str, replicated_at_us: int) -> Message:
        """The replica event: its id is `<batch>/<centre>`, so announcing twice is announcing once."""
        event = BatchReplicated(
            commit=commit, centre=centre, url=url, replicated_at_us=replicated_at_us, software=SOFTWARE
        )
        return Message(
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

    def letter(self, message: LogMessage, why: Poison) -> Message:
        """The dead letter of a commit event.

        It names neither batch nor attempt in its headers: a gateway must not take it for a refusal of a batch that is
        committed, and the commit event must not count as the letter's cure. The value is the whole event.
        """
        station = (message.key or b"").decode("utf-8", "replace")
        letter = Letter(
            topic_id=self._topic_id,
            partition=message.partition,
            offset=message.offset,
            station=station,
            reason=why.reason,
            detail=why.detail,
            poison=True,
        )
        return Message(
            self._letters_topic,
            partition_of(station, self._partitions),
            message.key or b"",
            message.value or b"",
            letter_headers(letter, source="replicator"),
        )
