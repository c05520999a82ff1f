"""Descriptions signed by whoever reviews them: where `general.reviewer_keys` is set, to be allowed to write to the topic of stations
is not enough to be believed.

The signature travels in headers, as CloudEvents extension attributes: `ce_time` when it was signed, `ce_key` the id of the
reviewer's key, `ce_signature` Ed25519 over `SIGNED_PREFIX`, that time, the fingerprint of the schema, and the record's body. So it
holds whatever frames the body, and a release that does not know the schema's newest field can check it all the same.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from b2stream.batches.signing import public_key_of
from b2stream.contracts.canonical import from_iso_utc, iso_utc
from b2stream.contracts.envelopes import Headers
from b2stream.contracts.framing import Framed
from b2stream.contracts.stations import key_id, public_bytes
from b2stream.errors import ConfigurationError, Poison
from b2stream.settings import Settings

SIGNED_PREFIX = b"b2stream description 1\n"
TIME, KEY, SIGNATURE = "ce_time", "ce_key", "ce_signature"


class NotReviewed(Poison):
    """No reviewer named in general.reviewer_keys signed this description: publish it with `b2stream station publish --sign-with`."""

    reason = "not_reviewed"


def signature_headers(fingerprint: str, body: bytes, private: Ed25519PrivateKey, at_us: int) -> Headers:
    """What a reviewer adds to the headers of a description. `at_us`: microseconds since 1970, never before an earlier signature."""
    at = iso_utc(at_us).encode()
    signature = private.sign(_signed(at, fingerprint, body))
    return [
        (TIME, at),
        (KEY, key_id(public_key_of(private)).encode()),
        (SIGNATURE, base64.b64encode(signature)),
    ]


class Reviewers:
    """The public keys of those who review, as base64. Raises ConfigurationError for a text that is none."""

    @classmethod
    def of(cls, settings: Settings) -> "Reviewers | None":
        """Those whose signature a description needs, None where it needs none."""
        keys = settings.general.reviewer_keys.split()
        return cls(keys) if keys else None

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys: dict[str, bytes] = {}
        for text in keys:
            public = public_bytes(text)
            if public is None:
                raise ConfigurationError(
                    f"general.reviewer_keys: {text:.60}: not 32 bytes in base64; `b2stream station keygen` prints it"
                )
            self._keys[key_id(public)] = public

    def has(self, private: Ed25519PrivateKey) -> bool:
        """Whether this is one of their keys."""
        return key_id(public_key_of(private)) in self._keys

    def signed_at_us(self, headers: Mapping[str, bytes], framed: Framed) -> int:
        """When one of them signed it, microseconds since 1970. Raises NotReviewed."""
        signature, key, at = (headers.get(name) for name in (SIGNATURE, KEY, TIME))
        if signature is None or key is None or at is None:
            raise NotReviewed("it is not signed by whoever reviews descriptions")
        public = self._keys.get(key.decode("latin-1"))
        if public is None:
            raise NotReviewed(f"key {key[:100]!r} is not in general.reviewer_keys")
        try:
            signed = _signed(at, framed.schema.fingerprint, bytes(framed.body))
            Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(signature, validate=True), signed)
            return from_iso_utc(at.decode("ascii"))
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise NotReviewed(f"the signature is not that of key {key.decode('latin-1')} over it") from error


def _signed(at: bytes, fingerprint: str, body: bytes) -> bytes:
    return SIGNED_PREFIX + at + b"\n" + fingerprint.encode() + b"\n" + body
