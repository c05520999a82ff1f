"""What a processor says of itself while it works."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from b2stream.monitoring import Health
from b2stream.programs.processor import stalls
from b2stream.programs.processor.lookout import Lookout
from b2stream.programs.processor.parts import Parts

BEHIND = {0: 12}
GAUGES = ("lag_messages", "open_attempts", "acknowledged_age_seconds")


class Played:
    """A processor with one partition, read up to offset 10 and done up to 7, and Faust, which gives nothing more."""

    def __init__(self) -> None:
        frontier = SimpleNamespace(frontier=lambda: 7)
        self.partitions = {0: SimpleNamespace(next_offset=10, frontier=frontier)}
        self.is_refused = False
        self.oldest: int | None = None

    def crashed(self) -> str | None:
        return None

    def troubles(self, outage_s: float) -> dict[str, str]:
        return {"centre": f"away, after {outage_s:.0f} s that is told"}

    def open_attempts(self) -> int:
        return 3

    def oldest_us(self) -> int | None:
        return self.oldest

    @property
    def parts(self) -> Parts:
        parts: Any = SimpleNamespace(processor=self, source=self)
        return cast(Parts, parts)


@pytest.fixture
def _without_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "STALLED_AFTER_S", -1.0)


@pytest.mark.usefixtures("_without_patience")
def test_I11_faust_that_gives_nothing_while_the_log_holds_more_is_a_complaint() -> None:
    lookout, played = Lookout(Health(), 600.0), Played()
    assert not list(lookout.complaints(played.parts)), "nobody knows where the log ends"
    lookout.ends = BEHIND
    assert ["gave no message" in str(each) for each in lookout.complaints(played.parts)] == [True]
    with lookout.handling():
        assert not list(lookout.complaints(played.parts)), "what it gave last is being handled"


@pytest.mark.usefixtures("_without_patience")
def test_offsets_that_kafka_cannot_keep_are_not_the_fault_of_faust() -> None:
    lookout, played = Lookout(Health(), 600.0), Played()
    lookout.ends, played.is_refused = {0: 10}, True
    lookout.keeps_offsets = False
    assert not list(lookout.complaints(played.parts))
    lookout.keeps_offsets = True
    assert ["acknowledged nothing" in str(each) for each in lookout.complaints(played.parts)] == [True]


def test_I13_lag_and_troubles_are_told(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    health, played = Health(), Played()
    lookout = Lookout(health, 600.0)
    lookout.ends, played.oldest = BEHIND, 1_000_000
    monkeypatch.setattr("b2stream.programs.processor.lookout.time.time", lambda: 10.0 * 86_400)
    lookout.report(played.parts)
    lookout.report(played.parts)
    gauges = {name: REGISTRY.get_sample_value(f"b2stream_processor_{name}") for name in GAUGES}
    assert gauges == {"lag_messages": 5, "open_attempts": 3, "acknowledged_age_seconds": 10 * 86_400 - 1}
    assert health.reasons["centre"] == "away, after 600 s that is told"
    warned = [each.getMessage() for each in caplog.records if each.levelname == "CRITICAL"]
    assert warned == ["the oldest message that is not archived leaves the log in 96 hours"], "once a minute"
