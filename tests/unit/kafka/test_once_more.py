"""A range that is read once more: what it goes on after, and what ends it."""

from typing import Any

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, TopicPartition

from b2stream.errors import LostOffsets, Refused, Retryable
from b2stream.kafka import once_more, read_range


class Given:
    """What librdkafka gives: an offset, or an error."""

    def __init__(self, offset: int | None, code: int | None) -> None:
        self._offset = offset
        self._code = code

    def error(self) -> KafkaError | None:
        return None if self._code is None else KafkaError(self._code)

    def offset(self) -> int | None:
        return self._offset

    def partition(self) -> int:
        return 3

    def topic(self) -> str:
        return "t"

    def key(self) -> bytes:
        return b"station"

    value = key

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return TIMESTAMP_LOG_APPEND_TIME, 1


class Client:
    """A log with offsets 0 to 9; `says` is what poll gives first, then the log from where it was assigned."""

    def __init__(self, *says: int) -> None:
        self.starts = [0]
        self.says = list(says)
        self.assigned: list[int] = []
        self.closed = False

    def get_watermark_offsets(self, which: TopicPartition, timeout: float) -> tuple[int, int]:
        return self.starts.pop() if len(self.starts) > 1 else self.starts[0], 10

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned.append(partitions[0].offset)
        self.next = partitions[0].offset

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("t", 3)]

    def poll(self, timeout_s: float) -> Given:
        if self.says and self.next > 4:
            return Given(None, self.says.pop(0))
        self.next += 1
        return Given(self.next - 1, None)

    def close(self) -> None:
        self.closed = True

    def read(self, monkeypatch: pytest.MonkeyPatch, *, give_up: bool = False) -> list[int]:
        monkeypatch.setattr(once_more, "Consumer", lambda _settings: self)
        found: Any = read_range("127.0.0.1:1", "t", 3, 4, 6, client_id="test", give_up=lambda: give_up)
        return [each.offset for each in found]


def test_the_range_is_read_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    assert client.read(monkeypatch) == [4, 5, 6]
    assert client.closed


@pytest.mark.parametrize("code", [KafkaError._BAD_MSG, KafkaError._AUTO_OFFSET_RESET])
def test_I3_after_a_batch_that_did_not_hold_it_goes_on_where_it_stood(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    client = Client(code)
    assert client.read(monkeypatch) == [4, 5, 6]
    assert client.assigned == [4, 5]


@pytest.mark.parametrize("code", [KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._TRANSPORT])
def test_I11_a_broker_that_is_away_or_knows_no_topic_for_a_moment_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    client = Client(code, code)
    assert client.read(monkeypatch) == [4, 5, 6]
    assert client.assigned == [4]


def test_I8_what_the_log_does_not_hold_any_more_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    begun_too_late = Client()
    begun_too_late.starts = [5]
    with pytest.raises(LostOffsets, match=r"t\[3\] does not hold 4, it holds 5 to 10"):
        begun_too_late.read(monkeypatch)
    overtaken = Client(KafkaError._AUTO_OFFSET_RESET)
    overtaken.starts = [8, 0]
    with pytest.raises(LostOffsets, match=r"t\[3\] does not hold 5"):
        overtaken.read(monkeypatch)
    assert overtaken.closed


def test_a_refusal_is_told_and_a_stop_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused):
        Client(KafkaError.TOPIC_AUTHORIZATION_FAILED).read(monkeypatch)
    with pytest.raises(Retryable, match=r"t\[3\] from 4: stopped while reading"):
        Client().read(monkeypatch, give_up=True)
