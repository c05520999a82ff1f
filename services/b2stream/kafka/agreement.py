"""Whether a topic is what every program relies on; `b2stream topics check` compares the rest of the contract."""

from b2stream.errors import ConfigurationError, Fatal
from b2stream.kafka.admin import Admin, TopicFacts
from b2stream.kafka.errors import known_topic

LOOK_EVERY_S = 5.0
_STAMPED, _BY_THE_BROKER = "message.timestamp.type", "LogAppendTime"


def agreed_topic(admin: Admin, name: str, partitions: int) -> TopicFacts:
    """Describe a topic. Raises ConfigurationError where it is missing or other than agreed, Retryable where nobody answers."""
    facts = admin.topic(name)
    wrong = wrong_partitions(name, facts, partitions)
    if wrong:
        raise ConfigurationError(wrong)
    # Appended by a station's clock, data of a computer that thinks it is 1970 would be deleted unread.
    stamped = facts.config.get(_STAMPED)
    if stamped != _BY_THE_BROKER:
        raise ConfigurationError(f"{name} has {_STAMPED}={stamped}, the contract says {_BY_THE_BROKER}")
    return facts


class TopicReplaced(Fatal):
    """A topic was deleted and made again under this program: start it again. Stations send again what was lost with the old one."""

    reason = "topic_replaced"


def still_agreed(admin: Admin, name: str, partitions: int, topic_id: str) -> None:
    """Look again, while a program works, whether the topic is the one that it began with.

    Raises ConfigurationError where its partitions are others by now, TopicReplaced where it is another topic of the same name:
    its offsets mean other messages, and a consumer that goes on may pass over the first ones. Retryable where nobody answers, or there is
    no such topic for the moment.
    """
    with known_topic():
        facts = admin.topic(name)
    wrong = wrong_partitions(name, facts, partitions)
    if wrong:
        raise ConfigurationError(wrong)
    if facts.topic_id != topic_id:
        raise TopicReplaced(f"{name} was {topic_id} and is {facts.topic_id}")


def wrong_partitions(name: str, facts: TopicFacts, partitions: int) -> str:
    """What is wrong with the number of partitions, in words; empty where it is right. A key's place depends on that number."""
    if facts.partitions == partitions:
        return ""
    return f"{name} has {facts.partitions} partitions, kafka.partitions is {partitions}"
