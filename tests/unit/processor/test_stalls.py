"""I11, I13: a Faust that stands still without a word is noticed, and only where nobody else is to blame."""

import pytest

from b2stream.programs.processor.stalls import STALLED_AFTER_S, Stalls


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stalls(clock: Clock) -> Stalls:
    return Stalls(clock)


@pytest.mark.parametrize(
    ("is_behind", "is_refused", "said"), [(True, False, "gave no message"), (False, True, "acknowledged nothing")]
)
def test_I11_a_stall_is_noticed_in_less_than_a_minute_and_not_at_once(
    stalls: Stalls, clock: Clock, is_behind: bool, is_refused: bool, said: str
) -> None:
    seconds = 0
    while (error := stalls.look(is_behind=is_behind, is_refused=is_refused)) is None:
        seconds += 1
        clock.now_s += 1.0
        assert seconds < 60
    assert seconds > STALLED_AFTER_S
    assert said in str(error)


def test_a_break_starts_the_time_again(stalls: Stalls, clock: Clock) -> None:
    for _ in range(10):
        assert stalls.look(is_behind=True, is_refused=True) is None
        clock.now_s += STALLED_AFTER_S - 1.0
        assert stalls.look(is_behind=True, is_refused=True) is None
        assert stalls.look(is_behind=False, is_refused=False) is None


def test_a_message_between_two_looks_starts_the_time_again_but_not_that_of_acknowledging(
    stalls: Stalls, clock: Clock
) -> None:
    assert stalls.look(is_behind=True, is_refused=True) is None
    clock.now_s += STALLED_AFTER_S + 1.0
    stalls.took_a_message()
    error = stalls.look(is_behind=True, is_refused=True)
    assert "acknowledged nothing" in str(error)
    assert stalls.look(is_behind=True, is_refused=False) is None
