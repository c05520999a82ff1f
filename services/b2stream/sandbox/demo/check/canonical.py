"""Canonical JSON (RFC 8785) once more, written for this check alone, and the digests that are made of it."""

import base64
import hashlib
import json
from decimal import Decimal
from typing import Any

SIGNED_PREFIX = b"b2stream close 1\n"  # what a station signs begins so
LARGEST_WHOLE_NUMBER = 2**53


def canonical(value: Any) -> str:
    """A JSON value as RFC 8785 writes it. Raises ValueError for what has no canonical form."""
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > LARGEST_WHOLE_NUMBER:
            raise ValueError(f"{value} is beyond 2**53")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))  # section 3.2.3: by UTF-16 code units
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in keys) + "}"
    raise ValueError(f"{type(value).__name__} is no JSON")


def _number(value: float) -> str:
    """As ECMAScript writes a number (ECMA-262, Number::toString), from the shortest digits that Python finds."""
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{value} is no JSON")
    if value == 0:
        return "0"
    sign, all_digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    digits = "".join(map(str, all_digits)).lstrip("0")
    point = len(digits) + exponent  # the decimal point stands after so many digits
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        text = digits + "0" * (point - count)
    elif 0 < point <= 21:
        text = digits[:point] + "." + digits[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        fraction = "." + digits[1:] if count > 1 else ""
        text = f"{digits[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return "-" + text if sign else text


def batch_id(station: str, series: str, name: str, raw_sha256: str) -> str:
    """Identity of a batch: SHA-256 of these four as a canonical array, hexadecimal."""
    return hashlib.sha256(canonical([station, series, name, raw_sha256]).encode()).hexdigest()


def close_digest(close: dict[str, Any]) -> str:
    """SHA-256 of the bytes that the station signs, hexadecimal: the next close of its series names it."""
    return hashlib.sha256(SIGNED_PREFIX + canonical(close).encode()).hexdigest()


def id24(sha256: str) -> str:
    """First 24 characters of the digest in base64url."""
    return base64.urlsafe_b64encode(bytes.fromhex(sha256))[:24].decode()


def irods_checksum(sha256: str) -> str:
    """A hexadecimal digest as iRODS writes it."""
    return "sha2:" + base64.b64encode(bytes.fromhex(sha256)).decode()
