"""Publishing blocks and closes: a bounded number of bytes on the way, every acknowledgement waited for, as long as it takes.

Kafka away is no error here: the producer never gives up a message, so waiting ends when Kafka is back or the gateway is asked to
stop. That it waits is said every half minute.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Protocol

from b2stream import failpoints
from b2stream.contracts import schemas
from b2stream.contracts.envelopes import Headers, block_headers, close_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchClosed
from b2stream.errors import ConfigurationError, Fatal, Poison, Retryable
from b2stream.kafka import Delivered

WINDOW_BYTES = 16 << 20
"""Bytes handed over and not acknowledged: enough for a fast line, little enough for a small computer."""

SAY_AGAIN_S = 30.0
_LOOK_S = 0.2

log = logging.getLogger(__name__)


class Stopping(Retryable):
    """The gateway was asked to stop: the journal knows where to go on."""

    reason = "stopping"


class ProducerLike(Protocol):
    """What is needed of `b2stream.kafka.Producer`."""

    def publish(
        self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers
    ) -> "Future[Delivered]": ...

    def close(self, timeout_s: float = 5.0) -> None: ...


class Publisher:
    """Publishes one station's messages into its partition. `connect` makes a producer; after a failure of one, the next is made.

    `waiting` is told for how many seconds Kafka has not acknowledged, and 0 when it does again.
    """

    def __init__(
        self,
        connect: Callable[[], ProducerLike],
        topic: str,
        station: str,
        partitions: int,
        *,
        stop: threading.Event,
        framing: Framing | None = None,
        waiting: Callable[[float], None] = lambda waited_s: None,
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        self._connect = connect
        self._producer: ProducerLike | None = None
        self._topic = topic
        self._station = station
        self.partition = partition_of(station, partitions)
        self._stop = stop
        self._framing = framing or Framing()
        self._waiting = waiting
        self._window_bytes = window_bytes

    def send_blocks(self, series: str, attempt: str, bodies: Iterable[bytes]) -> None:
        """Publish all blocks of an attempt and wait until each is acknowledged.

        Raises Stopping, Retryable where the producer failed and the attempt has to be sent again, ConfigurationError.
        """
        header = self._framing.header(schemas.current("MeasurementBlock"))
        on_the_way: deque[tuple[Future[Delivered], int]] = deque()
        size = 0
        for sequence, body in enumerate(bodies):
            while on_the_way and size + len(body) > self._window_bytes:
                size -= self._first(on_the_way)
            headers = block_headers(self._station, series, attempt, sequence)
            on_the_way.append((self._publish(header + body, headers), len(body)))
            failpoints.passing("publish block")
            size += len(body)
        while on_the_way:
            self._first(on_the_way)

    def send_close(self, close: BatchClosed) -> Delivered:
        """Publish a close and wait until it is acknowledged. Raises as `send_blocks`."""
        value = self._framing.frame(schemas.current("BatchClosed"), close.to_body())
        return self._acknowledged(self._publish(value, close_headers(self._station, close.series, close.attempt)))

    def close(self) -> None:
        """Stop. What is not acknowledged is in the journal and is sent again by the next start."""
        if self._producer is not None:
            self._producer.close(0.5 if self._stop.is_set() else 5.0)
            self._producer = None

    def _publish(self, value: bytes, headers: Headers) -> "Future[Delivered]":
        if self._stop.is_set():
            raise Stopping()
        if self._producer is None:
            self._producer = self._connect()
        return self._producer.publish(self._topic, self.partition, self._station.encode(), value, headers)

    def _first(self, on_the_way: "deque[tuple[Future[Delivered], int]]") -> int:
        future, size = on_the_way.popleft()
        self._acknowledged(future)
        return size

    def _acknowledged(self, future: "Future[Delivered]") -> Delivered:
        began = said = time.monotonic()
        while True:
            try:
                delivered = future.result(timeout=0 if future.done() else _LOOK_S)
                if time.monotonic() - began > _LOOK_S:
                    self._waiting(0.0)
                return delivered
            except TimeoutError:
                now = time.monotonic()
                self._waiting(now - began)
                if self._stop.is_set():
                    raise Stopping() from None
                if now - said >= SAY_AGAIN_S:
                    said = now
                    log.warning("waiting for Kafka to acknowledge", extra={"facts": {"waited_s": round(now - began)}})
            except Poison as error:
                cure = (
                    "the topic takes smaller messages than the contract says; `b2stream topics check` names the setting"
                )
                raise ConfigurationError(f"{self._topic}: {error.detail}; {cure}") from error
            except Fatal as error:
                self._give_up_producer()
                if type(error) is not Fatal:
                    raise
                # librdkafka's idempotent producer ends for good where it lost track of sequence numbers; a new one goes on.
                raise Retryable(f"the producer failed and is made anew: {error.detail}") from error

    def _give_up_producer(self) -> None:
        if self._producer is not None:
            self._producer.close(0.0)
            self._producer = None
