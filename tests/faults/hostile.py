"""A producer that means harm, or knows no better: what it writes to the topic of measurements, and what must become of it.

It has two stations of its own. What `FOE` sends can become nothing, each message a dead letter with one reason. What `ODD` sends is
strange and true: it is archived as it is.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from b2stream.contracts.blocks import Block, Variable
from b2stream.contracts.partitions import partition_of
from b2stream.programs.gateway.closing import close_digest
from b2stream.programs.gateway.watch import printable
from tests.faults.chain import PARTITIONS
from tests.faults.load import FOREST, StationFile
from tests.unit.processor.stations import Sent, StationBatch, attempt_name
from tests.waiting import PATIENCE_S

_IN_1970_US, _IN_2100_US = 1_000_000, 4_102_444_800_000_000 + 86_400_000_000
LARGE_BYTES = 10 << 20


def _neighbour(of: str, name: str) -> str:
    """A station of that name's kind whose messages lie in the same partition as another one's."""
    names = (f"{name}{number}" for number in itertools.count())
    return next(each for each in names if partition_of(each, PARTITIONS) == partition_of(of, PARTITIONS))


FOE, ODD = _neighbour(FOREST, "XX-Foe"), _neighbour(FOREST, "XX-Odd")
HOME = partition_of(FOE, PARTITIONS)
ELSEWHERE = (HOME + 1) % PARTITIONS


@dataclass(frozen=True)
class Attack:
    """Messages in their order, each of which becomes a letter of this reason."""

    reason: str
    messages: tuple[Sent, ...]
    is_poison: bool = True
    partition: int | None = None  # None: the station's own


class OddBatch(StationBatch):
    """Rows with values that are none."""

    def _block(self, at: int, piece: bytes) -> Block:
        whole = super()._block(at, piece)
        values = np.array([np.nan, np.inf, -np.inf, 1.0])[np.arange(whole.rows) % 4]
        return replace(whole, variables=(Variable("co2", "umol mol-1", values),))


class NoInstants(StationBatch):
    """Rows whose instants are none."""

    def _block(self, at: int, piece: bytes) -> Block:
        return replace(super()._block(at, piece), offsets_s=np.full(self.rows_per_block, np.inf))


def attacks() -> dict[str, Attack]:
    """Everything that can become nothing, by what it is."""
    numbers = itertools.count(1)

    def batch() -> tuple[StationBatch, str]:
        number = next(numbers)
        return StationBatch(station=FOE, series="attack", number=number), attempt_name(number)

    plain, attempt = batch()
    block, close = plain.block(attempt, 0), plain.close(attempt)
    cut, cut_attempt = batch()
    holed, holed_attempt = batch()
    torn, torn_attempt = batch()
    bare, bare_attempt = batch()
    mute, mute_attempt = batch()
    timeless, timeless_attempt = batch()
    stranger, stranger_attempt = batch()
    newer, newer_attempt = batch()
    later = [replace(each, value=b"\xc3\x01laterone" + each.value[10:]) for each in newer.blocks(newer_attempt)]
    return {
        "truncated Avro, a close": Attack("damaged_avro", (replace(close, value=close.value[:-20]),)),
        "truncated Avro, a block": Attack("damaged_avro", tuple(_first_cut(cut.sent(cut_attempt)))),
        "unknown schema id": Attack("unknown_schema", (replace(block, value=b"\x00\x00\x00\x00\x07rest"),)),
        "unknown fingerprint": Attack(
            "unknown_schema", (replace(block, value=b"\xc3\x01" + bytes(8) + b"x"),), is_poison=False
        ),
        "blocks of a later release": Attack("unknown_schema", tuple(later), is_poison=False),
        "the close of these": Attack("hole", (newer.close(newer_attempt),), is_poison=False),
        "wrong magic byte": Attack("not_avro", (replace(block, value=b"\x7fELF" + bytes(40)),)),
        "empty value": Attack("empty_value", (replace(block, value=b""),)),
        "wrong station, a close": Attack("wrong_station", (replace(_of_forest(attempt), key=FOE.encode()),)),
        "wrong station, blocks": Attack("wrong_series", tuple(_foreign_blocks(stranger, stranger_attempt))),
        "another partition": Attack("wrong_partition", (block,), partition=ELSEWHERE),
        "no headers": Attack("bad_headers", (replace(block, headers=[]),)),
        "key that is no station": Attack("bad_key", (replace(block, key=b"../" + FOE.encode()),)),
        "instants that are none": Attack("bad_block", tuple(_timeless(timeless, timeless_attempt))),
        "a hole in the sequence": Attack(
            "hole", (*_without(holed.blocks(holed_attempt), 1), holed.close(holed_attempt)), is_poison=False
        ),
        "one sequence, two contents": Attack("conflicting_blocks", tuple(_torn(torn, torn_attempt)), is_poison=False),
        "a close without its blocks": Attack("hole", (bare.close(bare_attempt),), is_poison=False),
        "blocks without their close": Attack("abandoned", tuple(mute.blocks(mute_attempt)), is_poison=False),
    }


def oddities() -> list[tuple[StationBatch, list[Sent]]]:
    """What is strange and true, with its messages in the order in which they are sent."""
    early = StationBatch(station=ODD, series="times", number=0, start_us=_IN_1970_US)
    late = StationBatch(station=ODD, series="times", number=1, start_us=_IN_2100_US)
    late = late.with_close(previous=_digest(early, 101))
    odd = OddBatch(station=ODD, series="values", number=0)
    shuffled = StationBatch(station=ODD, series="order", number=0)
    disorder = shuffled.blocks(attempt_name(104))[::-1] * 2
    return [
        (early, early.sent(attempt_name(101))),
        (late, late.sent(attempt_name(102))),
        (odd, odd.sent(attempt_name(103))),
        (shuffled, [*disorder, shuffled.close(attempt_name(104))]),
    ]


def as_file(batch: StationBatch) -> StationFile:
    """The file that such a batch says that it is of."""
    rows = batch.rows_per_block * len(batch.content)
    return StationFile(ODD, printable(f"{batch.stem}.csv"), batch.data_object(), rows)


def flood(count: int) -> list[Sent]:
    """Rubbish, again and again."""
    return [replace(StationBatch(station=FOE).block(attempt_name(0), 0), value=b"rubbish")] * count


class Enemy:
    """Writes to the topic whatever it is given; `compression` as librdkafka calls it."""

    def __init__(self, bootstrap: str, topic: str, compression: str = "none") -> None:
        self._topic = topic
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "compression.type": compression, "message.max.bytes": 4 * LARGE_BYTES}
        )

    def send(self, messages: tuple[Sent, ...] | list[Sent], partition: int | None = None) -> list[int]:
        """Their offsets, once Kafka has acknowledged them. Raises KafkaException where it refuses one."""
        offsets: list[int] = []
        errors: list[KafkaError] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                errors.append(error)
            else:
                offsets.append(message.offset() or 0)

        for message in messages:
            home = HOME if partition is None else partition
            self._producer.produce(
                self._topic, message.value, message.key, home, headers=list(message.headers), on_delivery=delivered
            )
        assert self._producer.flush(PATIENCE_S) == 0, "Kafka does not answer"
        if errors:
            raise KafkaException(errors[0])
        return offsets


def _first_cut(messages: list[Sent]) -> Iterator[Sent]:
    yield replace(messages[0], value=messages[0].value[:-3])
    yield from messages[1:]


def _without(messages: list[Sent], at: int) -> list[Sent]:
    return messages[:at] + messages[at + 1 :]


def _torn(batch: StationBatch, attempt: str) -> Iterator[Sent]:
    yield from batch.blocks(attempt)
    yield replace(batch, content=(b"first,", b"OTHER", b"third")).block(attempt, 1)
    yield batch.close(attempt)


def _of_forest(attempt: str) -> Sent:
    return StationBatch(station=FOREST).close(attempt)


def _foreign_blocks(batch: StationBatch, attempt: str) -> Iterator[Sent]:
    for mine, theirs in zip(batch.blocks(attempt), replace(batch, station=FOREST).blocks(attempt), strict=True):
        yield replace(mine, value=theirs.value)
    yield batch.close(attempt)


def _timeless(batch: StationBatch, attempt: str) -> Iterator[Sent]:
    wrong = NoInstants(station=FOE, series=batch.series, number=batch.number)
    yield from wrong.blocks(attempt)
    yield wrong.close(attempt)


def _digest(batch: StationBatch, number: int) -> str:
    return close_digest(batch.record(attempt_name(number)))
