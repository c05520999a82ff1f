"""Whether each station itself closed its batches: the signature in a manifest over that manifest's own text, with the station's public
key of the time when Kafka had the close."""

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .canonical import SIGNED_PREFIX, canonical
from .centres import Found
from .findings import Findings
from .ours import EVERYTHING, Ours
from .plan import Key

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_signatures(
    first: Found,
    repeats: list[dict[str, Any]],
    keys: dict[str, list[Key]],
    findings: Findings,
    ours: Ours = EVERYTHING,
) -> None:
    """Every batch of a station that has a key, and every close that repeats a batch."""
    for batch in first.batches.values():
        if batch.station in keys and ours.closed(first, batch):
            signed = _verbatim_close(first.objects[batch.manifest_path].content)
            closed_us = _instant_us(batch.document["log"]["closed_at"])
            wrong = _wrong(signed, batch.document["signature"], batch.close["key"], keys[batch.station], closed_us)
            _note(wrong, first.file_of(batch.path), findings)
    for repeat in repeats:
        if repeat["station"] in keys:
            close = json.loads(repeat["close"])
            signature = close.pop("signature")
            wrong = _wrong(canonical(close).encode(), signature, close["key"], keys[repeat["station"]], None)
            _note(wrong, {"station": repeat["station"], "path": f"close of number {close['series_number']}"}, findings)


def _note(wrong: str | None, place: dict[str, str], findings: Findings) -> None:
    if wrong is None:
        findings.count("I9", "signatures that hold")
    elif wrong:
        findings.add("I9", wrong, **place)


def _verbatim_close(manifest: bytes) -> bytes:
    """The member `close` exactly as it stands in a manifest."""
    text = manifest.decode()
    begin = text.index('"close":') + len('"close":')  # before it stands the batch id alone
    _, end = json.JSONDecoder().raw_decode(text, begin)
    return text[begin:end].encode()


def _wrong(signed: bytes, signature: str | None, key_id: str | None, keys: list[Key], at_us: int | None) -> str | None:
    """What is wrong with a signature; None where it holds, empty where the station had no key yet."""
    if signature is None or key_id is None:
        had_none = at_us is not None and all(at_us < key.valid_from_us for key in keys)
        return "" if had_none else "the close is not signed, and its station has a key"
    key = next((one for one in keys if one.id == key_id), None)
    if key is None:
        return f"it is signed with {key_id}, which is no key of its station"
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(key.public)).verify(
            base64.b64decode(signature, validate=True), SIGNED_PREFIX + signed
        )
    except (InvalidSignature, binascii.Error, ValueError):
        return f"the signature is not that of key {key_id} over this close"
    if at_us is not None and not (
        key.valid_from_us <= at_us and (key.valid_until_us is None or at_us < key.valid_until_us)
    ):
        return f"key {key_id} did not hold when the close came"
    return None


def _instant_us(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)
