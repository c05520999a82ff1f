"""The headers of a dead letter; its value is the original value.

Id = (topic id, partition, offset) of the original message, so writing one letter twice is one.
"""

from dataclasses import dataclass

from b2stream.contracts.envelopes import Headers, event_headers

_PREFIX = "b2stream_"
_LONGEST_DETAIL = 2_000
_LONGEST_NAME = 300
"""Characters. A station may be the key of a message that means harm, and the topic allows 64 KiB more than others for all headers."""


@dataclass(frozen=True, slots=True)
class Letter:
    """Why a message is dead. `poison`: it can never succeed, so it is not sent again; else the station may send the batch again."""

    topic_id: str
    partition: int
    offset: int
    station: str
    reason: str
    detail: str
    poison: bool
    attempt: str = ""
    batch: str = ""

    @property
    def identity(self) -> str:
        return f"{self.topic_id}/{self.partition}/{self.offset}"


def letter_headers(letter: Letter, source: str = "processor") -> Headers:
    """Headers of a dead letter; `source` is the program that writes it."""
    station = letter.station[:_LONGEST_NAME]
    headers = event_headers("DeadLetter", letter.identity, station, source=source)
    facts = {
        "topic_id": letter.topic_id,
        "partition": str(letter.partition),
        "offset": str(letter.offset),
        "station": station,
        "reason": letter.reason,
        "detail": letter.detail[:_LONGEST_DETAIL],
        "poison": "true" if letter.poison else "false",
        "attempt": letter.attempt,
        "batch": letter.batch,
    }
    return headers + [(_PREFIX + name, value.encode("utf-8", "replace")) for name, value in facts.items()]


def read_letter(headers: Headers | None) -> Letter | None:
    """The letter that these headers describe, None where they are not a letter's."""
    found = {name.removeprefix(_PREFIX): value for name, value in headers or () if name.startswith(_PREFIX)}
    try:
        facts = {name: value.decode("utf-8", "replace") for name, value in found.items()}
        return Letter(
            topic_id=facts["topic_id"],
            partition=int(facts["partition"]),
            offset=int(facts["offset"]),
            station=facts["station"],
            reason=facts["reason"],
            detail=facts["detail"],
            poison=facts["poison"] == "true",
            attempt=facts["attempt"],
            batch=facts["batch"],
        )
    except (KeyError, ValueError):
        return None
