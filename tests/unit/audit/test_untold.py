"""A repair that was killed between an act and its event: the next run tells it, once, with the time and batch of then."""

import hashlib
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.waiting import StoppableClock
from b2stream.contracts.framing import Framing
from b2stream.errors import Retryable
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.repair.planning import COPY, TELL, Act, RepairPlan
from b2stream.programs.audit.repair.repairing import Repair
from b2stream.programs.audit.repair.untold import Told, untold
from tests.unit.audit.test_scrubbing import Told as Log

PATH, CONTENT, BATCH = "SE-Htm/EC/2026/05/a.csv", b"measured", "b" * 64
MOVED_S = 1_780_000_000.0
ASIDE = f".quarantine/{PATH}.20260528T202640Z.0"


@dataclass
class Stand:
    """A damaged copy at the second centre, and a plan that mends it."""

    first: MemoryStore = field(default_factory=lambda: MemoryStore("csc"))
    second: MemoryStore = field(default_factory=lambda: MemoryStore("fzj"))
    log: Log = field(default_factory=Log)

    def __post_init__(self) -> None:
        self.first.put(PATH, CONTENT)
        self.second.put(PATH, b"damaged!")

    def plan(self, made_at_us: int = 1) -> RepairPlan:
        sha256 = hashlib.sha256(CONTENT).hexdigest()
        act = Act(COPY, "fzj", PATH, BATCH, "csc", len(CONTENT), sha256, "altered")
        return RepairPlan([act], made_at_us=made_at_us)

    def repair(self) -> Repair:
        stores = {"csc": self.first, "fzj": self.second}
        return Repair(
            stores,
            Announcer(self.log, Framing(), "icos", 3),
            StoppableClock(),
            now_s=lambda: MOVED_S,
            told=lambda: Told.by(self.log.events()),
            batch_of=lambda path: BATCH if path == PATH else "",
        )

    def told(self) -> list[str]:
        return [event.event for event in self.log.events()]

    def forget(self, event: str) -> None:
        """As if the process had been killed before it told."""
        values = zip(self.log.values, self.log.events(), strict=True)
        self.log.values = [value for value, each in values if each.event != event]


@pytest.fixture
def stand() -> Stand:
    made = Stand()
    list(made.repair().apply(made.plan()))
    assert made.told() == ["quarantine", "replication"]
    return made


def test_what_was_moved_and_not_told_is_told_with_its_time_and_batch(stand: Stand) -> None:
    stand.forget("quarantine")
    assert [each.aside for each in untold([stand.second], Told.by(stand.log.events()))] == [ASIDE]
    first, *_ = list(stand.repair().apply(stand.plan()))
    assert (first.act.act, first.act.path, first.outcome) == (TELL, PATH, "told")
    event = stand.log.events()[-1]
    assert (event.event, event.batch, event.at_us) == ("quarantine", BATCH, int(MOVED_S * 1e6))
    assert event.detail.startswith(f"moved to {ASIDE};")
    assert list(stand.repair().apply(RepairPlan())) == [], "once"


def test_a_copy_that_was_placed_and_not_told_is_told(stand: Stand) -> None:
    stand.forget("replication")
    (done,) = stand.repair().apply(stand.plan())
    assert done.outcome == "it is right already"
    assert stand.told() == ["quarantine", "replication"]
    list(stand.repair().apply(stand.plan()))
    assert stand.told() == ["quarantine", "replication"], "once"


def test_of_a_copy_that_is_right_and_not_told_only_what_is_known_is_told(stand: Stand) -> None:
    stand.forget("replication")
    list(stand.repair().apply(stand.plan()))
    assert stand.log.events()[-1].detail == "found right; no event tells who placed it; altered"


def test_a_day_that_was_copied_or_set_aside_is_told_under_its_station() -> None:
    day = ".provenance/SE-Htm/2026/05/SE-Htm_20260528~abcdefghijkl.prov.json"
    made = Stand()
    made.first.put(day, CONTENT)
    made.second.put(day, b"damaged!")
    (act,) = made.plan().acts
    list(made.repair().apply(RepairPlan([replace(act, path=day, batch="")], made_at_us=1)))
    assert [(event.event, event.station) for event in made.log.events()] == [
        ("quarantine", "SE-Htm"),
        ("replication", "SE-Htm"),
    ]


def test_kafka_that_goes_away_ends_a_repair_with_a_sentence(stand: Stand) -> None:
    class Silent(Log):
        def publish(self, *args: Any) -> "Future[Any]":
            return Future()

    stand.second.put(PATH, b"damaged again")
    repair = replace(stand.repair(), announcer=Announcer(Silent(), Framing(), "icos", 3), acknowledged_within_s=0.0)
    with pytest.raises(Retryable, match="Kafka did not acknowledge the event about"):
        list(repair.apply(stand.plan()))


def test_a_copy_that_was_told_before_the_plan_was_made_is_told_again(stand: Stand) -> None:
    list(stand.repair().apply(stand.plan(made_at_us=int(MOVED_S * 1e6) + 1)))
    assert stand.told() == ["quarantine", "replication", "replication"]


def test_nothing_was_told_in_between_and_all_of_it_is_told_by_the_next_run(stand: Stand) -> None:
    stand.log.values.clear()
    list(stand.repair().apply(stand.plan()))
    assert stand.told() == ["quarantine", "replication"]
