"""What confluent-kafka's errors mean in the tree of `b2stream.errors`."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from b2stream.errors import B2streamError, ConfigurationError, Fatal, Poison, Refused, Retryable

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


class NoSuchTopic(ConfigurationError):
    """Kafka does not know this topic: correct kafka.bootstrap or general.community, or make it with `b2stream topics create`."""

    reason = "no_such_topic"


def translated(error: KafkaError | KafkaException) -> B2streamError:
    """Our error for one of confluent-kafka's."""
    cause: KafkaError = error.args[0] if isinstance(error, KafkaException) else error
    code, text = cause.code(), cause.str()
    if code in _REFUSED:
        return Refused(f"Kafka: {text}")
    if code in _UNKNOWN_TOPIC:
        return NoSuchTopic(f"Kafka: {text}; `b2stream topics create` makes the topics")
    if code in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE):
        return Poison(f"Kafka: {text}", reason="too_large")
    if cause.fatal():
        return Fatal(f"Kafka: {text}")
    return Retryable(f"Kafka: {text}")


def of_known_topic(error: B2streamError) -> B2streamError:
    """The error as it is for a program that has worked with the topic already: NoSuchTopic is Retryable then.

    A broker that was just thawed does not know its topics for a moment. Whether one is gone for good, `agreement.still_agreed` asks again
    and again; who reads or writes meanwhile waits.
    """
    return Retryable(error.detail) if isinstance(error, NoSuchTopic) else error


@contextmanager
def known_topic() -> Iterator[None]:
    """Whatever is raised within is of a topic that the program has worked with already (`of_known_topic`)."""
    try:
        yield
    except NoSuchTopic as error:
        raise of_known_topic(error) from error
