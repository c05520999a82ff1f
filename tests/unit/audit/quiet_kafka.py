"""Kafka for commands whose work lies at the centres: it acknowledges everything, and its log tells nothing."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

from b2stream.contracts.envelopes import Headers
from b2stream.contracts.records import ObjectEvent
from b2stream.programs.audit.gathering.index import Index


class Kafka:
    """A producer whose messages are acknowledged at once."""

    def __init__(self, *_: object) -> None: ...

    def publish(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(None)
        return done

    def close(self) -> None: ...


class NothingTold:
    """A log without an event."""

    def __init__(self, *_: object) -> None: ...

    def fix_ends(self) -> None: ...

    def read_commits(self, index: Index) -> None: ...

    def object_events(self) -> Iterator[ObjectEvent]:
        yield from ()
