"""What a message of the measurements topic is: the same answer when it is read first and when it is read once more."""

from dataclasses import dataclass
from functools import lru_cache

from b2stream.batches.manifest import paths_of
from b2stream.batches.paths import LONGEST_NAME_BYTES, is_safe_name
from b2stream.contracts.envelopes import Envelope, read_envelope
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import LONGEST_CLOSE_BYTES, BatchAbandoned, BatchClosed
from b2stream.errors import Poison


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its bytes stay in the message."""

    station: str
    attempt: str
    sequence: int


@dataclass(slots=True)
class Address:
    """Whom a message is from, as far as it says; filled in while it is read, so that a dead letter has what is known."""

    station: str = ""
    attempt: str = ""
    kind: str = ""


def read_message(
    message: LogMessage, framing: Framing, partitions: int, address: Address
) -> Block | BatchClosed | BatchAbandoned:
    """What the message is. Raises Poison where it can become nothing, Retryable where a schema registry does not answer."""
    address.station, home = _station(message.key or b"", partitions)
    if home != message.partition:
        detail = f"station {address.station} does not belong to partition {message.partition}"
        raise Poison(detail, reason="wrong_partition")
    envelope = read_envelope(message.headers)
    address.attempt, address.kind = envelope.attempt, envelope.type
    if envelope.type == "MeasurementBlock":
        assert envelope.sequence is not None
        framing.unframe(message.value)
        return Block(address.station, envelope.attempt, envelope.sequence)
    if envelope.type == "BatchClosed":
        return _close(message, framing, address.station, envelope)
    if envelope.type == "BatchAbandoned":
        abandoned = BatchAbandoned.from_framed(framing.unframe(message.value))
        _same_sender("an abandonment", abandoned.station, abandoned.attempt, address.station, envelope)
        return abandoned
    raise Poison(f"type {envelope.type!r:.100}", reason="unknown_type")


@lru_cache(maxsize=16_384)
def _station(key: bytes, partitions: int) -> tuple[str, int]:
    """The station of a key, and its partition."""
    try:
        station = key.decode()
    except UnicodeDecodeError as error:
        raise Poison(f"key {key!r:.200}", reason="bad_key") from error
    if not is_safe_name(station, LONGEST_NAME_BYTES):
        raise Poison(f"key {station!r:.200} is no station", reason="bad_key")
    return station, partition_of(station, partitions)


def _close(message: LogMessage, framing: Framing, station: str, envelope: Envelope) -> BatchClosed:
    close = BatchClosed.from_framed(framing.unframe(message.value))
    _same_sender("a close", close.station, close.attempt, station, envelope)
    if len(message.value or b"") > LONGEST_CLOSE_BYTES:
        raise Poison(f"a close has more than {LONGEST_CLOSE_BYTES} bytes", reason="bad_close")
    paths_of(close)
    return close


def _same_sender(what: str, station: str, attempt: str, key: str, envelope: Envelope) -> None:
    if (station, attempt) != (key, envelope.attempt):
        detail = f"{what} of {station:.100}, attempt {attempt:.100}, came as {key}, attempt {envelope.attempt}"
        raise Poison(detail, reason="wrong_station")
