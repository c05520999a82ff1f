"""Publishes the events of this folder's programs where the community's programs look for them."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from b2stream.contracts import schemas, topics
from b2stream.contracts.envelopes import Headers, event_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchCommitted, ObjectEvent, Record
from b2stream.programs.audit.acknowledged import WITHIN_S, wait_for


class Publisher(Protocol):
    """The part of `b2stream.kafka.Producer` that is needed here."""

    def publish(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> "Future[Any]": ...


@dataclass(frozen=True, slots=True)
class Announcer:
    """Publishes records where the community's programs look for them."""

    publisher: Publisher
    framing: Framing
    community: str
    partitions: int

    def announce(self, event: BatchCommitted) -> "Future[Any]":
        """Publish a commit event."""
        return self.publish(topics.COMMITS, event, event.station, event.batch, f"{event.station}/{event.series}")

    def publish(self, topic: topics.Topic, record: Record, station: str, identity: str, subject: str) -> "Future[Any]":
        """Publish a record, keyed by its station."""
        value = self.framing.frame(schemas.current(record.SCHEMA), record.to_body())
        headers = event_headers(record.SCHEMA, identity, subject, source="audit")
        partition = partition_of(station, self.partitions)
        return self.publisher.publish(topic.full_name(self.community), partition, station.encode(), value, headers)

    def tell(
        self,
        event: ObjectEvent,
        identity: str = "",
        within_s: float = WITHIN_S,
        stopping: threading.Event | None = None,
    ) -> None:
        """Publish what was done to an object, and wait as `wait_for` does. An event that may come twice needs an `identity` of its own.

        Raises Retryable, Poison.
        """
        identity = identity or f"{event.centre}/{event.path}/{event.event}/{event.at_us}"
        published = self.publish(topics.EVENTS, event, event.station, identity, event.path)
        wait_for(published, event.path, within_s, stopping)
