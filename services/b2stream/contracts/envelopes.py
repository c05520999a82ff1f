"""The headers of a message: CloudEvents 1.0 in binary mode (Kafka protocol binding), with deterministic ids.

A block's id is `<attempt>/<sequence>`, a close's `<attempt>/close`, a commit event's the batch id, a replica event's
`<batch>/<centre>`, a dead letter's `<topic id>/<partition>/<offset>`: sending one twice is one. `attempt` and `sequence` are
extension attributes; they are transport, not data.
"""

from dataclasses import dataclass

from b2stream.errors import Poison

Headers = list[tuple[str, bytes]]

_ATTEMPT = "ce_attempt"
_SEQUENCE = "ce_sequence"
MOST_BLOCKS = 1 << 31


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a message on the measurements topic says of itself. `sequence` is None for a close or an abandonment."""

    type: str
    attempt: str
    sequence: int | None


def block_headers(station: str, series: str, attempt: str, sequence: int) -> Headers:
    """Headers of a block."""
    headers = event_headers("MeasurementBlock", f"{attempt}/{sequence}", f"{station}/{series}", source=station)
    return [*headers, (_ATTEMPT, attempt.encode()), (_SEQUENCE, str(sequence).encode())]


def close_headers(station: str, series: str, attempt: str) -> Headers:
    """Headers of a close."""
    headers = event_headers("BatchClosed", f"{attempt}/close", f"{station}/{series}", source=station)
    return [*headers, (_ATTEMPT, attempt.encode())]


def abandonment_headers(station: str, attempt: str, last_offset: int) -> Headers:
    """Headers of an abandonment."""
    headers = event_headers("BatchAbandoned", f"{attempt}/abandoned/{last_offset}", station, source="processor")
    return [*headers, (_ATTEMPT, attempt.encode())]


def event_headers(record: str, identity: str, subject: str, *, source: str) -> Headers:
    """CloudEvents headers; `record` is the schema's name, `subject` says what it is about."""
    return [
        ("content-type", b"application/avro"),
        ("ce_specversion", b"1.0"),
        ("ce_id", identity.encode()),
        ("ce_source", f"b2stream/{source}".encode()),
        ("ce_type", f"b2stream.{record}".encode()),
        ("ce_subject", subject.encode()),
    ]


def read_envelope(headers: Headers | None) -> Envelope:
    """The envelope of a message on the measurements topic. Raises Poison (reason `bad_headers`)."""
    found = dict(headers or ())
    try:
        kind = found["ce_type"].decode().removeprefix("b2stream.")
        attempt = found[_ATTEMPT].decode("ascii")
        sequence = _whole(found[_SEQUENCE]) if kind == "MeasurementBlock" else None
    except (KeyError, ValueError) as error:
        raise Poison(f"{error!r}", reason="bad_headers") from error
    if not is_attempt(attempt):
        raise Poison(f"attempt {attempt!r}", reason="bad_headers")
    if sequence is not None and not 0 <= sequence < MOST_BLOCKS:
        raise Poison(f"sequence {sequence}", reason="bad_headers")
    return Envelope(kind, attempt, sequence)


def _whole(digits: bytes) -> int:
    """Plain decimal digits only: int() would also take `+1`, ` 1` and `1_0`."""
    if not digits.isdigit():
        raise ValueError(f"sequence {digits[:40]!r}")
    return int(digits)


def is_attempt(text: str) -> bool:
    """Whether a text can be an attempt: 32 hexadecimal digits. It names files in spool and staging root, so nothing else may pass."""
    return len(text) == 32 and all(digit in "0123456789abcdef" for digit in text)
