"""What every client of Kafka is started with, and how its errors become ours."""

import logging
import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from b2stream.errors import B2streamError, ConfigurationError, Fatal, Poison, Refused, Retryable

_log = logging.getLogger(__name__)

_NOBODY_ANSWERS = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE}
_REFUSED = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
_UNKNOWN_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError.TOPIC_EXCEPTION,
}
_SAY_AGAIN_S = 30.0


def client_settings(bootstrap: str, client_id: str, **more: Any) -> dict[str, Any]:
    """librdkafka's settings that all our clients share."""
    complaint = Complaint(bootstrap)
    return {
        "bootstrap.servers": bootstrap,
        "client.id": client_id,
        "error_cb": complaint.heard,
        "log_level": 2,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 30_000,
        **more,
    }


def translated(error: KafkaError | KafkaException) -> B2streamError:
    """Our error for one of confluent-kafka's."""
    cause: KafkaError = error.args[0] if isinstance(error, KafkaException) else error
    code, text = cause.code(), cause.str()
    if code in _REFUSED:
        return Refused(f"Kafka: {text}")
    if code in _UNKNOWN_TOPIC:
        return ConfigurationError(f"Kafka: {text}; `b2stream topics create` makes the topics")
    if code in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE):
        return Poison(f"Kafka: {text}", reason="too_large")
    if cause.fatal():
        return Fatal(f"Kafka: {text}")
    return Retryable(f"Kafka: {text}")


class Complaint:
    """Says that Kafka is away, once every half minute at most: librdkafka reports each broken connection."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._said_at = -_SAY_AGAIN_S

    def heard(self, error: KafkaError) -> None:
        """librdkafka's error callback."""
        if error.code() not in _NOBODY_ANSWERS:
            _log.warning("Kafka at %s: %s", self._bootstrap, error.str())
        elif time.monotonic() - self._said_at >= _SAY_AGAIN_S:
            self._said_at = time.monotonic()
            _log.warning("Kafka at %s does not answer; waiting for it (%s)", self._bootstrap, error.str())
