"""The frontier of a partition, compared with the definition: nothing unfinished, and nothing unread, lies before it."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2stream.batches.progress import OffsetFrontier
from b2stream.errors import BrokenInvariant


@given(st.integers(0, 2**62), st.lists(st.booleans(), max_size=60), st.data())
def test_I8_the_frontier_is_the_lowest_unfinished_offset_in_any_order_of_finishing(
    first: int, begins_work: list[bool], data: st.DataObject
) -> None:
    frontier = OffsetFrontier(first)
    unfinished: list[int] = []
    next_offset = first
    seen = [frontier.frontier()]
    for begins in begins_work:
        if begins:
            frontier.begin(next_offset)
            unfinished.append(next_offset)
        else:
            frontier.read(next_offset)
        next_offset += 1
        while data.draw(st.booleans()) and unfinished:
            done = data.draw(st.sampled_from(unfinished))
            frontier.finish(done)
            unfinished.remove(done)
        assert frontier.frontier() == min([*unfinished, next_offset])
        assert frontier.unfinished() == len(unfinished)
        seen.append(frontier.frontier())
    assert seen == sorted(seen)
    for done in data.draw(st.permutations(unfinished)):
        frontier.finish(done)
    assert frontier.frontier() == next_offset


def test_I8_two_units_that_hold_one_offset_both_have_to_finish() -> None:
    frontier = OffsetFrontier(5)
    frontier.begin(5)
    frontier.begin(5)
    frontier.begin(6)
    frontier.finish(5)
    assert frontier.frontier() == 5
    frontier.finish(5)
    assert frontier.frontier() == 6


def test_I8_work_may_hold_an_offset_below_the_last_one_read_but_not_behind_the_frontier() -> None:
    frontier = OffsetFrontier(0)
    frontier.begin(0)
    frontier.read(9)
    frontier.begin(4)
    frontier.finish(0)
    assert frontier.frontier() == 4
    with pytest.raises(BrokenInvariant, match="offset 3"):
        frontier.begin(3)


def test_finishing_what_was_never_begun_is_a_broken_invariant() -> None:
    frontier = OffsetFrontier(0)
    with pytest.raises(BrokenInvariant):
        frontier.finish(0)
    frontier.begin(0)
    frontier.finish(0)
    with pytest.raises(BrokenInvariant):
        frontier.finish(0)


def test_I10_finished_work_behind_an_old_unfinished_one_costs_no_memory() -> None:
    frontier = OffsetFrontier(0)
    frontier.begin(0)
    tracemalloc.start()
    try:
        for offset in range(10**9, 10**9 + 30_000):
            frontier.begin(offset)
            frontier.finish(offset)
        held_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held_bytes < 300_000, "a million of them must not cost 40 MB"
    assert frontier.frontier() == 0
    frontier.finish(0)
    assert frontier.frontier() == 10**9 + 30_000


def test_offsets_that_the_log_left_out_do_not_hold_the_frontier_back() -> None:
    frontier = OffsetFrontier(10)
    frontier.begin(14)
    frontier.finish(14)
    assert frontier.frontier() == 15
