"""Native authentication in the form of iRODS 4.3 and later: two JSON messages, a challenge and its digest."""

import base64
import binascii
import hashlib
import hmac
import secrets
import sqlite3

from b2stream.sandbox.zone.numbers import Code, Refusal
from b2stream.sandbox.zone.people import User, find_user, password_of

# The password takes part in the digest padded with NUL to this length (MAX_PASSWORD_LEN).
PASSWORD_BYTES = 50


class NativeAuthentication:
    """One connection's attempt to say who it is."""

    def __init__(self) -> None:
        self._challenge = ""

    def answer(self, db: sqlite3.Connection, request: dict[str, object]) -> tuple[dict[str, object], User | None]:
        """The answer to one message, and the user once the digest holds.

        Raises CAT_INVALID_USER or CAT_INVALID_AUTHENTICATION.
        """
        if request.get("scheme", "native") != "native":
            raise Refusal(Code.CAT_INVALID_AUTHENTICATION)
        operation = request.get("next_operation")
        if operation == "auth_agent_auth_request":
            self._challenge = secrets.token_hex(32)
            return {**request, "request_result": self._challenge}, None
        if operation != "auth_agent_auth_response" or not self._challenge:
            raise Refusal(Code.SYS_INVALID_INPUT_PARAM)
        user = find_user(db, str(request.get("user_name")), str(request.get("zone_name")))
        if user is None:
            raise Refusal(Code.CAT_INVALID_USER)
        if not hmac.compare_digest(digest(self._challenge, password_of(db, user)), _given(request)):
            raise Refusal(Code.CAT_INVALID_AUTHENTICATION)
        return dict(request), user


def digest(challenge: str, password: str) -> bytes:
    """What a client that knows the password answers to the challenge."""
    padded = password.encode()[:PASSWORD_BYTES].ljust(PASSWORD_BYTES, b"\0")
    # MD5 is what the protocol prescribes; the zone is reachable from this machine only.
    return hashlib.md5(challenge.encode() + padded, usedforsecurity=False).digest().replace(b"\0", b"\1")


def _given(request: dict[str, object]) -> bytes:
    try:
        return base64.b64decode(str(request.get("digest", "")))
    except binascii.Error:
        raise Refusal(Code.CAT_INVALID_AUTHENTICATION) from None
