"""Stations that sign: their keys, their descriptions, their batches as a gateway with that key would send them; and forgeries of
these, by someone who may write to the topic and has no key of the station."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2stream.batches.signing import public_key_of, sign
from b2stream.contracts import schemas
from b2stream.contracts.envelopes import close_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import StationDescription, StationKey, key_id
from tests.unit.processor.stations import Sent, StationBatch, attempt_name


@dataclass(frozen=True)
class Signer:
    """One key of a station; equal numbers are equal keys."""

    number: int

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes([self.number]) * 32)

    def key(self, valid_from_us: int = 0, valid_until_us: int | None = None) -> StationKey:
        """The public key as its station's description has it."""
        public = public_key_of(self.private)
        return StationKey(key_id(public), base64.b64encode(public).decode(), valid_from_us, valid_until_us)

    def record(self, batch: StationBatch, attempt: str) -> BatchClosed:
        """The close of a batch, signed."""
        return sign(batch.record(attempt), self.private)

    def close(self, batch: StationBatch, attempt: str) -> Sent:
        """The same as a message."""
        return as_message(self.record(batch, attempt))

    def sent(self, batch: StationBatch, attempt: str) -> list[Sent]:
        """A whole attempt."""
        return [*batch.blocks(attempt), self.close(batch, attempt)]


def as_message(close: BatchClosed, *, key: str = "", attempt: str = "") -> Sent:
    """A close as a message; `key` and `attempt` are what the message says instead of the close."""
    value = Framing().frame(schemas.current("BatchClosed"), close.to_body())
    headers = close_headers(key or close.station, close.series, attempt or close.attempt)
    return Sent((key or close.station).encode(), value, headers)


def described(station: str, *keys: StationKey, **more: Any) -> StationDescription:
    """A station with these keys."""
    return StationDescription(station=station, name=station, theme="ecosystem", keys=keys, **more)


OURS, THEIRS, NEW = Signer(1), Signer(2), Signer(3)
"""Of the station whose batches are forged, of another station, and one that nobody has published yet."""


def other_rows(batch: StationBatch, attempt: str) -> list[Sent]:
    """The same file, other rows: its bytes are true, so batch id, path and data object would all be the genuine ones."""
    forged, genuine = replace(batch, rows_per_block=batch.rows_per_block + 1), OURS.record(batch, attempt)
    close = forged.record(attempt)
    assert close.raw_sha256 == genuine.raw_sha256
    assert close.content_digest != genuine.content_digest
    return [*forged.blocks(attempt), as_message(replace(close, key=genuine.key, signature=genuine.signature))]


def other_units(batch: StationBatch, attempt: str) -> list[Sent]:
    """Other units in the blocks, under the station's own close."""
    blocks = [replace(each, value=each.value.replace(b"umol mol-1", b"mmol mol-1")) for each in batch.blocks(attempt)]
    assert blocks != batch.blocks(attempt)
    return [*blocks, OURS.close(batch, attempt)]


def altered(**changes: Any) -> Callable[[StationBatch, str], list[Sent]]:
    """The station's own blocks and signature, and a close that says something else."""
    return lambda batch, attempt: [
        *batch.blocks(attempt),
        as_message(replace(OURS.record(batch, attempt), **changes)),
    ]


def replayed(batch: StationBatch, attempt: str) -> list[Sent]:
    """A close that the station signed for another attempt."""
    genuine = OURS.record(batch, attempt_name(2**64))
    return [*batch.blocks(attempt), as_message(replace(genuine, attempt=attempt))]


def under_our_key(batch: StationBatch, attempt: str) -> list[Sent]:
    """Signed by another station, which names the key of this one."""
    close = THEIRS.record(batch, attempt)
    return [*batch.blocks(attempt), as_message(replace(close, key=OURS.key().id))]


FORGED: dict[str, tuple[Callable[[StationBatch, str], list[Sent]], str]] = {
    "not signed": (StationBatch.sent, "signature_missing"),
    "other rows with the same raw bytes": (other_rows, "signature_wrong"),
    "other name": (altered(stem="other", name="other.csv"), "signature_wrong"),
    "other path": (altered(start_us=None, stop_us=None), "signature_wrong"),
    "replayed under another attempt": (replayed, "signature_wrong"),
    "replayed as a correction": (altered(series_number=99), "signature_wrong"),
    "closed by another station": (THEIRS.sent, "key_of_another_station"),
    "closed by another station under this one's key": (under_our_key, "signature_wrong"),
}
"""How to forge a batch of OURS, and the reason code of its letter."""
