"""Canonical JSON (RFC 8785), digests of it, and how instants are written.

Whole numbers stay below 2**53, as RFC 8785 section 3.2.2.3 wants; instants are written as text.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import rfc8785

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST_US = -62_135_510_400_000_000
"""0001-01-02: a window of up to a day around it still begins in a year that can be written."""
LATEST_US = 253_402_214_400_000_000
"""9999-12-31."""
MOST_WHOLE = 2**53 - 1
"""The largest whole number that every JSON reader keeps exactly."""


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value."""
    return rfc8785.dumps(value)


def canonical_sha256(value: Any) -> str:
    """SHA-256 of a JSON value's RFC 8785 bytes, hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def iso_utc(instant_us: int) -> str:
    """ISO 8601 in UTC with microseconds and `Z`, from microseconds since 1970."""
    # Not strftime: its %Y has no leading zeros before the year 1000 with glibc, and then cannot be read back.
    return (_EPOCH + timedelta(microseconds=instant_us)).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def from_iso_utc(text: str) -> int:
    """Microseconds since 1970, from what `iso_utc` writes."""
    return (datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
