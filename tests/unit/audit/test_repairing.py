"""Every act of repair is an event that says who did what, when, with which software and under which policy."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.waiting import StoppableClock
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import ObjectEvent
from b2stream.handles.describing import Describing
from b2stream.handles.kinds import read_kinds
from b2stream.handles.memory import MemoryHandles
from b2stream.handles.records import Prefixes
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.repair.planning import ANNOUNCE, DISCARD, REGISTER, Act, RepairPlan
from b2stream.programs.audit.repair.reannouncing import Terms
from b2stream.programs.audit.repair.repairing import Done, Registration, Repair
from b2stream.programs.audit.repair.untold import Told
from b2stream.programs.audit.verify.registered import Registered
from tests.unit.audit.test_reannouncing import store as two_batches
from tests.unit.audit.test_scrubbing import Told as Log
from tests.unit.batches.test_history import COMMIT, REPLICA

NOW_S = 1_780_000_000.0
FIRST, SECOND = "21.T99999", "21.T88888"
ORIGINAL, COPY = f"{FIRST}/{COMMIT.id24}", f"{SECOND}/{COMMIT.id24}"

first = two_batches  # the first centre, with two batches


@dataclass
class Stand:
    """A repair of the first centre and of PID records."""

    first: MemoryStore
    handles: MemoryHandles = field(default_factory=MemoryHandles)
    log: Log = field(default_factory=Log)
    dies: bool = False  # before it tells of a record

    def apply(self, *acts: Act, made_at_us: int = 1) -> list[Done]:
        prefixes = Prefixes(FIRST, SECOND)
        registered = Registered(self.handles, prefixes, Describing("icos", prefixes, read_kinds("")), "csc")

        def register(act: Act) -> Registration:
            outcome = registered.rewrite(act.path, COMMIT, REPLICA)
            if self.dies:
                raise KeyboardInterrupt
            return Registration(outcome, COMMIT)

        repair = Repair(
            {"csc": self.first},
            Announcer(self.log, Framing(), "icos", 3),
            StoppableClock(),
            register=register,
            terms=Terms(policy="icos-1"),
            now_s=lambda: NOW_S,
            who="me@here",
            told=lambda: Told.by(self.told()),
        )
        return list(repair.apply(RepairPlan(list(acts), made_at_us=made_at_us)))

    def told(self) -> list[ObjectEvent]:
        framed = (Framing().unframe(value) for value in self.log.values)
        return [ObjectEvent.from_framed(each) for each in framed if each.schema.name == ObjectEvent.SCHEMA]


@pytest.fixture
def stand(first: MemoryStore) -> Stand:
    return Stand(first)


def register(pid: str = ORIGINAL) -> Act:
    return Act(REGISTER, "csc", pid, COMMIT.batch, why="misregistered: URL is elsewhere")


def manifest_of(store: MemoryStore) -> str:
    return next(state.path for state in store.list() if state.path.endswith(".json"))


def announce(stand: Stand) -> Act:
    return Act(ANNOUNCE, "csc", manifest_of(stand.first), why="no commit event names it")


def discard(stand: Stand) -> Act:
    return Act(DISCARD, "csc", "debris", why="staged more than a day ago")


@pytest.mark.parametrize(
    "act_of", [lambda stand: register(), announce, discard], ids=["register", "announce", "discard"]
)
def test_every_act_is_an_event_with_who_when_software_and_policy(stand: Stand, act_of: Callable[[Stand], Act]) -> None:
    act = act_of(stand)
    (done,) = stand.apply(act)
    assert done.trouble == ""
    (event,) = stand.told()
    assert (event.outcome, event.centre, event.who, event.at_us) == ("success", "csc", "me@here", int(NOW_S * 1e6))
    assert event.software.startswith("b2stream-repair ")
    assert event.policy == "icos-1"
    assert act.why in event.detail


def test_debris_that_was_removed_is_told_of_no_station(stand: Stand) -> None:
    stand.apply(discard(stand))
    (event,) = stand.told()
    assert (event.event, event.path, event.station) == ("deletion", "debris", "")


def test_a_record_that_was_written_is_told_of_its_data_object_by_the_word_of_premis(stand: Stand) -> None:
    stand.apply(register())
    (event,) = stand.told()
    assert (event.event, event.station, event.path) == ("metadata modification", "HTM", COMMIT.path)
    assert (event.batch, event.sha256, event.size_bytes) == (COMMIT.batch, COMMIT.sha256, COMMIT.size_bytes)
    assert event.detail.startswith(f"PID record {ORIGINAL}: registered;")


def test_a_batch_that_was_announced_again_is_told_with_its_batch(stand: Stand) -> None:
    stand.apply(announce(stand))
    (event,) = stand.told()
    assert (event.event, event.path) == ("announcement", manifest_of(stand.first))
    assert event.batch
    assert len(event.batch) == 64


def test_an_act_that_was_refused_is_told_by_nobody(stand: Stand) -> None:
    nowhere = Act(ANNOUNCE, "csc", "SE-Htm/EC/2026/05/nothing.csv.manifest.json")
    elsewhere = register(f"{FIRST}/{'y' * 24}")
    assert [bool(done.trouble) for done in stand.apply(nowhere, elsewhere)] == [True, True]
    assert stand.told() == []


def test_a_record_that_was_written_and_not_told_is_told_by_the_next_run_once(stand: Stand) -> None:
    stand.dies = True
    with pytest.raises(KeyboardInterrupt):
        stand.apply(register(), register(COPY))
    stand.dies = False
    assert stand.told() == []
    assert [done.outcome for done in stand.apply(register(), register(COPY))] == ["it is right already", "registered"]
    assert [event.detail.partition(";")[0] for event in stand.told()] == [
        f"PID record {ORIGINAL}: found right",
        f"PID record {COPY}: registered",
    ]
    stand.apply(register(), register(COPY))
    assert len(stand.told()) == 2, "once"


def test_a_record_that_was_told_before_the_plan_was_made_does_not_count(stand: Stand) -> None:
    stand.apply(register())
    stand.handles.delete(ORIGINAL)
    stand.apply(register(), made_at_us=int(NOW_S * 1e6) + 1)
    assert len(stand.told()) == 2


def test_a_record_that_is_right_already_is_never_told_as_a_copy(stand: Stand) -> None:
    for made_at_us in (1, int(NOW_S * 1e6) + 1):
        for _ in range(2):
            stand.apply(register(), made_at_us=made_at_us)
    told = {(event.event, event.station, event.path) for event in stand.told()}
    assert told == {("metadata modification", "HTM", COMMIT.path)}
