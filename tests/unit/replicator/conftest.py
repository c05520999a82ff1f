"""A log and two stores in memory, and pauses that are short."""

import pytest

from b2stream.archive.memory import MemoryStore
from tests.replication.fakelog import FakeLog


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back off as in production, only faster."""
    monkeypatch.setattr("b2stream.work.schedule.FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr("b2stream.work.schedule.LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr("b2stream.work.loop.REPORT_EVERY_S", 0.05)


@pytest.fixture
def first() -> MemoryStore:
    return MemoryStore("csc")


@pytest.fixture
def second() -> MemoryStore:
    return MemoryStore("fzj", reply_timeout_s=0.2)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()
