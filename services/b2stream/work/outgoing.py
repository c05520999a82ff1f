"""A message on its way to Kafka, and the dead letter of an event."""

from dataclasses import dataclass

from b2stream.contracts.envelopes import Headers
from b2stream.contracts.letters import Letter, letter_headers
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.partitions import partition_of
from b2stream.errors import Poison


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be published."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers


def letter_of(
    message: LogMessage, why: Poison, *, topic_id: str, letters_topic: str, partitions: int, source: str
) -> Outgoing:
    """The dead letter of an event; `topic_id` is Kafka's id of the topic that it was read from.

    It names neither batch nor attempt in its headers: a gateway must not take it for a refusal of a batch that is
    committed, and the commit event must not count as the letter's cure. The value is the whole event.
    """
    station = (message.key or b"").decode("utf-8", "replace")
    letter = Letter(
        topic_id=topic_id,
        partition=message.partition,
        offset=message.offset,
        station=station,
        reason=why.reason,
        detail=why.detail,
        poison=True,
    )
    return Outgoing(
        letters_topic,
        partition_of(station, partitions),
        message.key or b"",
        message.value or b"",
        letter_headers(letter, source=source),
    )
