"""What lies beside the batches: a day's provenance, dead batches, and copies set aside."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.placing import Writer
from b2stream.archive.store import ReplicaStatus
from b2stream.archive.waiting import StoppableClock
from b2stream.programs.audit.gathering import walking
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.log_rows import note_day
from b2stream.programs.audit.history.daily import Archived, archive
from b2stream.programs.audit.judging.apart import judge_apart, read_days, station_of
from b2stream.programs.audit.judging.batches import Scope
from b2stream.programs.audit.judging.findings import Finding
from b2stream.programs.audit.repair.planning import plan_repair
from tests.unit.audit.facts import STATION, path_of, whole_archive

DAY = date(2026, 5, 7)
NOW = datetime(2026, 5, 20, tzinfo=UTC)
Named = list[tuple[str, str, str]]


@dataclass
class Stand:
    """Two centres with the document of one day of one station, told by events."""

    index: Index = field(default_factory=lambda: whole_archive(3))
    stores: list[MemoryStore] = field(default_factory=lambda: [MemoryStore("csc"), MemoryStore("fzj")])

    def archive(self, document: dict[str, Any] | None = None, *, told: bool = True) -> Archived:
        """Archive a day's document at both centres; without one that of the first batch."""
        content = document or self.document()
        placed = [archive(content, STATION, DAY, store, Writer(), StoppableClock()) for store in self.stores]
        for done in placed if told else ():
            self.keep(done.path, done.centre, done.size_bytes, done.sha256)
        return placed[0]

    def keep(self, path: str, centre: str, size_bytes: int, sha256: str) -> None:
        """What the log tells of an object apart."""
        self.index.put("kept", [{"path": path, "centre": centre, "size_bytes": size_bytes, "sha256": sha256}])

    def document(self, number: int = 0, path: str | None = None) -> dict[str, dict[str, dict[str, str]]]:
        """A day's document about the batch of a number."""
        row = self.index.one("SELECT batch, path FROM committed WHERE number = :number", number=number)
        assert row is not None
        copy = {"b2stream:url": f"irods://csc:1247/zone/root/{path or row['path']}"}
        return {"activity": {f"batch:{row['batch']}/commit": {}}, "entity": {f"batch:{row['batch']}/at/csc": copy}}

    def findings(self) -> list[Finding]:
        """All findings about what lies apart, after both centres were walked."""
        for store in self.stores:
            store_now = [state for state in store.list() if state.path.startswith(".")]
            self.index.run("DELETE FROM object WHERE centre = :c AND substr(path, 1, 1) = '.'", c=store.centre)
            for state in store_now:
                walking.note(self.index, store.centre, state, 1)
        read_days(self.index, list(self.stores))
        return sorted(judge_apart(self.index, Scope("csc", "fzj", NOW.timestamp() + 1e9, 900.0)))

    def named(self) -> Named:
        return [(finding.kind.value, finding.path, finding.centre) for finding in self.findings()]


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_days_that_lie_at_both_centres_and_tell_of_what_was_committed_are_no_finding(stand: Stand) -> None:
    stand.archive()
    assert stand.named() == []
    stand.archive(told=False)
    assert stand.named() == [], "the same day, archived again"


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_a_day_that_is_gone_at_one_centre_is_missing(stand: Stand, told: bool) -> None:
    path = stand.archive(told=told).path
    stand.stores[1].remove(path)
    assert stand.named() == [("missing", path, "fzj")]


def test_a_day_that_is_gone_everywhere_is_missing_because_its_archiving_was_told(stand: Stand) -> None:
    path = stand.archive().path
    for store in stand.stores:
        store.remove(path)
    assert stand.named() == [("missing", path, "csc"), ("missing", path, "fzj")]


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_other_bytes_with_their_own_checksum_do_not_agree_with_the_name(stand: Stand, told: bool) -> None:
    path = stand.archive(told=told).path
    stand.stores[1].put(path, b"x" * 10_000)
    assert stand.named() == [("altered", path, "fzj")]


def test_bytes_that_changed_under_the_catalogue_at_the_centre_that_is_read_are_named(stand: Stand) -> None:
    path = stand.archive().path
    stand.stores[0].change(path, b"x" * 10_000)
    assert stand.named() == [("altered", path, "csc")]


def test_a_stale_day_is_stuck(stand: Stand) -> None:
    path = stand.archive().path
    stand.stores[1].put(path, stand.stores[1].content(path), status=ReplicaStatus.STALE)
    assert stand.named() == [("stuck", path, "fzj")]


def test_a_document_that_tells_of_what_nobody_committed_is_named_although_its_checksum_holds(stand: Stand) -> None:
    unknown: dict[str, Any] = {"activity": {f"batch:{'e' * 64}/commit": {}}, "entity": {}}
    moved = stand.document(path="SE-Htm/EC/2026/05/another.csv")
    odd: dict[str, Any] = {"activity": {}, "entity": {"batch:00/at/csc": 5}}
    for document, words in (
        (unknown, "which no commit event"),
        (moved, "another.csv"),
        ({"a": 1}, "cannot be read"),
        (odd, "cannot be read"),
    ):
        made = Stand(index=stand.index)
        path = made.archive(document).path
        (finding,) = made.findings()
        assert (finding.kind.value, finding.path, finding.centre) == ("altered", path, "csc")
        assert words in finding.detail
        stand.index.run("DELETE FROM kept")


def test_a_day_with_events_that_was_never_archived_is_missing_between_the_first_day_and_yesterday(stand: Stand) -> None:
    stand.archive()
    for day in ("20260506", "20260507", "20260508"):
        stand.index.put("active", [{"station": STATION, "day": day}])
    (finding,) = stand.findings()
    assert (finding.kind.value, finding.path) == ("missing", f".provenance/{STATION}/2026/05/{STATION}_20260508")
    assert "--day 2026-05-08" in finding.detail
    ((_, reason),) = plan_repair(stand.index, [finding], ["csc", "fzj"]).left
    assert "archive-provenance" in reason


def test_repair_copies_a_day_from_the_centre_that_has_it_and_leaves_one_alone_that_nobody_has(stand: Stand) -> None:
    path = stand.archive().path
    stand.stores[1].remove(path)
    (act,) = plan_repair(stand.index, stand.findings(), ["csc", "fzj"]).acts
    assert (act.act, act.path, act.centre, act.source) == ("copy", path, "fzj", "csc")
    stand.stores[0].remove(path)
    plan = plan_repair(stand.index, stand.findings(), ["csc", "fzj"])
    assert (plan.acts, len(plan.left)) == ([], 2)


def test_an_instant_that_no_calendar_has_stops_no_audit(stand: Stand) -> None:
    note_day(stand.index, STATION, 1 << 62)
    note_day(stand.index, STATION, 0)
    assert [row["day"] for row in stand.index.rows("SELECT day FROM active")] == ["19700101"]


def test_where_days_are_not_archived_at_all_none_is_missing(stand: Stand) -> None:
    stand.index.put("active", [{"station": STATION, "day": "20260506"}])
    assert stand.named() == []


def test_a_dead_batch_lies_at_the_first_centre_as_its_letter_says(stand: Stand) -> None:
    path, content = f".dead/{'a' * 32}-7.avro", b"blocks"
    stand.keep(path, "csc", len(content), hashlib.sha256(content).hexdigest())
    assert stand.named() == [("missing", path, "csc")]
    stand.stores[0].put(path, content)
    assert stand.named() == []
    stand.stores[0].put(path, b"blocky")
    assert stand.named() == [("altered", path, "csc")]


def test_what_no_letter_and_no_event_names_is_extra(stand: Stand) -> None:
    for path in (".dead/x-1.avro", ".provenance/readme.txt", ".other/x"):
        stand.stores[0].put(path, b"x")
    assert [kind for kind, _, _ in stand.named()] == ["extra"] * 3


def test_a_copy_in_quarantine_that_no_event_tells_of_is_unrecorded() -> None:
    index, store = Index(), MemoryStore("csc")
    aside = f".quarantine/{path_of(1)}.20260501T000000Z.0"
    store.put(aside, b"damaged")
    walking.list_centre(index, store, 1)
    scope = Scope("csc", None, NOW.timestamp() + 1e9, 900.0)
    (finding,) = judge_apart(index, scope)
    assert (finding.kind.value, finding.path, finding.centre) == ("unrecorded", aside, "csc")
    index.put("told_aside", [{"centre": "csc", "path": aside}])
    assert list(judge_apart(index, scope)) == []


def test_one_station_s_walk_sees_what_lies_apart_for_it_and_nothing_of_others() -> None:
    index, store = Index(), MemoryStore("csc")
    for path in (
        "A/s/1.csv",
        "B/s/1.csv",
        ".provenance/A/2026/1",
        ".provenance/B/2026/1",
        ".quarantine/A/x",
        ".dead/y",
    ):
        store.put(path, b"x")
    walking.list_centre(index, store, 1, "A")
    assert [row["path"] for row in index.rows("SELECT path FROM object")] == [".provenance/A/2026/1", "A/s/1.csv"]
    assert index.count("quarantined") == 1
    assert [station_of(path) for path in ("A/s/1.csv", ".provenance/A/2026/1", ".quarantine/A/x")] == ["A", "A", "A"]


def test_a_document_is_read_once_while_the_catalogue_says_the_same(stand: Stand) -> None:
    path = stand.archive().path
    stand.findings()
    stand.stores[0].calls.clear()
    stand.findings()
    assert not [about for call, about in stand.stores[0].calls if call == "read"]
    assert json.loads(stand.stores[0].content(path))
