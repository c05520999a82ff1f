"""What the simulator's tests share: one exploration, as long as `SIMULATE_SECONDS` says."""

import itertools
import os
import time
from collections.abc import Iterator

import pytest

from tests.simulator.exploring import Summary, explore, simulating

SECONDS_VARIABLE, SEED_VARIABLE = "SIMULATE_SECONDS", "SIMULATE_SEED"
LEAST_SCHEDULES = 1_500
"""So many are run however slow the machine is: enough for each kind of fault to strike."""


@pytest.fixture(scope="module", autouse=True)
def _simulating() -> Iterator[None]:
    with simulating():
        yield


@pytest.fixture(scope="session")
def explored(request: pytest.FixtureRequest) -> Summary:
    """Many schedules from seeds; the summary is printed when they are done."""
    seconds, first = float(os.environ.get(SECONDS_VARIABLE, "20")), int(os.environ.get(SEED_VARIABLE, "0"))
    until_s = time.monotonic() + seconds
    summary = explore(
        itertools.count(first), lambda so_far: so_far.schedules >= LEAST_SCHEDULES and time.monotonic() > until_s
    )
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\nsimulator, seeds from {first}: {summary}", flush=True)
    return summary
