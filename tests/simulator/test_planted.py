"""Planted bugs: the judge complains of each, and not without it."""

import itertools

import pytest

from tests.simulator.exploring import described
from tests.simulator.plants import PLANTS
from tests.simulator.schedule import Schedule, from_seed
from tests.simulator.simulation import Outcome, run

MOST_SEEDS = 600


@pytest.mark.parametrize("name", PLANTS)
def test_the_judge_complains_of_a_planted_bug(name: str) -> None:
    expected = PLANTS[name][1]
    seed, schedule, outcome = _first_complaint(name)
    named = {violation.split(":")[0] for violation in outcome.violations}
    assert named & expected, described(seed, schedule, outcome)
    clean = run(schedule)
    assert not clean.violations, "the same schedule without the plant"


def _first_complaint(name: str) -> tuple[int, Schedule, Outcome]:
    plant = PLANTS[name][0]
    for seed in itertools.islice(itertools.count(), MOST_SEEDS):
        schedule = from_seed(seed)
        with plant():
            outcome = run(schedule)
        if outcome.violations:
            return seed, schedule, outcome
    raise AssertionError(f"nobody noticed in {MOST_SEEDS} schedules: {name}")
