"""The assembler step by step: what becomes of each block, and what a close finds."""

import tracemalloc
from collections.abc import Callable

import pytest

from b2stream.batches.assembling import Arrival, Assembler, Attempt, Piece
from b2stream.contracts.records import BatchAbandoned


class Log:
    """Blocks as (sequence, bytes) of one attempt, spooled in a list."""

    def __init__(self) -> None:
        self.assembler = Assembler()
        self.spool: list[bytes] = []
        self.offset = 100

    def block(self, sequence: int, content: bytes, name: str = "a", station: str = "HTM") -> Arrival:
        self.offset += 1

        def keep(attempt: Attempt) -> tuple[int, int]:
            self.spool.append(content)
            return len(self.spool) - 1, len(content)

        def same(piece: Piece) -> bool:
            return self.spool[piece.position] == content

        return self.assembler.block(name, station, sequence, self.offset, same, keep)

    def close(self, name: str = "a", station: str = "HTM") -> Attempt:
        self.offset += 1
        return self.assembler.close(name, station, self.offset)


def test_equal_bytes_are_a_duplicate_and_other_bytes_a_conflict_that_stays() -> None:
    log = Log()
    arrivals = [log.block(0, b"x"), log.block(1, b"y"), log.block(0, b"x"), log.block(1, b"z"), log.block(2, b"w")]
    assert arrivals == [Arrival.KEPT, Arrival.KEPT, Arrival.DUPLICATE, Arrival.CONFLICT, Arrival.TO_POISONED]
    attempt = log.close()
    assert attempt.poison == "sequence 1 came with other bytes at offset 104 than at 102"
    assert log.spool == [b"x", b"y"], "nothing is spooled for a poisoned attempt"
    assert log.block(1, b"z") is Arrival.KEPT, "behind its close it is assembled anew"


def test_I2_blocks_come_out_in_sequence_whatever_their_order_of_arrival() -> None:
    log = Log()
    for sequence in (3, 0, 2, 1):
        log.block(sequence, b"%d" % sequence)
    attempt = log.close()
    assert attempt.missing(4) is None
    assert [log.spool[piece.position] for piece in attempt.in_sequence(4)] == [b"0", b"1", b"2", b"3"]
    assert [piece.offset for piece in attempt.in_sequence(4)] == [102, 104, 103, 101]
    assert (attempt.first_offset, attempt.last_offset) == (101, 105)
    assert attempt.size_bytes == 4


@pytest.mark.parametrize(
    ("sequences", "count", "said"),
    [
        ([], 0, None),
        ([0, 1, 2], 3, None),
        ([2, 1, 0], 3, None),
        ([], 1, "0 of 1 blocks are here, the first that is missing is 0"),
        ([0, 1], 3, "2 of 3 blocks are here, the first that is missing is 2"),
        ([0, 2], 3, "2 of 3 blocks are here, the first that is missing is 1"),
        ([1, 2], 3, "2 of 3 blocks are here, the first that is missing is 0"),
        ([0, 1, 3], 3, "3 of 3 blocks are here, the first that is missing is 2"),
        ([0, 1, 2], 2, "3 blocks are here, the close says 2"),
        ([2, 0, 1], 2, "3 blocks are here, the close says 2"),
        ([0, 1], 2**31, f"2 of {2**31} blocks are here, the first that is missing is 2"),
    ],
)
def test_I2_a_hole_is_named(sequences: list[int], count: int, said: str | None) -> None:
    log = Log()
    for sequence in sequences:
        log.block(sequence, b"x")
    assert log.close().missing(count) == said


def test_offsets_are_given_as_runs() -> None:
    log = Log()
    for sequence in (0, 2, 1):
        log.block(sequence, b"x")
    log.block(0, b"y", name="other")
    log.block(3, b"x")
    assert log.close().offset_runs() == ((101, 103), (105, 105))
    assert Attempt("a", "HTM", 1).offset_runs() == ()


def test_I10_the_largest_attempt_is_evicted_and_keeps_only_where_it_began() -> None:
    log = Log()
    log.block(0, b"xx", name="small")
    log.block(0, b"x" * 9, name="large")
    log.block(1, b"x" * 9, name="large")
    largest = log.assembler.largest()
    assert largest is not None
    assert (largest.name, largest.size_bytes) == ("large", 18)
    largest.forget_bytes()
    assert log.block(2, b"x", name="large") is Arrival.TO_EVICTED
    assert log.block(0, b"other", name="large") is Arrival.TO_EVICTED
    next_largest = log.assembler.largest()
    assert next_largest is not None
    assert next_largest.name == "small"
    attempt = log.close("large")
    assert attempt is largest
    assert (attempt.evicted, attempt.first_offset, attempt.last_offset) == (True, 102, 106)


def test_without_bytes_there_is_nothing_to_evict() -> None:
    log = Log()
    assert log.assembler.largest() is None
    log.block(0, b"x")
    log.close()
    assert log.assembler.largest() is None


def test_an_attempt_that_is_evicted_to_make_room_for_its_own_block_does_not_keep_it() -> None:
    assembler = Assembler()

    def evict(attempt: Attempt) -> tuple[int, int]:
        attempt.forget_bytes()
        return 0, 0

    assert assembler.block("a", "HTM", 0, 5, lambda piece: True, evict) is Arrival.TO_EVICTED
    attempt = assembler.close("a", "HTM", 6)
    assert (attempt.evicted, len(attempt), attempt.first_offset) == (True, 0, 5)


def test_a_close_without_blocks_begins_and_ends_at_its_own_offset() -> None:
    attempt = Log().close()
    assert (attempt.first_offset, attempt.last_offset, attempt.missing(0)) == (101, 101, None)


abandonments: list[tuple[Callable[[Log], int], bool]] = [
    (lambda log: log.offset, True),
    (lambda log: log.offset - 1, False),
    (lambda log: log.offset + 1, False),
]


@pytest.mark.parametrize(("names", "takes_effect"), abandonments, ids=["the last", "an earlier", "a later"])
def test_an_abandonment_must_name_the_last_offset(names: Callable[[Log], int], takes_effect: bool) -> None:
    log = Log()
    log.block(0, b"x")
    log.block(1, b"y")
    found = log.assembler.abandon(BatchAbandoned(station="HTM", attempt="a", last_offset=names(log)))
    assert (found is not None) == takes_effect
    assert (("HTM", "a") in log.assembler.open) != takes_effect


def test_an_abandonment_of_another_stations_attempt_takes_no_effect() -> None:
    log = Log()
    log.block(0, b"x")
    assert log.assembler.abandon(BatchAbandoned(station="GAT", attempt="a", last_offset=log.offset)) is None
    assert log.assembler.drop("a", "GAT") is None
    assert log.assembler.drop("a", "HTM") is not None
    assert log.assembler.open == {}


def test_I10_an_open_attempt_needs_a_few_bytes_per_block() -> None:
    tracemalloc.start()
    try:
        attempt = Attempt("a", "HTM", 0)
        for number in range(50_000):
            attempt.add(Piece(number, number, number, 1))
        current_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current_bytes < 50_000 * 32
    assert attempt.missing(50_000) is None
