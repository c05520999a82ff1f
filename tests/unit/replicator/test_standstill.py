"""I13: what does not go on is told: a second centre that takes nothing, who waits for it, reading that stands still."""

import pytest
from prometheus_client import REGISTRY

from b2stream.archive.memory import MemoryStore
from b2stream.errors import AccessRefused, Retryable
from b2stream.monitoring import Health
from tests.replication.batches import archive
from tests.replication.fakelog import FakeLog
from tests.replication.in_thread import running
from tests.unit.replicator.stand import make
from tests.waiting import until


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back off and report as in production, only faster."""
    monkeypatch.setattr("b2stream.work.schedule.FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr("b2stream.work.schedule.LONGEST_PAUSE_S", 0.05)
    monkeypatch.setattr("b2stream.work.schedule.LONGEST_STUCK_PAUSE_S", 0.05)
    monkeypatch.setattr("b2stream.work.loop.REPORT_EVERY_S", 0.02)


def value(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(f"b2stream_replicator_{name}", labels)
    assert found is not None, name
    return found


@pytest.mark.parametrize("error", [AccessRefused("no"), Retryable("nobody")], ids=["refuses", "is-away"])
def test_I13_a_centre_that_takes_nothing_is_named_and_the_program_stays_healthy(
    error: AccessRefused | Retryable,
) -> None:
    log, first, second, health = FakeLog(), MemoryStore("csc"), MemoryStore("fzj"), Health()

    def before(call: str, about: str) -> None:
        if call == "stage":
            raise error

    second.before_call = before
    for number in range(3):
        log.append(archive(first, number, b"wind"))
    with running(make(log, first, second, health=health, outage_ready_s=0.1)):
        until(lambda: "centre" in health.reasons)
        assert health.reasons["centre"].startswith("fzj took nothing")
        waiting = "stuck_batches" if isinstance(error, AccessRefused) else "unanswered_batches"
        until(lambda: value(waiting) >= 1)
        assert value("outage_seconds") > 0
        assert health.healthz()[0], "it makes progress in waiting"
        second.before_call = None
        until(log.all_committed)
        until(lambda: health.readyz()[0])
        until(lambda: value("stuck_batches") == value("unanswered_batches") == value("outage_seconds") == 0)
    for centre in ("csc", "fzj"):
        assert value("centre_answered_seconds", centre=centre) < 60


def test_I13_one_refused_batch_among_good_ones_is_no_outage() -> None:
    log, first, second, health = FakeLog(), MemoryStore("csc"), MemoryStore("fzj"), Health()

    def before(call: str, about: str) -> None:
        if call == "place" and about.startswith("CH-Dav"):
            raise AccessRefused(about)

    second.before_call = before
    log.append(archive(first, 0, b"wind", "CH-Dav"))
    with running(make(log, first, second, health=health, outage_ready_s=1_000.0)):
        until(lambda: value("stuck_batches") == 1)
        log.append(archive(first, 1, b"wind", "SE-Htm"))
        until(lambda: len(log.replicas()) == 1)
        until(lambda: health.readyz()[0])
        assert "centre" not in health.reasons


def test_I10_reading_that_stands_still_is_told_and_counted() -> None:
    log, first, second = FakeLog(), MemoryStore("csc"), MemoryStore("fzj")

    def before(call: str, about: str) -> None:
        raise Retryable("nobody")

    second.before_call = before
    for number in range(8):
        log.append(archive(first, number, b"wind"))
    before_s = value("paused_seconds_total", reason="backlog")
    with running(make(log, first, second, backlog_limit=2)):
        until(lambda: value("paused", reason="backlog") == 1)
        until(lambda: value("paused_seconds_total", reason="backlog") > before_s)
        second.before_call = None
        until(log.all_committed)
        until(lambda: value("paused", reason="backlog") == 0)
