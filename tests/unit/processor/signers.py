"""Stations that sign: their keys, their descriptions, and their batches as a gateway with that key would send them."""

import base64
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2stream.batches.signing import public_key_of, sign
from b2stream.contracts import schemas
from b2stream.contracts.envelopes import close_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import StationDescription, StationKey, key_id
from tests.unit.processor.stations import Sent, StationBatch


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
