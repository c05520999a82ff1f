"""One message of the log, as every edge to Kafka hands it on."""

from dataclasses import dataclass

from b2stream.contracts.envelopes import Headers


@dataclass(frozen=True, slots=True)
class LogMessage:
    """`appended_at_us` is the broker's append time, microseconds since 1970 UTC (Kafka keeps milliseconds)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    appended_at_us: int
