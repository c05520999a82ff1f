"""Daily provenance and quarantine on real zones: what is taken away or changed is named, and what a repair did not tell is told."""

import hashlib

import pytest

from b2stream.contracts.records import ObjectEvent
from b2stream.programs.audit.auditing import Plan
from b2stream.programs.audit.repair import repairing
from b2stream.programs.audit.repair.cli import apply, make_plan
from tests.integration.audit.archive import RestingArchive
from tests.integration.audit.test_mutations import named


@pytest.fixture
def day(archive: RestingArchive) -> str:
    """Path of a day's document, which lies at both centres."""
    return archive.days()[0]


def test_a_day_s_provenance_that_is_taken_away_or_changed_is_named_and_repair_brings_it_back(
    archive: RestingArchive, day: str
) -> None:
    assert named(archive.audit()) == set()
    archive.rot("second", day, archive.read("second", day)[:-3])
    assert named(archive.audit()) == {("truncated", day, "fzj")}
    archive.put("first", day, b"{}")
    assert named(archive.audit(recompute=False)) == {("truncated", day, "csc")}
    archive.put("first", day, archive.read("second", day) + b"   ")
    assert ("altered", day, "csc") in named(archive.audit(recompute=False))
    for store in ("first", "second"):
        archive.delete(store, day)
    assert named(archive.audit(recompute=False)) == {("missing", day, "csc"), ("missing", day, "fzj")}


def test_a_day_that_one_centre_lost_is_copied_from_the_other(archive: RestingArchive, day: str) -> None:
    archive.delete("second", day)
    plan = make_plan(archive.settings, Plan(recompute=True, grace_s=0.0))
    assert [(act.act, act.path, act.centre) for act in plan.acts] == [("copy", day, "fzj")]
    assert [done.trouble for done in apply(archive.settings, plan)] == [""]
    assert named(archive.audit()) == set()


class Killed(BaseException):
    """The process ends here."""


def of_copies(archive: RestingArchive) -> list[ObjectEvent]:
    """What was told of copies; the announcement that follows each is published, and told, by every run."""
    return [each for each in archive.object_events() if each.event != "announcement"]


@pytest.mark.parametrize("event", ["quarantine", "replication"])
def test_what_a_repair_that_was_killed_did_not_tell_is_told_by_the_next(
    archive: RestingArchive, event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, damaged = archive.data_objects()[5], b"not what was measured"
    archive.rot("second", path, damaged)
    plan = make_plan(archive.settings, Plan(recompute=True, grace_s=0.0))
    tell = repairing.Repair._tell

    def killed(self: repairing.Repair, act: object, what: str, *words: object, **more: object) -> None:
        if what == event:
            raise Killed
        tell(self, act, what, *words, **more)  # type: ignore[arg-type]

    before = of_copies(archive)
    with monkeypatch.context() as patched:
        patched.setattr(repairing.Repair, "_tell", killed)
        with pytest.raises(Killed):
            apply(archive.settings, plan)
    asides = [file for file in (archive.vault("second") / ".quarantine").rglob("*") if file.is_file()]
    assert [hashlib.sha256(file.read_bytes()).digest() for file in asides] == [hashlib.sha256(damaged).digest()]
    if event == "quarantine":
        aside = str(asides[0].relative_to(archive.vault("second")))
        assert ("unrecorded", aside, "fzj") in named(archive.audit())
    assert not [done.trouble for done in apply(archive.settings, plan) if done.trouble]
    told = [each for each in of_copies(archive) if each not in before]
    assert sorted(each.event for each in told) == ["quarantine", "replication"]
    assert {(each.path, each.batch) for each in told} == {(path, plan.acts[0].batch)}
    assert named(archive.audit()) == set()
    apply(archive.settings, plan)
    assert len(of_copies(archive)) == len(before) + len(told), "and only once"
