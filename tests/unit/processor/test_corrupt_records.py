"""A record batch whose checksum does not hold: what came before it is taken, and it is asked for again; nothing is passed over."""

from typing import Any

import aiokafka.consumer.fetcher
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

import b2stream.programs.processor.source  # noqa: F401 - what it does to aiokafka is what is tested

PARTITION = TopicPartition("measurements", 3)


def batch(first_offset: int, *values: bytes) -> bytearray:
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 20)
    for number, value in enumerate(values):
        builder.append(number, 0, None, value, [])
    built = bytearray(builder.build())
    built[:8] = first_offset.to_bytes(8, "big")
    return built


def fetched(content: bytearray, offset: int) -> Any:
    """What aiokafka's fetcher makes of an answer."""
    records = MemoryRecords(bytes(content))
    return aiokafka.consumer.fetcher.PartitionRecords(PARTITION, records, [], offset, None, None, True, 0)


@pytest.mark.parametrize("position", [-1, -3, 25])
def test_I2_a_batch_that_changed_on_the_way_ends_what_was_fetched_and_is_next(position: int) -> None:
    changed = batch(12, b"c", b"d")
    changed[position] ^= 1
    taken = fetched(batch(10, b"a", b"b") + changed + batch(14, b"e"), 10)
    assert [record.value for record in taken] == [b"a", b"b"]
    assert taken.next_fetch_offset == 12
    assert list(taken) == []


def test_a_batch_that_is_right_is_taken_whole() -> None:
    taken = fetched(batch(10, b"a", b"b") + batch(12, b"c"), 11)
    assert [record.offset for record in taken] == [11, 12]
    assert taken.next_fetch_offset == 13
