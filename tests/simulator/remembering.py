"""Pure functions that the simulation asks for the same thing again and again: what they said is remembered.

Only functions of their arguments alone: canonical JSON, one signature's truth, and the examination of one batch's blocks.
"""

import marshal
from collections.abc import Callable
from contextlib import ExitStack
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from b2stream.batches.examining import Examined
from b2stream.contracts.records import BatchClosed
from b2stream.programs.processor.bodies import RereadBodies, SpooledBodies
from b2stream.programs.processor.examining.examiners import Here
from tests.simulator.worker import FRAMING

_MOST = 50_000


class RememberingExaminer:
    """The real examination, remembered by close and blocks."""

    def __init__(self) -> None:
        self._here = Here(FRAMING)
        self._known: dict[tuple[bytes, bytes], Examined] = {}

    def examine(self, close: BatchClosed, bodies: SpooledBodies | RereadBodies) -> Examined:
        key = close.to_body(), b"".join(bodies())
        if key not in self._known:
            if len(self._known) > _MOST:
                self._known.clear()
            self._known[key] = self._here.examine(close, bodies)
        return self._known[key]

    def close(self) -> None:
        """Nothing to close."""


@lru_cache(maxsize=4096)
def _begin(key: str) -> bytes:
    return rfc8785.dumps(key) + b":"


class _Rfc8785:
    """The module, as far as b2stream uses it. The members of a document are remembered one by one: most of them come again."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def dumps(self, value: Any) -> bytes:
        if isinstance(value, dict) and all(type(key) is str and key.isascii() for key in value):
            members = [_begin(key) + self._member(value[key]) for key in sorted(value)]
            return b"{" + b",".join(members) + b"}"
        return self._member(value)

    def _member(self, value: Any) -> bytes:
        key = marshal.dumps(value, 2)
        known = self._known.get(key)
        if known is None:
            if len(self._known) > _MOST:
                self._known.clear()
            known = self._known[key] = rfc8785.dumps(value)
        return known

    def __getattr__(self, name: str) -> Any:
        return getattr(rfc8785, name)


class _Key:
    """An Ed25519 public key that remembers what it verified."""

    def __init__(self, public: bytes) -> None:
        key = Ed25519PublicKey.from_public_bytes(public)
        self.verify = _remembering_success(key.verify)

    @classmethod
    def from_public_bytes(cls, public: bytes) -> "_Key":
        return _key(public)


@lru_cache(maxsize=64)
def _key(public: bytes) -> _Key:
    return _Key(public)


def _remembering_success(verify: Callable[[bytes, bytes], None]) -> Callable[[bytes, bytes], None]:
    return lru_cache(maxsize=4096)(verify)


_RFC8785 = _Rfc8785()


def remembering() -> ExitStack:
    """A context in which the pipeline asks these instead."""
    stack = ExitStack()
    stack.enter_context(patch("b2stream.contracts.canonical.rfc8785", _RFC8785))
    stack.enter_context(patch("b2stream.batches.signing.Ed25519PublicKey", _Key))
    return stack
