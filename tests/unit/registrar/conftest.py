"""Back off as in production, only faster."""

import pytest

from tests.unit.registrar.stand import Stand


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("b2stream.work.schedule.FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr("b2stream.work.schedule.LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr("b2stream.work.schedule.LONGEST_STUCK_PAUSE_S", 0.1)
    monkeypatch.setattr("b2stream.work.loop.REPORT_EVERY_S", 0.05)
    monkeypatch.setattr("b2stream.work.loop.SECOND_LOOK_S", 0.02)


@pytest.fixture
def stand() -> Stand:
    return Stand()
