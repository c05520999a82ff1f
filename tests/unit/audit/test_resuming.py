"""An audit that was stopped goes on where it was; one that ended, or was stopped long ago, lends the next one nothing."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.batches.manifest import paths_of
from b2stream.contracts.records import BatchClosed
from b2stream.errors import Retryable
from b2stream.programs.audit.auditing import Auditor, Plan, Report
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.resuming import KEPT_S
from b2stream.programs.audit.gathering.walking import SignatureCheck
from b2stream.programs.audit.judging.findings import Kind
from b2stream.settings import Settings
from tests.benchmarks.large_archive import WRITTEN_S, Batches, LargeLog

BATCHES = Batches(30)
OBJECTS = 2 * BATCHES.count
BEGAN_S = WRITTEN_S + 86_400.0
HOUR_S = 3600.0


class Centre(MemoryStore):
    """A centre that notes which objects it read again; from `ends_at` on it is the audit's machine that loses power."""

    def __init__(self, name: str) -> None:
        super().__init__(name, now=lambda: WRITTEN_S)
        self.asked: list[str] = []
        self.ends_at: str | None = None
        for number in range(BATCHES.count):
            paths = paths_of(BATCHES.close(number))
            self.put(paths.data_object, BATCHES.content(number))
            self.put(paths.manifest, BATCHES.manifest(number))

    def recompute_sha256(self, path: str) -> str:
        if self.ends_at is not None and path >= self.ends_at:
            raise Retryable("power failure")
        self.asked.append(path)
        return super().recompute_sha256(path)


@dataclass
class Archive:
    """Two centres, their log, and the state of audits."""

    state: Path
    centres: list[Centre] = field(default_factory=lambda: [Centre("csc"), Centre("fzj")])
    judged: list[str] = field(default_factory=list)

    def audit(
        self, now_s: float, *, recompute: bool = True, check: SignatureCheck | None = None, **plan: object
    ) -> Report:
        """An audit with the state."""
        self.judged.clear()
        for centre in self.centres:
            centre.asked.clear()

        def counting(close: BatchClosed, closed_at_us: int) -> str | None:
            self.judged.append(close.attempt)
            return check(close, closed_at_us) if check else None

        planned = Plan(recompute=recompute, check_signature=counting, now_s=lambda: now_s, **plan)  # type: ignore[arg-type]
        with Index(self.state) as index:
            return Auditor(Settings(), list(self.centres), LargeLog(BATCHES), index, planned).run()  # type: ignore[arg-type]

    def audit_that_is_killed(self, now_s: float, after: int) -> list[str]:
        """Audit until the first centre has read `after` objects again; the paths in the order in which they are read."""
        paths = sorted(state.path for state in self.centres[0].list())
        self.centres[0].ends_at = paths[after]
        killed = self.state.with_suffix(".killed")
        with pytest.raises(Retryable):
            self.audit(now_s)
        self.centres[0].ends_at = None
        shutil.copy(self.state, killed)
        shutil.move(killed, self.state)
        return paths


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "state")


def test_a_killed_audit_that_goes_on_recomputes_only_the_rest(archive: Archive) -> None:
    paths = archive.audit_that_is_killed(BEGAN_S, after=40)
    report = archive.audit(BEGAN_S + HOUR_S)
    assert sorted(archive.centres[0].asked) == paths[40:]
    assert sorted(archive.centres[1].asked) == paths
    assert archive.judged == [], "the manifests were read an hour ago"
    assert (report.findings, report.recomputed, report.resumed_from_s) == ([], 2 * OBJECTS, BEGAN_S)


def test_rot_after_an_audit_that_ended_is_found_by_the_next_with_the_same_state(archive: Archive) -> None:
    assert archive.audit(BEGAN_S).findings == []
    path = paths_of(BATCHES.close(7)).data_object
    archive.centres[1].change(path, b"rotten".ljust(len(BATCHES.content(7))))
    report = archive.audit(BEGAN_S + 1.0)
    assert [(each.kind, each.path, each.centre) for each in report.findings] == [(Kind.ALTERED, path, "fzj")]
    assert report.resumed_from_s is None


def test_what_was_recomputed_longer_ago_than_a_day_is_recomputed_again(archive: Archive) -> None:
    paths = archive.audit_that_is_killed(BEGAN_S, after=40)
    archive.centres[0].change(paths[0], b"rotten")
    report = archive.audit(BEGAN_S + KEPT_S + 1.0)
    assert set(archive.centres[0].asked) == set(paths)
    assert {(each.path, each.centre) for each in report.findings} == {(paths[0], "csc")}
    assert len(archive.judged) == BATCHES.count, "keys may have changed"


def test_a_state_of_other_centres_or_of_the_future_lends_nothing(archive: Archive) -> None:
    archive.audit_that_is_killed(BEGAN_S, after=40)
    report = archive.audit(BEGAN_S - HOUR_S)
    assert (report.resumed_from_s, len(archive.centres[0].asked)) == (None, OBJECTS)
    archive.audit_that_is_killed(BEGAN_S, after=40)
    removed = archive.centres.pop(0)
    removed.asked.clear()
    report = archive.audit(BEGAN_S + HOUR_S)
    assert (report.resumed_from_s, report.objects, removed.asked) == (None, OBJECTS, [])


def test_an_audit_without_recompute_judges_by_the_catalogues_alone(archive: Archive) -> None:
    paths = archive.audit_that_is_killed(BEGAN_S, after=40)
    archive.centres[0].change(paths[0], b"rotten")
    report = archive.audit(BEGAN_S + HOUR_S, recompute=False)
    assert (report.findings, report.recomputed) == ([], 0)


def test_a_state_of_another_format_is_begun_anew(archive: Archive) -> None:
    with Index(archive.state) as index:
        index.run("DROP TABLE manifest")
        index.run("CREATE TABLE manifest (path TEXT)")
        index.run("PRAGMA user_version = 99")
    assert archive.audit(BEGAN_S).findings == []


def test_I9_a_key_that_was_published_while_the_audit_ran_makes_no_finding(archive: Archive) -> None:
    def unknown(close: BatchClosed, closed_at_us: int) -> str | None:
        return "unknown_key" if close.stem == BATCHES.close(7).stem else None

    forged = {each.kind for each in archive.audit(BEGAN_S, check=unknown).findings}
    assert forged == {Kind.FORGED}
    report = archive.audit(BEGAN_S, check=unknown, check_of_now=lambda: lambda close, closed_at_us: None)
    assert report.findings == []
