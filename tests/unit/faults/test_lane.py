"""What each fault makes of bytes, at exact times."""

import math
from typing import Any

import pytest

from tests.faults.proxy.lane import DOWN, ENDS, UP, Fault, Lane, Piece

WORD = b"0123456789"


def lane(fault: Fault, direction: str = UP) -> Lane:
    made = Lane(direction)
    made.set(fault)
    return made


def taken(of: Lane, *chunks: bytes, now_s: float = 100.0, may_hit: bool = True) -> list[Piece]:
    return [piece for chunk in chunks for piece in of.take(chunk, now_s, lambda: may_hit)]


def content(pieces: list[Piece]) -> bytes:
    return b"".join(piece.content for piece in pieces)


def test_without_a_fault_bytes_pass_at_once() -> None:
    assert taken(Lane(DOWN), WORD, WORD) == [Piece(WORD, 100.0)] * 2


def test_a_delay_moves_each_byte_by_the_same_time_and_a_hold_keeps_them() -> None:
    slow = lane(Fault("delay", seconds=2.5))
    assert taken(slow, WORD) == [Piece(WORD, 102.5)]
    assert taken(slow, WORD, now_s=100.1) == [Piece(WORD, 102.6)]
    assert taken(lane(Fault("hold", after_bytes=4)), WORD) == [Piece(WORD[:4], 100.0), Piece(WORD[4:], math.inf)]


def test_a_throttle_lets_so_many_bytes_through_each_second_and_saves_nothing_up() -> None:
    slow = lane(Fault("throttle", bytes_per_s=5))
    assert [piece.due_s for piece in taken(slow, WORD, WORD)] == [102.0, 104.0]
    assert [piece.due_s for piece in taken(slow, WORD, now_s=200.0)] == [202.0]


@pytest.mark.parametrize("chunks", [[WORD, WORD], [WORD + WORD], [bytes([byte]) for byte in WORD + WORD]])
@pytest.mark.parametrize("position", [0, 1, 9, 10, 19])
def test_one_byte_is_flipped_at_its_position_however_the_bytes_are_cut(chunks: list[bytes], position: int) -> None:
    flipped = content(taken(lane(Fault("flip", after_bytes=position)), *chunks))
    assert [at for at, (one, other) in enumerate(zip(flipped, WORD + WORD, strict=True)) if one != other] == [position]


@pytest.mark.parametrize("kind", ENDS)
@pytest.mark.parametrize("chunks", [[WORD], [WORD[:4], WORD[4:]], [WORD[:3], WORD[3:]]])
def test_an_end_comes_after_exactly_so_many_bytes(kind: str, chunks: list[bytes]) -> None:
    pieces = taken(lane(Fault(kind, after_bytes=4)), *chunks)
    assert content(pieces) == WORD[:4]
    ended = [bool(piece.end) for piece in pieces]
    assert pieces[ended.index(True)].end == kind
    assert content(pieces[: ended.index(True) + 1]) == WORD[:4]


def test_an_end_needs_no_byte_after_its_position() -> None:
    assert [piece.end for piece in taken(lane(Fault("cut", after_bytes=10)), WORD)] == ["cut"]


def test_a_black_hole_swallows_and_knows_that_the_stream_has_a_hole() -> None:
    swallowing = lane(Fault("black_hole", after_bytes=12))
    assert content(taken(swallowing, WORD)) == WORD
    assert not swallowing.swallowed
    assert content(taken(swallowing, WORD, WORD)) == WORD[:2]
    assert swallowing.swallowed


@pytest.mark.parametrize("chunks", [[b"abc sha2:xyz"], [b"abc sh", b"a2:xyz"], [b"abc sha2:", b"xyz"]])
def test_a_trigger_is_found_across_chunks_and_counts_from_where_it_begins(chunks: list[bytes]) -> None:
    assert content(taken(lane(Fault("flip", trigger="sha2:", after_bytes=5)), *chunks)) == b"abc sha2:yyz"


def test_what_comes_after_a_trigger_of_the_other_direction_is_struck() -> None:
    fault = Fault("black_hole", DOWN, trigger="go", trigger_in=UP, after_bytes=2)
    requests, replies = lane(fault, UP), lane(fault, DOWN)
    requests.other = replies
    assert content(taken(replies, WORD)) == WORD
    assert content(taken(requests, b"let it ", b"go")) == b"let it go"
    assert content(taken(replies, WORD, WORD)) == WORD[:2]


def test_before_its_trigger_nothing_happens() -> None:
    waiting = lane(Fault("black_hole", trigger="never"))
    assert content(taken(waiting, WORD, WORD)) == WORD + WORD
    assert not waiting.swallowed


def test_a_fault_concerns_its_direction_and_what_it_may_hit() -> None:
    assert content(taken(lane(Fault("black_hole", DOWN), UP), WORD)) == WORD
    assert content(taken(lane(Fault("black_hole")), WORD, may_hit=False)) == WORD


def test_a_position_counts_from_when_the_fault_was_set() -> None:
    later = Lane(UP)
    taken(later, WORD)
    later.set(Fault("flip", after_bytes=0))
    assert content(taken(later, WORD)) == b"1123456789"


@pytest.mark.parametrize(
    "wrong", [{"kind": "explode"}, {"direction": "left"}, {"after_bytes": -1}, {"bytes_per_s": 0}, {"seconds": -1.0}]
)
def test_a_fault_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"kind is|no number"):
        Fault(**wrong)
