"""Who may close a batch: Ed25519 (RFC 8032) over the close's signed bytes, with a key that its station has at the broker's append time.

The decision is a function of the log and of the descriptions of stations; no clock takes part. The signed bytes are
`BatchClosed.signed_bytes`; the manifest holds the same JSON as its member `close`, and the signature beside it.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from b2stream.contracts.canonical import iso_utc
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import StationDescription, StationKey, key_id, public_bytes
from b2stream.errors import Poison


class UnknownKey(Poison):
    """No station has the key that signed this batch: register it, and the station sends the batch again by itself."""

    reason = "unknown_key"


def public_key_of(private: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of the public key."""
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def sign(close: BatchClosed, private: Ed25519PrivateKey) -> BatchClosed:
    """The close with the key's id and its signature. The id is signed, too."""
    named = replace(close, key=key_id(public_key_of(private)), signature=None)
    return replace(named, signature=base64.b64encode(private.sign(named.signed_bytes())).decode())


def check_origin(
    close: BatchClosed, closed_at_us: int, stations: Mapping[str, StationDescription], *, accept_unsigned: bool
) -> None:
    """Whether the station itself wrote this close. Raises Poison with a reason code, UnknownKey where nobody has its key (yet).

    `closed_at_us` is the broker's append time of the close. `accept_unsigned` is about stations without any key.
    """
    description = stations.get(close.station)
    if (description is None or not description.keys) and accept_unsigned:
        return
    if close.signature is None or close.key is None:
        if description is None or not description.keys:
            detail = f"station {close.station} has no key, and processor.unsigned is `refuse`"
            raise Poison(detail, reason="station_without_key")
        raise Poison(f"station {close.station} has keys, and this close is not signed", reason="signature_missing")
    key = description.key(close.key) if description is not None else None
    if key is None:
        owner = next((other.station for other in stations.values() if other.key(close.key)), None)
        if owner is not None:
            detail = f"key {close.key} is of {owner}, the close is of {close.station}"
            raise Poison(detail, reason="key_of_another_station")
        raise UnknownKey(f"key {close.key:.100}, station {close.station}")
    if not is_signed_by(close, key):
        detail = f"the signature is not that of key {key.id} of {close.station} over this close"
        raise Poison(detail, reason="signature_wrong")
    if not key.holds_at(closed_at_us):
        detail = f"key {key.id} holds from {key.period()}, the close came at {iso_utc(closed_at_us)}"
        raise Poison(detail, reason="key_expired" if closed_at_us >= key.valid_from_us else "key_not_valid_yet")


def is_signed_by(close: BatchClosed, key: StationKey) -> bool:
    """Whether the signature is this key's over the close, whatever the time."""
    public, signature = public_bytes(key.public), _signature_bytes(close.signature)
    if public is None or signature is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, close.signed_bytes())
    except (InvalidSignature, ValueError):  # ValueError: 32 bytes that are no point of the curve
        return False
    return True


def _signature_bytes(text: str | None) -> bytes | None:
    """The signature's bytes. One way to write them is right, else a manifest could be written in several."""
    try:
        found = base64.b64decode(text or "", validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if found and base64.b64encode(found).decode() == text else None
