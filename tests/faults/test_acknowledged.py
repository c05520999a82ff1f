"""The check of what a cluster acknowledged beside the load complains where it must, and only there."""

from collections.abc import Sequence

import pytest

from tests.faults.cluster import doubled


def log(*numbers: int) -> list[bytes]:
    return [b"message %d" % number for number in numbers]


@pytest.mark.parametrize(
    ("offsets", "values", "twice"),
    [([0, 1, 2], log(0, 1, 2), 0), ([0, 1, 3], log(0, 1, 1, 2), 1), ([0, 0, 2], log(0, 1, 2), 0)],
    ids=["each once", "one twice", "one without a place"],
)
def test_what_is_there_in_order_is_right(offsets: Sequence[int], values: Sequence[bytes], twice: int) -> None:
    assert doubled(offsets, values) == twice


@pytest.mark.parametrize(
    ("offsets", "values"),
    [([0, 1, 2], log(0, 1)), ([0, 1, 2], log(0, 2, 1)), ([0, 2, 1], log(0, 1, 2)), ([0, 1], log(0, 1, 2))],
    ids=["one is lost", "another order", "elsewhere than it was said", "one that nobody sent"],
)
def test_I1_what_is_lost_or_not_where_it_was_said_is_told(offsets: Sequence[int], values: Sequence[bytes]) -> None:
    with pytest.raises(AssertionError):
        doubled(offsets, values)
