"""Waiting for Kafka: bounded, patient, and over when the gateway is asked to stop."""

import threading
from collections.abc import Iterator

import pytest

from b2stream.contracts.envelopes import read_envelope
from b2stream.contracts.partitions import partition_of
from b2stream.errors import ConfigurationError, Fatal, Poison, Refused, Retryable
from b2stream.kafka import Delivered
from b2stream.programs.gateway import publisher as publishing
from b2stream.programs.gateway.publisher import Publisher, Stopping
from tests.unit.gateway.stands import STATION, InMemoryProducer, Log
from tests.waiting import PATIENCE_S, until


def publisher(producer: InMemoryProducer, stop: threading.Event | None = None, **options: int) -> Publisher:
    return Publisher(lambda: producer, "test.measurements", STATION, 12, stop=stop or threading.Event(), **options)  # type: ignore[arg-type]


def wait_for(producer: InMemoryProducer, count: int) -> None:
    until(lambda: len(producer.held) >= count, f"{count} messages are on the way")


def test_blocks_carry_attempt_and_sequence_and_go_to_the_stations_partition() -> None:
    log = Log()
    ours = publisher(InMemoryProducer(log))
    ours.send_blocks("met", "a" * 32, [b"one", b"two", b"three"])
    envelopes = [read_envelope(headers) for _, headers in log.messages]
    assert [(each.attempt, each.sequence) for each in envelopes] == [("a" * 32, 0), ("a" * 32, 1), ("a" * 32, 2)]
    assert ours.partition == partition_of(STATION, 12)


def test_I10_no_more_bytes_are_on_the_way_than_the_window_allows() -> None:
    producer = InMemoryProducer(Log(), hold=True)
    taken: list[int] = []

    def bodies() -> Iterator[bytes]:
        for number in range(40):
            taken.append(number)
            yield bytes(1000)

    sending = threading.Thread(
        target=publisher(producer, window_bytes=4000).send_blocks, args=("met", "a" * 32, bodies())
    )
    sending.start()
    wait_for(producer, 4)
    assert len(producer.held) == 4
    assert len(taken) == 5, "the body that waits is in memory, and no other"
    for number in range(40):
        wait_for(producer, number + 1)
        assert len(producer.held) <= number + 4
        producer.held[number].set_result(Delivered(0, number))
    sending.join(PATIENCE_S)
    assert not sending.is_alive()


def test_blocks_are_sent_only_when_each_is_acknowledged() -> None:
    producer = InMemoryProducer(Log(), hold=True)
    waits: list[float] = []
    ours = Publisher(lambda: producer, "t", STATION, 12, stop=threading.Event(), waiting=waits.append)
    sending = threading.Thread(target=ours.send_blocks, args=("met", "a" * 32, [b"1", b"2"]))
    sending.start()
    wait_for(producer, 2)
    producer.held[1].set_result(Delivered(0, 1))
    looked = len(waits)
    until(lambda: len(waits) >= looked + 2, "it looks again and still waits")
    assert sending.is_alive()
    producer.held[0].set_result(Delivered(0, 0))
    sending.join(PATIENCE_S)
    assert not sending.is_alive()


def test_waiting_ends_when_the_gateway_is_asked_to_stop() -> None:
    stop = threading.Event()
    producer = InMemoryProducer(Log(), hold=True)
    ended: list[BaseException] = []

    def send() -> None:
        try:
            publisher(producer, stop).send_blocks("met", "a" * 32, [b"1"])
        except Stopping as error:
            ended.append(error)

    sending = threading.Thread(target=send)
    sending.start()
    wait_for(producer, 1)
    stop.set()
    sending.join(PATIENCE_S)
    assert ended


def test_that_it_waits_is_said_once_in_a_while(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(publishing, "SAY_AGAIN_S", 0.3)
    producer = InMemoryProducer(Log(), hold=True)
    waits: list[float] = []
    ours = Publisher(lambda: producer, "t", STATION, 12, stop=threading.Event(), waiting=waits.append)
    sending = threading.Thread(target=ours.send_blocks, args=("met", "a" * 32, [b"1"]))
    sending.start()
    until(lambda: "waiting for Kafka" in caplog.text, "a word about Kafka")
    producer.held[0].set_result(Delivered(0, 0))
    sending.join(PATIENCE_S)
    assert waits[:-1] == sorted(waits[:-1])
    assert waits[-1] == 0.0, "that it goes on is told too"


@pytest.mark.parametrize(
    ("heard", "raised"),
    [
        (Retryable("later"), Retryable),
        (Fatal("out of order"), Retryable),
        (Refused("no access"), Refused),
        (Poison("too large"), ConfigurationError),
    ],
)
def test_what_kafka_answers_decides_whether_the_attempt_is_sent_again_or_the_gateway_stops(
    heard: Exception, raised: type[Exception]
) -> None:
    producer = InMemoryProducer(Log(), hold=True)
    made: list[InMemoryProducer] = []

    def connect() -> InMemoryProducer:
        made.append(producer)
        return producer

    ours = Publisher(connect, "t", STATION, 12, stop=threading.Event())

    def fail() -> None:
        wait_for(producer, 1)
        producer.held[0].set_exception(heard)

    failing = threading.Thread(target=fail)
    failing.start()
    with pytest.raises(raised) as error:
        ours.send_blocks("met", "a" * 32, [b"1"])
    failing.join()
    assert type(error.value) is raised
    assert producer.closed == isinstance(heard, Fatal), "a producer that failed for good is made anew"
