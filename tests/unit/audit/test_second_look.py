"""What somebody put right while the audit ran is no finding: also not of what lies apart from the batches."""

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.programs.audit.auditing import Auditor, Plan
from b2stream.programs.audit.gathering.index import Index
from b2stream.settings import Settings
from tests.benchmarks.large_archive import WRITTEN_S, Batches, LargeLog

STAGED = "attempt-writer-1"
ASIDE = ".quarantine/{station}/EC/2026/05/a.csv.20260528T202640Z.0"
STATION = Batches(1).close(0).station


def found(store: MemoryStore, folder: str = "") -> list[tuple[str, str]]:
    """The findings of an audit of one centre, two days after everything there was written."""
    plan = Plan(folder=folder, now_s=lambda: WRITTEN_S + 2 * 86_400.0)
    with Index() as index:
        report = Auditor(Settings(), [store], LargeLog(Batches(0)), index, plan).run()  # type: ignore[arg-type]
    return [(finding.kind.value, finding.path) for finding in report.findings]


@pytest.fixture
def store() -> MemoryStore:
    """A centre with debris of staging and a copy in quarantine that no event tells of."""
    made = MemoryStore("csc", now=lambda: WRITTEN_S)
    made.put_staged(STAGED, b"half")
    made.put(ASIDE.format(station=STATION), b"damaged")
    return made


def test_debris_and_what_was_set_aside_are_found_at_the_second_look_too(store: MemoryStore) -> None:
    assert found(store) == [("debris", STAGED), ("unrecorded", ASIDE.format(station=STATION))]


@pytest.mark.parametrize("folder", ["", STATION])
def test_what_was_swept_before_the_second_look_is_no_finding(store: MemoryStore, folder: str) -> None:
    aside = ASIDE.format(station=STATION)

    def listed_once(call: str, about: str) -> None:
        if call == "list_staged":  # ends the first listing
            store.before_call = sweep

    def sweep(call: str, about: str) -> None:
        if call == "list":
            store.before_call = None
            store.discard_staged(STAGED)
            store.remove(aside)

    store.before_call = listed_once
    assert found(store, folder) == []
    assert store.describe(aside) is None, "the sweep did happen"
