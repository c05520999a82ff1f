"""Who a batch is: batch id and id24. Content decides, so a station can compute both before it sends a byte."""

import base64
import hashlib

from b2stream.contracts.canonical import canonical_sha256

ID24_CHARACTERS = 24


def batch_id(station: str, series: str, name: str, raw_sha256: str) -> str:
    """SHA-256 of [station, series, name, raw_sha256] as an RFC 8785 array, hexadecimal; `name` is stem and extension.

    Start, cuts, decoding and attempt are attributes: two attempts that differ in them are the same batch.
    """
    return canonical_sha256([station, series, name, raw_sha256])


def id24(raw_sha256: str) -> str:
    """First 24 characters of base64url(SHA-256 of the data object): the Carbon Portal's rule for PID suffixes."""
    return base64.urlsafe_b64encode(bytes.fromhex(raw_sha256)).decode("ascii")[:ID24_CHARACTERS]


def irods_checksum(sha256: str) -> str:
    """A hexadecimal SHA-256 as iRODS and EUDAT/CHECKSUM write it: `sha2:` and standard base64."""
    return "sha2:" + base64.b64encode(bytes.fromhex(sha256)).decode("ascii")


def sha256_hex(data: bytes | memoryview) -> str:
    """SHA-256 of some bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()
