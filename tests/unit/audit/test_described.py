"""Commit events from manifests say what the descriptions say by now, and a description that changed makes no finding."""

from dataclasses import replace

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.waiting import StoppableClock
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchCommitted, BatchReplicated
from b2stream.contracts.stations import UNDESCRIBED, Described
from b2stream.handles.describing import Describing
from b2stream.handles.kinds import Kind
from b2stream.handles.memory import MemoryHandles
from b2stream.handles.records import Prefixes
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.repair.planning import ANNOUNCE, Act, RepairPlan
from b2stream.programs.audit.repair.reannouncing import Terms, reannounce
from b2stream.programs.audit.repair.repairing import Repair
from b2stream.programs.audit.verify.checks import Outcome
from b2stream.programs.audit.verify.registered import Registered
from b2stream.programs.audit.verify.subjects import Subject, subject_of
from b2stream.programs.audit.verify.verifying import Verifier
from b2stream.software import who_runs_this
from tests.unit.audit.test_daily import Told as TheLog
from tests.unit.audit.test_reannouncing import store as two_batches
from tests.unit.audit.test_scrubbing import Told

store = two_batches
PREFIXES = Prefixes("21.T1")
DESCRIBING = Describing("icos", PREFIXES, {"test": Kind("atmosphere", 1)})
BEFORE, SINCE = Described("ecosystem", 0), Described("ocean", 2)


def announced(store: MemoryStore, described: Described) -> list[BatchCommitted]:
    told = Told()
    announcer = Announcer(told, Framing(), "icos", 3)
    found = list(reannounce(store, announcer, terms=Terms("21.T1", described=lambda station, series: described)))
    assert [each.trouble for each in found] == ["", ""]
    return [BatchCommitted.from_framed(Framing().unframe(value)) for value in told.values]


def wrong_attributes(store: MemoryStore, subject: Subject) -> list[str]:
    registered = Registered(MemoryHandles(), PREFIXES, DESCRIBING, "csc")
    checks = list(Verifier([store], registered=registered).verify(subject))
    about = [check for check in checks if "attribute" in check.about]
    assert about
    return [check.about for check in about if check.outcome is Outcome.BAD]


@pytest.mark.parametrize("described", [UNDESCRIBED, BEFORE, Described("ocean", None)])
def test_I12_an_event_from_a_manifest_says_what_the_descriptions_say_by_now_and_who_announced_it(
    store: MemoryStore, described: Described
) -> None:
    for event in announced(store, described):
        assert Described(event.theme, event.data_level) == described
        assert event.who == who_runs_this()


def test_what_repair_announces_says_so_as_well(store: MemoryStore) -> None:
    path = next(state.path for state in store.list() if state.path.endswith(".json"))
    told = Told()
    announcer = Announcer(told, Framing(), "icos", 3)
    repair = Repair({"csc": store}, announcer, StoppableClock(), Terms(described=lambda station, series: BEFORE))
    (done,) = repair.apply(RepairPlan([Act(ANNOUNCE, "csc", path)]))
    assert done.outcome == "announced"
    event = BatchCommitted.from_framed(Framing().unframe(told.values[0]))
    assert (event.theme, event.data_level) == ("ecosystem", 0)


def test_attributes_are_right_if_they_are_those_of_the_newest_commit_event(store: MemoryStore) -> None:
    first, again = announced(store, BEFORE)[0], announced(store, SINCE)[0]
    assert first.batch == again.batch
    store.set_attributes(again.path, DESCRIBING.at_first(again))
    assert wrong_attributes(store, subject_of(first, first.pid, TheLog([first, again]))) == []
    stale = subject_of(first, first.pid, TheLog([first]))
    assert wrong_attributes(store, stale) == ["attribute ICOS/theme", "attribute ICOS/dataLevel"]


def test_a_description_that_changed_after_the_commit_makes_no_finding(store: MemoryStore) -> None:
    """Nothing is asked but the events; today's description is not."""
    event = announced(store, BEFORE)[0]
    store.set_attributes(event.path, DESCRIBING.at_first(event))
    assert wrong_attributes(store, subject_of(event, event.pid, TheLog([event]))) == []


def test_events_of_an_older_release_and_their_attributes_stay_right(store: MemoryStore) -> None:
    event = replace(announced(store, UNDESCRIBED)[0], who=None)
    store.set_attributes(event.path, DESCRIBING.at_first(event))
    assert wrong_attributes(store, subject_of(event, event.pid, TheLog([event]))) == []
    assert store.attributes(event.path).values["ICOS/theme"] == ("atmosphere",)


def test_the_copy_has_what_its_latest_replica_event_says(store: MemoryStore) -> None:
    second = MemoryStore("fzj")
    first, again = announced(store, BEFORE)[0], announced(store, SINCE)[0]
    for path in (first.path, first.manifest_path):
        second.put(path, store.content(path))
    copies = [
        BatchReplicated(commit=event, centre="fzj", url=second.url(event.path), replicated_at_us=1, software="test")
        for event in (first, again)
    ]
    second.set_attributes(first.path, DESCRIBING.at_second(copies[1]))
    assert wrong_attributes(second, subject_of(first, first.pid, TheLog([first, again], copies))) == []
