"""The Handle server's RSA key in its own file formats, and a certificate of the same key for TLS.

The server could make a certificate by itself, but one without the addresses that a client verifies.
"""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from b2stream.sandbox.ports import LOOPBACK

_UNENCRYPTED = (1).to_bytes(4, "big")
_VALID_DAYS = 3_650


@dataclass(frozen=True)
class ServerKey:
    """`privkey.bin`, `pubkey.bin` and `serverCertificate.pem`."""

    private: bytes
    public: bytes
    certificate: bytes


def new_server_key() -> ServerKey:
    """A new key of 2048 bits and its self-signed certificate for localhost and 127.0.0.1."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    numbers = key.private_numbers()
    public = numbers.public_numbers
    parts = (public.n, public.e, numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    return ServerKey(
        private=_UNENCRYPTED + _sized(b"RSA_PRIVCRT_KEY") + b"".join(_number(part) for part in parts),
        public=_sized(b"RSA_PUB_KEY") + bytes(2) + _number(public.e) + _number(public.n),
        certificate=_certificate(key),
    )


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _number(number: int) -> bytes:
    """As Java's BigInteger gives its bytes: big-endian, with a sign bit."""
    return _sized(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _certificate(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "b2stream sandbox")])
    here = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(here), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)
