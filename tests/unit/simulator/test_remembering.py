"""What the simulation remembers of the pipeline's functions changes no run of it."""

import logging
import warnings

import pytest

from tests.simulator.exploring import simulating
from tests.simulator.schedule import from_seed
from tests.simulator.simulation import Outcome, run

SEEDS = range(12)


@pytest.fixture
def plainly() -> list[Outcome]:
    """Runs in which nothing is remembered."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a killed process never awaits what it was about to
        outcomes = [run(from_seed(seed), tracing=True) for seed in SEEDS]
    logging.disable(logging.NOTSET)
    return outcomes


def test_remembering_changes_no_run(plainly: list[Outcome]) -> None:
    for _ in range(2):  # the second time everything is known
        with simulating():
            assert [run(from_seed(seed), tracing=True) for seed in SEEDS] == plainly
