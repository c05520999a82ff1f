"""Reading a real Kafka: as a group, alone, or one range once more; offsets that the log does not hold are never passed over in silence."""

import logging
from collections.abc import Callable

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from b2stream.errors import ConfigurationError, LostOffsets, Retryable
from b2stream.kafka import Consumer, LogRange, Producer, read_range
from b2stream.kafka.admin import Admin
from b2stream.sandbox.kafka import KafkaBroker
from tests.integration.kafka.conftest import publish, read
from tests.waiting import PATIENCE_S, until

Consumers = Callable[..., Consumer]


def delete_before(bootstrap: str, topic: str, partition: int, offset: int) -> None:
    """What retention does: the log now starts at this offset."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    asked = TopicPartition(topic, partition, offset)
    admin.delete_records([asked])[asked].result(PATIENCE_S)


def test_I12_a_group_without_offsets_begins_at_the_start_of_the_log(
    kafka_bootstrap: str, producer: Producer, topic: str, consumer: Consumers, community: str
) -> None:
    publish(producer, topic, [b"a", b"b", b"c"])
    delete_before(kafka_bootstrap, topic, 0, 1)
    assert [message.value for message in read(consumer(topic, group=community), 2)] == [b"b", b"c"]


def test_I8_a_group_goes_on_where_it_said_done(
    kafka_bootstrap: str, admin: Admin, producer: Producer, topic: str, consumer: Consumers, community: str
) -> None:
    publish(producer, topic, [b"a", b"b", b"c"])
    first = Consumer(kafka_bootstrap, topic, client_id="first", group=community)
    read(first, 3)
    first.done_up_to(0, 2)
    first.close()
    assert admin.committed(community, topic, 3) == {0: 2}
    assert [message.value for message in read(consumer(topic, group=community), 1)] == [b"c"]


def test_I8_what_was_only_read_is_not_committed(
    kafka_bootstrap: str, admin: Admin, producer: Producer, topic: str, consumer: Consumers, community: str
) -> None:
    publish(producer, topic, [b"a", b"b"])
    first = Consumer(kafka_bootstrap, topic, client_id="first", group=community)
    read(first, 2)
    first.close()
    assert admin.committed(community, topic, 3) == {}
    assert len(read(consumer(topic, group=community), 2)) == 2


@pytest.mark.parametrize("stands_at", [1, 9], ids=["deleted", "never written"])
def test_I13_a_committed_offset_outside_the_log_stops_the_group_and_names_the_range(
    kafka_bootstrap: str,
    admin: Admin,
    producer: Producer,
    topic: str,
    consumer: Consumers,
    community: str,
    stands_at: int,
) -> None:
    publish(producer, topic, [b"a", b"b", b"c", b"d"])
    delete_before(kafka_bootstrap, topic, 0, 2)
    admin.set_committed(community, topic, {0: stands_at})
    reader = consumer(topic, group=community)
    named = rf"group {community} stands at {stands_at} of {topic}\[0\], the log holds 2 to 4"
    with pytest.raises(LostOffsets, match=named):
        until(lambda: reader.poll(0.2), "lost offsets")
    with pytest.raises(LostOffsets):
        reader.poll(0.2)


@pytest.mark.parametrize("stands_at", [2, 4], ids=["start", "end"])
def test_an_offset_at_the_edge_of_the_log_is_within_it(
    kafka_bootstrap: str,
    admin: Admin,
    producer: Producer,
    topic: str,
    consumer: Consumers,
    community: str,
    stands_at: int,
) -> None:
    publish(producer, topic, [b"a", b"b", b"c", b"d"])
    delete_before(kafka_bootstrap, topic, 0, 2)
    admin.set_committed(community, topic, {0: stands_at})
    reader = consumer(topic, group=community)
    until(lambda: reader.poll(0.1) or reader._consumer.assignment(), "assignment")
    publish(producer, topic, [b"e"])
    values = []
    while b"e" not in values:
        values.append(read(reader, 1)[0].value)
    assert values[0] in ((b"c", b"d") if stands_at == 2 else (b"e",))


def test_I13_records_that_retention_takes_away_under_a_reader_are_lost_offsets(
    kafka_bootstrap: str, producer: Producer, topic: str, consumer: Consumers
) -> None:
    reader = consumer(topic, partitions=[0], offsets={0: 0})
    publish(producer, topic, [b"a", b"b", b"c"])
    delete_before(kafka_bootstrap, topic, 0, 2)
    late = consumer(topic, partitions=[0], offsets={0: 1})
    with pytest.raises(LostOffsets):
        until(lambda: late.poll(0.2), "lost offsets")
    assert reader is not late


def test_two_members_share_the_partitions_and_one_takes_all_when_the_other_leaves(
    producer: Producer, topic: str, consumer: Consumers, community: str, kafka_bootstrap: str
) -> None:
    one = consumer(topic, group=community)
    two = Consumer(kafka_bootstrap, topic, client_id="two", group=community)
    taken: list[list[int]] = []
    one.on_revoked = taken.append

    def shared() -> bool:
        one.poll(0.1)
        two.poll(0.1)
        return sorted([len(one._consumer.assignment()), len(two._consumer.assignment())]) == [1, 2]

    until(shared, "both have partitions")
    two.close()
    until(lambda: one.poll(0.1) or len(one._consumer.assignment()) == 3, "one has them all")
    assert taken, "the member was told before partitions were taken away"
    for partition in range(3):
        publish(producer, topic, [b"x"], partition)
    assert {message.partition for message in read(one, 3)} == {0, 1, 2}


def test_I8_whoever_does_not_own_a_partition_cannot_commit(
    admin: Admin, producer: Producer, topic: str, community: str, kafka_bootstrap: str
) -> None:
    publish(producer, topic, [b"a"])
    inside = Consumer(kafka_bootstrap, topic, client_id="inside", group=community)
    read(inside, 1)
    outside = Consumer(kafka_bootstrap, topic, client_id="outside", group=community)
    try:
        with pytest.raises(Retryable):
            outside.done_up_to(0, 1)
        assert admin.committed(community, topic, 3) == {}
    finally:
        outside.close()
        inside.close()


def test_without_a_group_a_reader_begins_at_the_end_or_at_given_offsets(
    producer: Producer, topic: str, consumer: Consumers
) -> None:
    publish(producer, topic, [b"a", b"b", b"c"])
    at_end = consumer(topic, partitions=[0], from_beginning=False)
    publish(producer, topic, [b"d"])
    assert read(at_end, 1)[0].value == b"d"
    assert [each.value for each in read(consumer(topic, partitions=[0], offsets={0: 2}), 2)] == [b"c", b"d"]


def test_while_paused_nothing_is_read_and_afterwards_everything(
    producer: Producer, topic: str, consumer: Consumers, community: str
) -> None:
    reader = consumer(topic, group=community)
    publish(producer, topic, [b"a"])
    assert read(reader, 1)[0].value == b"a"
    reader.pause()
    publish(producer, topic, [b"b", b"c"])
    for _ in range(5):
        assert reader.poll(0.1) is None
    reader.resume()
    assert [each.value for each in read(reader, 2)] == [b"b", b"c"]


def test_range_lag_and_number_of_partitions(
    kafka_bootstrap: str, producer: Producer, topic: str, consumer: Consumers, community: str
) -> None:
    publish(producer, topic, [b"a", b"b", b"c"])
    delete_before(kafka_bootstrap, topic, 0, 1)
    reader = consumer(topic, group=community)
    assert reader.partition_count() == 3
    assert reader.range(0) == LogRange(1, 3)
    read(reader, 1)
    until(lambda: reader.lag() == 1, "one message is left")
    with pytest.raises(ConfigurationError, match="topics create"):
        consumer(f"{topic}-nowhere")


def test_offsets_that_cannot_be_checked_are_asked_for_again_and_nothing_is_read_before(
    breakable_broker: KafkaBroker,
    consumer: Consumers,
    community: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = f"{community}.checked"
    admin = Admin(breakable_broker.bootstrap)
    admin.create_topic(name, 1, 1, {})
    producer = Producer(breakable_broker.bootstrap, "test")
    publish(producer, name, [b"a", b"b"])
    producer.close()
    admin.set_committed(community, name, {0: 1})
    reader = consumer(name, breakable_broker.bootstrap, group=community)
    asked: list[int] = []

    def nobody_answers(partition: int, timeout_s: float = 0) -> LogRange:
        asked.append(partition)
        if len(asked) < 4:
            raise Retryable("nobody answers")
        return LogRange(0, 2)

    monkeypatch.setattr(reader, "range", nobody_answers)
    with caplog.at_level(logging.WARNING):
        (message,) = read(reader, 1)
    assert message.value == b"b"
    assert len(asked) == 4
    assert "could not be checked, asking again" in caplog.text


def test_a_range_is_read_once_more_exactly(kafka_bootstrap: str, producer: Producer, topic: str) -> None:
    values = [str(number).encode() for number in range(500)]
    publish(producer, topic, values, 1)
    found = list(read_range(kafka_bootstrap, topic, 1, 17, 400, client_id="again"))
    assert [message.value for message in found] == values[17:401]
    assert [message.offset for message in found] == list(range(17, 401))
    assert list(read_range(kafka_bootstrap, topic, 1, 5, 4, client_id="again")) == []


@pytest.mark.parametrize(("first", "last"), [(0, 3), (9, 12)], ids=["deleted", "never written"])
def test_I13_a_range_that_the_log_does_not_hold_is_lost_offsets(
    kafka_bootstrap: str, producer: Producer, topic: str, first: int, last: int
) -> None:
    publish(producer, topic, [b"a", b"b", b"c", b"d"])
    delete_before(kafka_bootstrap, topic, 0, 2)
    with pytest.raises(LostOffsets, match=rf"{topic}\[0\] does not hold {first}"):
        list(read_range(kafka_bootstrap, topic, 0, first, last, client_id="again"))


def test_reading_a_range_stops_when_told_and_of_no_topic_says_so_at_once(
    kafka_bootstrap: str, producer: Producer, topic: str
) -> None:
    publish(producer, topic, [b"a"])
    again = read_range(kafka_bootstrap, topic, 0, 0, 5, client_id="again", give_up=lambda: True)
    with pytest.raises(Retryable, match="from 0: stopped while reading"):
        next(again)
    with pytest.raises(Retryable, match="`b2stream topics create` makes"):  # a broker that was just thawed knows none
        list(read_range(kafka_bootstrap, f"{topic}-nowhere", 0, 0, 5, client_id="again"))


@pytest.mark.parametrize("stopped_by", ["paused in the library", "no member any more"])
def test_I11_a_member_that_stands_still_joins_its_group_anew(
    producer: Producer, topic: str, consumer: Consumers, community: str, stopped_by: str
) -> None:
    publish(producer, topic, [b"a"])
    standing = consumer(topic, group=community, patience_s=0.5)
    taken: list[int] = []
    standing.on_revoked = taken.extend
    read(standing, 1)
    standing.done_up_to(0, 1)
    library = standing._consumer  # as a fault of the library, which nobody told us of
    if stopped_by == "no member any more":
        library.unsubscribe()
    else:
        library.pause([TopicPartition(topic, number) for number in range(3)])
    publish(producer, topic, [b"b"])
    assert [message.value for message in read(standing, 1)] == [b"b"]
    assert taken, "what it held before is taken away first"
    standing.done_up_to(0, 2)
