"""Pure functions that the simulation asks for the same thing again and again: what they said is remembered.

Only functions of their arguments alone: what a message or a manifest is, canonical JSON, one signature's truth, the examination
of one batch's blocks. A case that is new is always decided by the pipeline's own code. And nobody reads the metrics here.
"""

import marshal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import prometheus_client
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from b2stream.batches.examining import Examined
from b2stream.batches.manifest import read_manifest
from b2stream.batches.paths import batch_paths
from b2stream.contracts.canonical import from_iso_utc, iso_utc
from b2stream.contracts.envelopes import is_attempt
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.records.record import plain
from b2stream.programs.processor.bodies import RereadBodies, SpooledBodies
from b2stream.programs.processor.examining.examiners import Here
from b2stream.programs.processor.intake import Address, read_message
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


class _Messages:
    """What a message is, remembered by all that it consists of; what raises is asked for anew."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], tuple[Any, Address]] = {}

    def read(self, message: LogMessage, framing: Framing, partitions: int, address: Address) -> Any:
        key = message.key, message.value, message.partition, partitions, *(message.headers or ())
        known = self._known.get(key)
        if known is None:
            if len(self._known) > _MOST:
                self._known.clear()
            known = self._known[key] = read_message(message, framing, partitions, address), replace(address)
        content, said = known
        address.station, address.attempt, address.kind = said.station, said.attempt, said.kind
        return content


def _once(name: str) -> Callable[[BatchClosed], Any]:
    """A method of a close that never changes: each close is asked once."""
    method, place = getattr(BatchClosed, name), f"what {name} said"

    def said(close: BatchClosed) -> Any:
        known = close.__dict__.get(place)
        if known is None:
            known = close.__dict__[place] = method(close)
        return known

    return said


def _quickly_plain(value: Any) -> Any:
    return value if value.__class__ in _PLAIN else plain(value)


_PLAIN = frozenset({str, int, type(None)})
_RFC8785 = _Rfc8785()
_METRICS = (
    (prometheus_client.Counter, "inc"),
    (prometheus_client.Gauge, "set"),
    (prometheus_client.Histogram, "observe"),
)
_REMEMBERED: dict[Any, Any] = {
    **{
        pure: lru_cache(maxsize=_MOST)(pure)
        for pure in (batch_paths, from_iso_utc, is_attempt, iso_utc, partition_of, read_manifest)
    },
    read_message: _Messages().read,
    plain: _quickly_plain,
}
"""Functions of the pipeline, and what is asked instead."""


def remembering() -> ExitStack:
    """A context in which the pipeline asks these instead."""
    stack = ExitStack()
    stack.enter_context(patch("b2stream.contracts.canonical.rfc8785", _RFC8785))
    stack.enter_context(patch("b2stream.batches.signing.Ed25519PublicKey", _Key))
    for name, module in sorted(sys.modules.items()):
        if name.startswith("b2stream."):
            for attribute, value in list(vars(module).items()):
                if callable(value) and value.__class__.__name__ == "function" and value in _REMEMBERED:
                    stack.enter_context(patch.object(module, attribute, _REMEMBERED[value]))
    for method in ("to_json", "signed_bytes"):
        stack.enter_context(patch.object(BatchClosed, method, _once(method)))
    for kind, method in _METRICS:
        stack.enter_context(patch.object(kind, method, lambda self, *what: None))
    return stack
