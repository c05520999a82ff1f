"""Whether a topic is what every program relies on; `b2stream topics check` compares the rest of the contract."""

from b2stream.errors import ConfigurationError
from b2stream.kafka.admin import Admin, TopicFacts

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


def wrong_partitions(name: str, facts: TopicFacts, partitions: int) -> str:
    """What is wrong with the number of partitions, in words; empty where it is right. A key's place depends on that number."""
    if facts.partitions == partitions:
        return ""
    return f"{name} has {facts.partitions} partitions, kafka.partitions is {partitions}"
