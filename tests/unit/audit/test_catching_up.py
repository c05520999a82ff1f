"""The history of days reaches each centre that answers, and what one of them lacks is brought there by a later run."""

from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.waiting import StoppableClock
from b2stream.contracts.framing import Framing
from b2stream.errors import AccessRefused, PlaceTaken, Refused, Retryable
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.events import INGESTION
from b2stream.programs.audit.history.catching_up import Archiving
from b2stream.programs.audit.history.daily import FOLDER, stem_of
from tests.unit.audit.test_daily import DAY, NOON
from tests.unit.audit.test_daily import Told as Log
from tests.unit.audit.test_scrubbing import Told
from tests.unit.batches.test_history import COMMIT, REPLICA, event

ONE, OTHER = "DE-HoH", "SE-Htm"
DAY_US = 86_400 * 1_000_000


@dataclass
class Stand:
    """Two centres, and a log in which two stations commit a batch on each of three days up to DAY."""

    first: MemoryStore = field(default_factory=lambda: MemoryStore("csc"))
    second: MemoryStore = field(default_factory=lambda: MemoryStore("fzj"))
    log: Log = field(default_factory=Log)
    told: Told = field(default_factory=Told)

    def __post_init__(self) -> None:
        for number in range(3):
            for station in (ONE, OTHER):
                batch = f"{station}{number}".encode().hex().ljust(64, "0")
                at_us = NOON - number * DAY_US
                self.log.committed.append(replace(COMMIT, batch=batch, station=station, committed_at_us=at_us))

    def run(self, days_back: int = 14, day: date = DAY) -> list[tuple[str, str, bool]]:
        """(centre, path, whether it was there); what it told is in the log afterwards."""
        announcer = Announcer(self.told, Framing(), "icos", 3)
        archiving = Archiving(self.log, (self.first, self.second), announcer, StoppableClock(), "me@here")
        try:
            return [(done.centre, done.path, done.was_there) for done in archiving.run(day, days_back)]
        finally:
            self.log.done = [each for each in self.log.done if each.event != INGESTION] + self.told.events()

    def days(self, store: MemoryStore) -> list[str]:
        """Station and day of each document at a centre."""
        return sorted(state.path.rpartition("/")[2].partition("~")[0] for state in store.list(FOLDER))


@pytest.fixture
def stand() -> Stand:
    return Stand()


ALL = sorted(f"{station}_202{day}" for station in (ONE, OTHER) for day in ("60629", "60630", "60701"))


@pytest.mark.parametrize("error", [Retryable("csc is down"), Refused("asking csc"), AccessRefused("csc")])
def test_a_centre_that_does_not_answer_keeps_no_document_from_the_other(stand: Stand, error: Exception) -> None:
    stand.first.fail("describe", error)
    with pytest.raises(type(error)):
        stand.run()
    assert (stand.days(stand.first), stand.days(stand.second)) == ([], ALL)
    assert len([call for call in stand.first.calls if call[0] == "describe"]) == 1, "it is asked no more"


def test_what_a_centre_refuses_for_one_station_is_raised_when_the_others_are_done(stand: Stand) -> None:
    stand.first.fail("describe", PlaceTaken("somebody else's"))
    with pytest.raises(PlaceTaken):
        stand.run(0)
    assert (stand.days(stand.first), stand.days(stand.second)) == ([f"{OTHER}_20260701"], ALL[2::3])


def test_a_later_run_brings_what_a_centre_lacks_and_tells_it_once(stand: Stand) -> None:
    stand.second.available = False
    for day in (DAY - timedelta(days=2), DAY - timedelta(days=1)):
        with pytest.raises(Retryable):
            stand.run(0, day)
    stand.second.available = True
    stand.run()
    assert stand.days(stand.first) == stand.days(stand.second) == ALL
    told = [(each.centre, each.path) for each in stand.told.events()]
    assert len(told) == len(set(told)) == 2 * len(ALL)
    again = stand.run()
    assert {(path.partition("~")[0], was_there) for _, path, was_there in again} == {
        (stem_of(station, DAY), True) for station in (ONE, OTHER)
    }, "the days before are at both centres"
    assert len(stand.told.events()) == len(told)


def test_a_day_is_missed_also_where_something_else_than_a_commit_happened_on_it(stand: Stand) -> None:
    earlier = replace(COMMIT, committed_at_us=NOON - 9 * DAY_US)
    copied = replace(REPLICA, commit=earlier, replicated_at_us=NOON - 5 * DAY_US)
    checked = replace(event(0), at_us=NOON - 4 * DAY_US)
    stand.log = Log([earlier], [copied], [checked])
    stand.run(6)
    assert stand.days(stand.first) == [f"{COMMIT.station}_20260626", f"{COMMIT.station}_20260627"]


def test_a_day_that_somebody_names_is_archived_alone(stand: Stand) -> None:
    stand.run(0)
    assert stand.days(stand.first) == stand.days(stand.second) == ALL[2::3]


def test_kafka_that_acknowledges_nothing_is_told_instead_of_waited_for(stand: Stand) -> None:
    class Silent(Told):
        def publish(self, *args: Any) -> "Future[Any]":
            return Future()

    announcer = Announcer(Silent(), Framing(), "icos", 3)
    archiving = Archiving(stand.log, (stand.first,), announcer, StoppableClock(), "me", acknowledged_within_s=0.0)
    with pytest.raises(Retryable, match="Kafka did not acknowledge"):
        list(archiving.run(DAY))
