"""A repair is planned only where something says which content is right."""

from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.judging.findings import Kind
from b2stream.programs.audit.repair.planning import ANNOUNCE, RepairPlan, plan_repair
from tests.unit.audit.facts import CENTRES, judged, path_of, put_object, whole_archive

MANIFEST = path_of(0) + ".manifest.json"


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
