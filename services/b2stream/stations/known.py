"""What the topic `stations` says, kept current by a thread of its own; and how a description gets there."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from b2stream.contracts import schemas, topics
from b2stream.contracts.envelopes import Headers, event_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.stations import StationDescription, wrong_changes
from b2stream.errors import B2streamError, Retryable
from b2stream.kafka import Producer
from b2stream.kafka.latest import LatestReader
from b2stream.settings import Settings
from b2stream.stations.files import BadDescription
from b2stream.stations.latest import Latest
from b2stream.stations.reviewed import Reviewers

_log = logging.getLogger(__name__)

_POLL_S = 0.2


class ReaderLike(Protocol):
    """What is needed of `kafka.latest.LatestReader`."""

    @property
    def has_read_all(self) -> bool: ...

    def poll(self, timeout_s: float) -> LogMessage | None: ...

    def close(self) -> None: ...


class KnownStations:
    """The latest description of each station that may be believed. Its properties may be read by any thread."""

    def __init__(
        self,
        connect: Callable[[], ReaderLike],
        framing: Framing,
        again_s: float = 1.0,
        reviewers: Reviewers | None = None,
    ) -> None:
        self._connect = connect
        self._again_s = again_s
        self._latest = Latest(framing, reviewers)
        self._stop = threading.Event()
        self._loaded = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def descriptions(self) -> Mapping[str, StationDescription]:
        """By station."""
        return self._latest.descriptions

    @property
    def version(self) -> int:
        """Grows with each change of `descriptions`."""
        return self._latest.version

    @property
    def refused(self) -> Mapping[str, str]:
        """Why, by key of the topic, where the newest message was passed over."""
        return self._latest.refused

    @property
    def signed_at_us(self) -> int:
        """When a reviewer last signed a description, by that reviewer's clock; 0 where nobody has to sign."""
        return self._latest.signed_at_us

    @classmethod
    def of(cls, settings: Settings, framing: Framing, client_id: str, station: str | None = None) -> "KnownStations":
        """Those of a deployment; with `station` only what lies in its partition."""
        topic = topics.STATIONS.full_name(settings.general.community)
        partition = None if station is None else partition_of(station, settings.kafka.partitions)
        return cls(
            lambda: LatestReader(settings.kafka, topic, f"{client_id}-stations", partition),
            framing,
            reviewers=Reviewers.of(settings),
        )

    def start(self) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._run, name="stations", daemon=True)
        self._thread.start()

    def wait_until_loaded(self, timeout_s: float) -> bool:
        """Whether all that the topic holds was read within so long."""
        return self._loaded.wait(timeout_s)

    def load(self, timeout_s: float) -> Mapping[str, StationDescription]:
        """Read all of it once, and stop. Raises Retryable where Kafka does not answer in time, else what its refusal means."""
        deadline_s = time.monotonic() + timeout_s
        reader = self._connect()
        try:
            while not reader.has_read_all:
                if time.monotonic() > deadline_s:
                    raise Retryable(f"the topic of stations could not be read within {timeout_s:.0f} s")
                self._latest.take(reader.poll(_POLL_S))
        finally:
            reader.close()
        return self.descriptions

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                reader = self._connect()
            except B2streamError as error:
                _log.warning("descriptions of stations cannot be read yet: %s", error)
                self._stop.wait(self._again_s)
                continue
            try:
                self._follow(reader)
            except B2streamError as error:  # a schema registry that does not answer: all is read once more
                _log.warning("descriptions of stations are read again: %s", error)
                self._stop.wait(self._again_s)
            except Exception:
                _log.exception("descriptions of stations are read again")
                self._stop.wait(self._again_s)
            finally:
                reader.close()

    def _follow(self, reader: ReaderLike) -> None:
        while not self._stop.is_set():
            self._latest.take(reader.poll(_POLL_S))
            if reader.has_read_all:
                self._loaded.set()


def check_changes(
    known: Mapping[str, StationDescription], new: Iterable[tuple[str, StationDescription]], now_us: int
) -> None:
    """Whether (origin, description) may be published after what is known. Raises BadDescription with everything that is wrong."""
    wrong: list[str] = []
    after = dict(known)
    for origin, description in new:
        before = known.get(description.station)
        if before is not None:
            wrong += [f"{origin}: {each}" for each in wrong_changes(before, description, now_us)]
        if after.get(description.station) is not before:
            wrong.append(f"{origin}: {description.station} is described twice")
        after[description.station] = description
    owners: dict[str, str] = {}
    for station, description in sorted(after.items()):
        for key in description.keys:
            if owners.setdefault(key.id, station) != station:
                wrong.append(f"key {key.id} is of {owners[key.id]} and of {station}: each station has its own")
    if wrong:
        raise BadDescription("; ".join(wrong))


def publish(
    settings: Settings,
    framing: Framing,
    descriptions: Iterable[StationDescription],
    timeout_s: float,
    sign: Callable[[str, bytes], Headers] = lambda fingerprint, body: [],
) -> None:
    """Publish descriptions, and wait until Kafka has them. `sign` gives more headers, from the schema's fingerprint and the body.

    Raises Retryable where Kafka does not answer in time.
    """
    producer = Producer(settings.kafka, "b2stream-stations")
    topic = topics.STATIONS.full_name(settings.general.community)
    deadline_s = time.monotonic() + timeout_s
    try:
        waiting = []
        for each in descriptions:
            body, schema = each.to_body(), schemas.current(each.SCHEMA)
            headers = event_headers(each.SCHEMA, hashlib.sha256(body).hexdigest(), each.station, source="station")
            headers += sign(schema.fingerprint, body)
            partition = partition_of(each.station, settings.kafka.partitions)
            value = framing.frame(schema, body)
            waiting.append(producer.publish(topic, partition, each.station.encode(), value, headers))
        for future in waiting:
            try:
                future.result(max(0.0, deadline_s - time.monotonic()))
            except TimeoutError:
                raise Retryable(f"{topic}: not acknowledged within {timeout_s:.0f} s") from None
    finally:
        producer.close(0.0)
