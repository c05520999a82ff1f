"""One factor scales every length, and `FULL=1` takes it away."""

import pytest

from tests.faults import scale


def test_lengths_are_shorter_by_one_factor_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(scale.FULL_VARIABLE, raising=False)
    assert [scale.scaled_s(full_s) for full_s in (0, 90, 900)] == [0, 90 / scale.SHORTER_BY, 900 / scale.SHORTER_BY]
    assert f"1/{scale.SHORTER_BY:g} " in scale.told()


@pytest.mark.parametrize(
    ("given", "length_s"), [("1", 900.0), ("", 900 / scale.SHORTER_BY), ("0", 900 / scale.SHORTER_BY)]
)
def test_full_lengths_are_asked_for_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, given: str, length_s: float
) -> None:
    monkeypatch.setenv(scale.FULL_VARIABLE, given)
    assert scale.scaled_s(900) == length_s
    assert ("full lengths" in scale.told()) is (given == "1")


def test_a_broker_that_is_away_outlasts_a_consumers_session() -> None:
    assert 90 / scale.SHORTER_BY > 10
