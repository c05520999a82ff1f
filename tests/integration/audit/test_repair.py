"""Damage, plan, repair: afterwards the audit is clean wherever a good copy exists, and what was set aside is still there."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from b2stream.contracts.canonical import canonical_json
from b2stream.programs.audit.auditing import Plan
from b2stream.programs.audit.repair.cli import apply, make_plan, repair
from b2stream.programs.audit.repair.planning import RepairPlan
from b2stream.sandbox import processes
from tests.integration.audit.archive import MANIFEST, ROLES, RestingArchive
from tests.integration.audit.conftest import YESTERDAY
from tests.waiting import until


def planned(archive: RestingArchive) -> RepairPlan:
    return make_plan(archive.settings, Plan(recompute=True, grace_s=0.0))


def delete(archive: RestingArchive, path: str) -> None:
    archive.delete("second", path)
    archive.delete("first", path + MANIFEST)


def truncate(archive: RestingArchive, path: str) -> None:
    archive.rot("first", path, archive.read("first", path)[:-1])


def flip(archive: RestingArchive, path: str) -> None:
    content = bytearray(archive.read("second", path))
    content[7] ^= 32
    archive.rot("second", path, bytes(content))


def swap(archive: RestingArchive, path: str) -> None:
    other = next(one for one in archive.data_objects() if one != path)
    contents = archive.read("first", path), archive.read("first", other)
    archive.put("first", path, contents[1])
    archive.put("first", other, contents[0])


def forge(archive: RestingArchive, path: str) -> None:
    document = json.loads(archive.read("second", path + MANIFEST))
    document["close"]["rows"] += 1
    archive.put("second", path + MANIFEST, canonical_json(document))


def restore(archive: RestingArchive, path: str) -> None:
    archive.restore("first", YESTERDAY)


@pytest.mark.parametrize("damage", [delete, truncate, flip, swap, forge, restore])
def test_what_has_a_good_copy_is_mended_and_the_next_audit_is_clean(
    archive: RestingArchive, damage: Callable[[RestingArchive, str], None]
) -> None:
    damage(archive, archive.data_objects()[5])
    plan = planned(archive)
    assert plan.acts
    assert not plan.left
    done = apply(archive.settings, plan)
    assert not [each.trouble for each in done if each.trouble]
    assert archive.audit().findings == []
    again = apply(archive.settings, plan)
    outcomes = {(each.act.act, each.outcome) for each in again}
    assert outcomes <= {("copy", "it is right already"), ("announce", "announced")}, (
        "a run that was interrupted is finished by the next"
    )


def test_the_attributes_of_a_repaired_copy_are_set_again(archive: RestingArchive) -> None:
    if not archive.registers:
        pytest.skip("no Handle server is to be had: nothing is registered or described")
    path = archive.data_objects()[5]
    described = archive.attributes("second", path)
    assert "AUDITED/station" in described
    archive.rot("second", path, b"damaged")
    apply(archive.settings, planned(archive))
    assert archive.attributes("second", path) == {}, "they stay with what was set aside"
    programs = [archive.deployment.run_program(name, wait=False) for name in ("replicator", "registrar")]
    try:
        until(lambda: archive.attributes("second", path).keys() == described.keys(), archive.describe)
    finally:
        processes.stop_all(programs, 30.0)


def test_I4_the_damaged_copy_is_kept_and_every_act_is_an_event(archive: RestingArchive) -> None:
    path = archive.data_objects()[5]
    damaged = b"not what was measured"
    archive.rot("second", path, damaged)
    apply(archive.settings, planned(archive))
    kept = [file for file in (archive.vault("second") / ".quarantine").rglob("*") if file.is_file()]
    assert [file.read_bytes() for file in kept] == [damaged]
    told = [event for event in archive.object_events() if event.path == path and event.centre == "fzj"]
    told = told[-2:]
    assert [(event.event, event.outcome) for event in told] == [("quarantine", "success"), ("replication", "success")]
    assert all(event.who and event.software.startswith("b2stream-repair") for event in told)


def test_an_orphan_and_a_batch_without_any_good_copy_are_left_alone_with_the_reason(archive: RestingArchive) -> None:
    path, orphan = archive.data_objects()[5], "XX-For/EC_L01_F01/2024/03/orphan.csv"
    archive.put("first", orphan, b"1\n")
    for role in ROLES:
        archive.rot(role, path, b"gone everywhere")
    plan = planned(archive)
    assert plan.acts == []
    left = {(finding.path, finding.centre): reason for finding, reason in plan.left}
    assert set(left) == {(orphan, "csc"), (path, "csc"), (path, "fzj")}
    assert "agrees with the commit event" in left[path, "csc"]


def test_a_source_that_went_bad_after_the_plan_is_not_copied(archive: RestingArchive) -> None:
    path = archive.data_objects()[5]
    archive.delete("second", path)
    plan = planned(archive)
    archive.rot("first", path, archive.read("first", path)[:-1] + b"?")
    done, *_ = apply(archive.settings, plan)
    assert "nothing is copied from it" in done.trouble
    assert not (archive.vault("second") / path).exists()


def test_I4_a_stale_target_stays_where_it_is_while_no_good_source_was_read(archive: RestingArchive) -> None:
    path = archive.data_objects()[5]
    archive.rot("second", path, b"damaged")
    plan = planned(archive)
    archive.rot("first", path, archive.read("first", path)[:-1] + b"?")
    done, *_ = apply(archive.settings, plan)
    assert "nothing is copied from it" in done.trouble
    assert archive.read("second", path) == b"damaged", "nothing was set aside for nothing"


def test_the_command_writes_a_plan_and_does_it(archive: RestingArchive, tmp_path: Path) -> None:
    path = archive.data_objects()[5]
    archive.delete("second", path)
    config, plan = str(archive.deployment.settings_file), str(tmp_path / "plan.json")
    made = CliRunner().invoke(repair, ["--config", config, "--plan", plan, "--grace-s", "0", "--no-recompute"])
    assert made.exit_code == 0, made.output
    assert f"copy {path} at fzj from csc" in made.output
    applied = CliRunner().invoke(repair, ["--config", config, "--apply", plan])
    assert applied.exit_code == 0, applied.output
    assert "2 of 2 acts done" in applied.output
