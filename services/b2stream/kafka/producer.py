"""Publishing: idempotent, acks=all, never giving up by itself."""

import threading
from concurrent.futures import Future
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as _Producer

from b2stream.contracts.envelopes import Headers
from b2stream.errors import Retryable
from b2stream.kafka.errors import translated
from b2stream.kafka.security import Brokers
from b2stream.kafka.settings import client_settings

_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Delivered:
    """Where an acknowledged message lies.

    `offset` is 0 where Kafka does not say: a leader that took over acknowledges what it has already without its place. Who waits for
    what became of such a message looks too far back, and so at worst sends it again; taken for unknown it might never be sent again.
    """

    partition: int
    offset: int


class Producer:
    """Publishes messages; each call gives a future that is done once all in-sync replicas have the message.

    `message.timeout.ms=0`: while Kafka is away a message waits, as long as it takes. What waits is limited to
    `buffer_bytes`; then `publish` waits too. The idempotent producer keeps the order within a partition.
    """

    def __init__(self, brokers: Brokers, client_id: str, buffer_bytes: int = 32 << 20) -> None:
        self._producer = _Producer(
            client_settings(
                brokers,
                client_id,
                **{
                    "enable.idempotence": True,
                    "acks": "all",
                    "message.timeout.ms": 0,
                    "linger.ms": 2,
                    "message.max.bytes": 2 << 20,
                    "queue.buffering.max.kbytes": buffer_bytes >> 10,
                    "compression.type": "none",
                },
            )
        )
        self._stop = threading.Event()
        self._poller = threading.Thread(target=self._poll, name=f"{client_id}-deliveries", daemon=True)
        self._poller.start()

    def publish(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> "Future[Delivered]":
        """Hand a message over. The future raises what `b2stream.errors` has for the broker's refusal (Poison: too large)."""
        future: Future[Delivered] = Future()
        future.set_running_or_notify_cancel()  # it cannot be called back: a cancelled future would break the poller

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                future.set_exception(translated(error))
            else:
                future.set_result(Delivered(message.partition() or 0, message.offset() or 0))

        while True:
            try:
                self._producer.produce(
                    topic, partition=partition, key=key, value=value, headers=list(headers), on_delivery=delivered
                )
            except BufferError:  # full: the poller makes room as soon as Kafka takes something
                if self._stop.wait(_POLL_S):
                    raise Retryable("the producer was closed while a message waited for room") from None
            except KafkaException as error:
                future.set_exception(translated(error))
                return future
            else:
                return future

    def waiting(self) -> int:
        """How many messages are not acknowledged yet."""
        return len(self._producer)

    def flush(self, timeout_s: float) -> int:
        """Wait until everything is acknowledged, at most `timeout_s`; gives how many are not."""
        return self._producer.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Flush for `timeout_s`, then stop; the futures of what is not acknowledged by then raise Retryable."""
        if self._producer.flush(timeout_s):
            self._producer.purge()
            self._producer.flush(_POLL_S)
        self._stop.set()
        self._poller.join()

    def _poll(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(_POLL_S)
