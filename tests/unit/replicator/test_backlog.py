"""What fills the replicator's memory and what does not: refused batches are set aside, and the rest is read on."""

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.errors import AccessRefused
from tests.replication.batches import archive
from tests.replication.fakelog import FakeLog
from tests.replication.in_thread import running
from tests.unit.replicator.stand import make
from tests.waiting import until

LIMIT = 5


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back off as in production, only faster."""
    monkeypatch.setattr("b2stream.work.schedule.FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr("b2stream.work.schedule.LONGEST_STUCK_PAUSE_S", 0.1)


class Deployment:
    """A log and two centres in memory; the second refuses the stations in `without_permission`."""

    def __init__(self, *without_permission: str) -> None:
        self.without_permission = set(without_permission)
        self.log, self.first, self.second = FakeLog(), MemoryStore("csc"), MemoryStore("fzj")
        self.second.before_call = self._check
        self.refusals = 0

    def _check(self, call: str, about: str) -> None:
        if call == "place" and about.partition("/")[0] in self.without_permission:
            self.refusals += 1
            raise AccessRefused(about)

    def commit(self, station: str, numbers: range) -> None:
        """Batches at the first centre, announced."""
        for number in numbers:
            self.log.append(archive(self.first, number, b"wind %d" % number, station))


def test_I11_a_station_without_permission_never_stops_the_others_however_many_of_its_batches_wait() -> None:
    deployment = Deployment("CH-Dav")
    log = deployment.log
    deployment.commit("CH-Dav", range(4 * LIMIT))
    deployment.commit("SE-Htm", range(100, 100 + 4 * LIMIT))
    with running(make(log, deployment.first, deployment.second, backlog_limit=LIMIT)):
        until(lambda: sum(event.commit.station == "SE-Htm" for event in log.replicas()) == 4 * LIMIT)
        assert {event.commit.station for event in log.replicas()} == {"SE-Htm"}
        deployment.without_permission.clear()
        until(log.all_committed)
    assert log.letters() == []


def test_I10_beyond_their_limit_refused_batches_count_as_backlog_and_reading_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("b2stream.work.loop.SET_ASIDE_LIMIT", 2)
    deployment = Deployment("CH-Dav")
    log = deployment.log
    deployment.commit("CH-Dav", range(100))
    with running(make(log, deployment.first, deployment.second, backlog_limit=LIMIT)):
        until(lambda: deployment.refusals > 50)
        assert log.lag() > 80
        deployment.without_permission.clear()
        until(log.all_committed)
