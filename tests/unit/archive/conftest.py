"""A store in memory and a placing with a clock that moves by hand."""

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.placing import Placing, Writer
from tests.unit.archive.pairs import ManualClock


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(reply_timeout_s=10.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def placing(store: MemoryStore, clock: ManualClock) -> Placing:
    return Placing(store, Writer(), "attempt", clock=clock)
