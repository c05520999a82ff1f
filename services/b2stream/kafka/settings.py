"""What every client of Kafka is started with, and what is said of its connections."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError

from b2stream.errors import ConfigurationError, Fatal, Refused
from b2stream.kafka.security import Brokers, addresses, librdkafka_settings

_log = logging.getLogger(__name__)


_NOBODY_ANSWERS = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE}
_SAY_AGAIN_S = 30.0
REFUSED_AT_START_S = 2.0
"""A client that nobody has answered yet, refused for so long, has the wrong password or does not trust the broker."""
REFUSED_LATER_S = 60.0
"""After a first answer: a broker that has just started refuses everybody until it has learnt of the users."""
_PAUSE_BETWEEN_REFUSALS_S = 10.0  # librdkafka connects again every two seconds at most


def client_settings(brokers: Brokers, client_id: str, **more: Any) -> dict[str, Any]:
    """librdkafka's settings that all our clients share. Raises ConfigurationError where TLS or password cannot work."""
    return {
        **librdkafka_settings(brokers),
        "client.id": client_id,
        "error_cb": Complaint(brokers).heard,
        "log_level": 2,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 30_000,
        **more,
    }


class Complaint:
    """What one client hears of its connections. It says it once every half minute at most: librdkafka reports each that broke.

    librdkafka never gives up by itself, not even where the password is wrong: it connects again for ever, and whatever was asked
    times out. `stop_if_refused` turns that into an error. `tells_silence` False: that nobody answers yet is no news.
    """

    def __init__(
        self, brokers: Brokers, clock: Callable[[], float] = time.monotonic, *, tells_silence: bool = True
    ) -> None:
        self._bootstrap = addresses(brokers)
        self._tells_silence = tells_silence
        self._clock = clock
        self._said_at = -math.inf
        self._was_answered = False
        self._refusal: Fatal | None = None
        self._refused_since_s = self._refused_at_s = -math.inf

    def heard(self, error: KafkaError) -> None:
        """librdkafka's error callback."""
        now_s = self._clock()
        refusal = self._refused_by(error)
        if refusal is not None:
            is_news = now_s - self._refused_at_s > _PAUSE_BETWEEN_REFUSALS_S
            if is_news:
                self._refused_since_s = now_s
            self._refusal, self._refused_at_s = refusal, now_s
            if is_news or self._is_time_to_say(now_s):
                self._say(now_s, "Kafka at %s: %s", error)
        elif error.code() not in _NOBODY_ANSWERS:
            _log.warning("Kafka at %s: %s", self._bootstrap, error.str())
        # Where we are refused librdkafka says after each time that no broker is there; that would hide why.
        elif (
            self._tells_silence
            and now_s - self._refused_at_s >= _PAUSE_BETWEEN_REFUSALS_S
            and self._is_time_to_say(now_s)
        ):
            self._say(now_s, "Kafka at %s does not answer; waiting for it (%s)", error)

    def _is_time_to_say(self, now_s: float) -> bool:
        return now_s - self._said_at >= _SAY_AGAIN_S

    def _say(self, now_s: float, text: str, error: KafkaError) -> None:
        self._said_at = now_s
        _log.warning(text, self._bootstrap, error.str())

    def answered(self) -> None:
        """The cluster answered what it was asked."""
        self._was_answered = True
        self._refusal, self._refused_at_s = None, -math.inf

    def stop_if_refused(self, most_s: float = math.inf) -> None:
        """Called while an answer is waited for. Raises Refused or ConfigurationError where every connection is refused for a while.

        `most_s`: who waits less than the usual patience gives the longest refusal that can be seen.
        """
        if self._refusal is not None:
            patience_s = REFUSED_LATER_S if self._was_answered else REFUSED_AT_START_S
            if self._refused_at_s - self._refused_since_s >= min(patience_s, most_s):
                raise self._refusal

    def _refused_by(self, error: KafkaError) -> Fatal | None:
        text = error.str()
        where = f"Kafka at {self._bootstrap}: {text}"
        if error.code() in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):
            return Refused(f"{where}; see kafka.user, kafka.password_file and kafka.sasl_mechanism")
        # What a broker objects to comes as an alert after the handshake, and librdkafka calls that a broken connection.
        is_told = "certificate verify failed" in text or ("SSL routines" in text and "alert" in text)
        if is_told or (error.code() == KafkaError._SSL and "isconnected" not in text):
            return ConfigurationError(f"{where}; see kafka.security_protocol, kafka.ca_file and kafka.certificate_file")
        return None
