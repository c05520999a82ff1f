"""A repair is planned only where something says which content is right."""

from collections.abc import Callable

import pytest

from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.judging.findings import Finding, Kind
from b2stream.programs.audit.repair.planning import ANNOUNCE, COPY, DISCARD, Act, RepairPlan, plan_repair
from tests.unit.audit.facts import CENTRES, digest, judged, path_of, put_object, whole_archive

FIRST, SECOND = CENTRES
DATA = path_of(0)
MANIFEST = DATA + ".manifest.json"
MANY = 20_000


def planned(index: Index) -> RepairPlan:
    return plan_repair(index, judged(index), list(CENTRES))


def without_log() -> Index:
    """One batch, whole at both centres; Kafka was lost."""
    index = whole_archive(1)
    index.forget_log()
    return index


def test_I12_a_manifest_that_both_centres_have_is_announced_again() -> None:
    assert [(act.act, act.path) for act in planned(without_log()).acts] == [(ANNOUNCE, MANIFEST)]


def test_nothing_is_planned_where_two_copies_that_are_whole_in_themselves_differ_and_no_event_decides() -> None:
    for centre in CENTRES:
        index = without_log()
        put_object(index, centre, MANIFEST, size_bytes=50, sha256="e" * 64)
        if centre == CENTRES[0]:
            index.run("UPDATE manifest SET sha256 = :sha256", sha256="e" * 64)
        plan = planned(index)
        assert plan.acts == []
        assert {(finding.kind, finding.path) for finding, _ in plan.left} == {
            (Kind.UNANNOUNCED, MANIFEST),
            (Kind.ALTERED, MANIFEST),
        }
        assert all("no commit event says which" in reason for _, reason in plan.left)


def take_away(index: Index, centre: str, *paths: str) -> None:
    for path in paths:
        index.run("DELETE FROM object WHERE centre = :centre AND path = :path", centre=centre, path=path)


def steps(plan: RepairPlan) -> list[tuple[str, str, str, str]]:
    return [(act.act, act.path, act.centre, act.source) for act in plan.acts]


@pytest.mark.parametrize("lost", [[DATA], [MANIFEST], [DATA, MANIFEST]], ids=["data object", "manifest", "both"])
def test_I12_without_log_what_the_first_centre_lacks_comes_from_a_copy_that_is_whole_and_signed(
    lost: list[str],
) -> None:
    index = without_log()
    take_away(index, FIRST, *lost)
    plan = planned(index)
    assert steps(plan) == [*((COPY, path, FIRST, SECOND) for path in lost), (ANNOUNCE, MANIFEST, FIRST, "")]
    assert plan.left == []
    contents = {DATA: (100, digest("data", DATA)), MANIFEST: (50, digest("manifest", DATA))}
    assert [(act.size_bytes, act.sha256) for act in plan.acts if act.act == COPY] == [contents[path] for path in lost]
    assert {act.batch for act in plan.acts} == {digest("batch", "EC", 0, "")}


def rot(index: Index, centre: str, path: str) -> None:
    index.run(
        "UPDATE object SET recomputed_sha256 = :sha256 WHERE centre = :centre AND path = :path",
        sha256="e" * 64,
        centre=centre,
        path=path,
    )


@pytest.mark.parametrize("centre", CENTRES)
def test_I12_without_log_a_data_object_that_is_not_what_the_manifest_of_both_centres_says_is_mended(
    centre: str,
) -> None:
    index = without_log()
    rot(index, centre, DATA)
    source = SECOND if centre == FIRST else FIRST
    plan = planned(index)
    assert steps(plan) == [(COPY, DATA, centre, source), (ANNOUNCE, MANIFEST, FIRST, "")]
    assert plan.left == []


def forge(index: Index) -> None:
    take_away(index, FIRST, DATA, MANIFEST)
    index.run("UPDATE manifest SET forged = 'signature_wrong'")


def leave_another_manifest(index: Index) -> None:
    take_away(index, FIRST, DATA)
    put_object(index, FIRST, MANIFEST, size_bytes=50, sha256="e" * 64)


def leave_another_data_object(index: Index) -> None:
    take_away(index, FIRST, MANIFEST)
    put_object(index, FIRST, DATA, sha256="e" * 64)


def rot_at_the_second(index: Index) -> None:
    take_away(index, FIRST, DATA, MANIFEST)
    rot(index, SECOND, DATA)


def lose_the_data(index: Index) -> None:
    take_away(index, FIRST, DATA)
    take_away(index, SECOND, DATA)


def lose_all_but_one_manifest(index: Index) -> None:
    lose_the_data(index)
    take_away(index, FIRST, MANIFEST)


@pytest.mark.parametrize(
    "damage",
    [
        forge,
        leave_another_manifest,
        leave_another_data_object,
        rot_at_the_second,
        lose_the_data,
        lose_all_but_one_manifest,
    ],
)
def test_I9_without_log_nothing_is_copied_or_announced_that_anything_speaks_against(
    damage: Callable[[Index], None],
) -> None:
    index = without_log()
    damage(index)
    plan = planned(index)
    assert plan.acts == []
    assert plan.left
    assert not [reason for _, reason in plan.left if "it was committed" in reason]


def test_a_day_that_was_never_archived_is_left_with_what_is_known_of_it() -> None:
    day = Finding(Kind.MISSING, ".provenance/SE-Htm/2026/20260501~abc.json", FIRST, detail="never archived")
    plan = plan_repair(Index(), [day], list(CENTRES))
    assert (plan.acts, plan.left) == ([], [(day, "never archived")])


def test_what_two_findings_ask_for_is_planned_once() -> None:
    index = whole_archive(1)
    take_away(index, SECOND, DATA)
    batch = digest("batch", "EC", 0, "")
    findings = [Finding(Kind.MISSING, DATA, SECOND, batch), Finding(Kind.UNREPLICATED, DATA, SECOND, batch)]
    plan = plan_repair(index, findings, list(CENTRES))
    assert steps(plan) == [(COPY, DATA, SECOND, FIRST), (ANNOUNCE, MANIFEST, FIRST, "")]


def test_I10_a_plan_grows_with_its_findings_and_not_with_their_square(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def count(one: Act, other: object) -> bool:
        nonlocal compared
        compared += 1
        assert compared <= 10 * MANY
        return one is other

    monkeypatch.setattr(Act, "__eq__", count)
    findings = [Finding(Kind.DEBRIS, f"attempt-{number}", FIRST) for number in range(MANY)]
    plan = plan_repair(Index(), findings, list(CENTRES))
    assert len(plan.acts) == MANY
    assert {act.act for act in plan.acts} == {DISCARD}
