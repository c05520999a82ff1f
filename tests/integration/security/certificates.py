"""Certificates made for one test: a CA, and what it signs; all of them PEM, with EC keys."""

import datetime
import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NOW = datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: str
    key: str


class Authority:
    """A CA that lives as long as the test."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        basic = x509.BasicConstraints(ca=True, path_length=None)
        signed = _certificate(self._name, self._name, self._key).add_extension(basic, critical=True)
        self.certificate = _pem(signed.sign(self._key, hashes.SHA256()))

    def server(self, address: str = "127.0.0.1") -> Pair:
        """For a server at an IP address."""
        return self._pair("server", x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]))

    def client(self, name: str) -> Pair:
        """For a client."""
        return self._pair(name, x509.SubjectAlternativeName([x509.DNSName(name)]))

    def _pair(self, name: str, alternative: x509.SubjectAlternativeName) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        wanted = _certificate(_named(name), self._name, key).add_extension(alternative, critical=False)
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Pair(_pem(wanted.sign(self._key, hashes.SHA256())), text.decode("ascii"))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOW - datetime.timedelta(days=1))
        .not_valid_after(_NOW + datetime.timedelta(days=1))
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
