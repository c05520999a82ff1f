"""Each kind of damage, done once to an archive that was whole: the audit names exactly it, and nothing else."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from b2stream.contracts.canonical import canonical_json
from b2stream.handles.records import (
    CHECKSUM_TIMESTAMP,
    FIO,
    FIXED_CONTENT,
    HS_ADMIN,
    PROFILE_VERSION,
    REPLICA,
    ROR,
)
from b2stream.handles.service import CHECKSUM, URL, Administrator, HandleRecord, HandleValue
from b2stream.programs.audit.auditing import Plan, Report
from b2stream.programs.audit.cli import run
from b2stream.programs.audit.gathering.log_rows import pid_of
from b2stream.programs.audit.judging.findings import Kind
from b2stream.programs.audit.repair.cli import apply, make_plan
from tests.integration.audit.archive import MANIFEST, ROLES, RestingArchive
from tests.integration.audit.conftest import YESTERDAY

Named = set[tuple[str, str, str]]


def named(report: Report) -> Named:
    """(kind, path, centre) of each finding."""
    return {(finding.kind.value, finding.path, finding.centre) for finding in report.findings}


def a_middle_one(archive: RestingArchive) -> str:
    paths = archive.data_objects()
    return paths[len(paths) // 2]


def test_an_archive_that_is_whole_has_no_finding_and_every_series_is_whole_to_its_end(archive: RestingArchive) -> None:
    report = archive.audit()
    assert named(report) == set()
    assert report.objects == 4 * report.batches + 2 * len(archive.days())
    assert report.recomputed == report.objects
    assert sum(each.batches for each in report.series) == report.batches
    for each in report.series:
        assert each.whole_batches == dict.fromkeys(("csc", "fzj"), each.batches)


def test_a_deleted_data_object_is_missing(archive: RestingArchive) -> None:
    path = a_middle_one(archive)
    archive.delete("second", path)
    assert named(archive.audit()) == {("missing", path, "fzj")}


def test_a_deleted_manifest_is_missing(archive: RestingArchive) -> None:
    path = a_middle_one(archive)
    archive.delete("first", path + MANIFEST)
    assert named(archive.audit()) == {("missing", path + MANIFEST, "csc")}


def test_a_truncated_file_is_named_where_the_centre_reads_it_again_and_not_otherwise(archive: RestingArchive) -> None:
    path = a_middle_one(archive)
    archive.rot("first", path, archive.read("first", path)[:-10])
    assert named(archive.audit()) == {("truncated", path, "csc")}
    assert named(archive.audit(recompute=False)) == set()


def test_a_flipped_bit_is_named_where_the_centre_reads_it_again_and_not_otherwise(archive: RestingArchive) -> None:
    path = a_middle_one(archive)
    content = bytearray(archive.read("second", path))
    content[len(content) // 3] ^= 4
    archive.rot("second", path, bytes(content))
    assert named(archive.audit()) == {("altered", path, "fzj")}
    assert named(archive.audit(recompute=False)) == set()


def test_two_swapped_objects_are_two_findings(archive: RestingArchive) -> None:
    one, other = [path for path in archive.data_objects() if "EC" in path][:2]
    contents = archive.read("first", one), archive.read("first", other)
    archive.put("first", one, contents[1])
    archive.put("first", other, contents[0])
    assert contents[0] != contents[1]
    kinds = ["truncated" if len(there) < len(sent) else "altered" for sent, there in (contents, contents[::-1])]
    assert named(archive.audit(recompute=False)) == {(kinds[0], one, "csc"), (kinds[1], other, "csc")}


def test_a_forged_manifest_is_altered_also_with_a_new_checksum(archive: RestingArchive) -> None:
    path = a_middle_one(archive) + MANIFEST
    document = json.loads(archive.read("first", path))
    document["close"]["rows"] += 1
    forged = canonical_json(document)
    archive.rot("first", path, forged)
    assert named(archive.audit()) == {("altered", path, "csc")}, "in the vault alone"
    archive.put("first", path, forged)
    assert named(archive.audit(recompute=False)) == {("altered", path, "csc")}, "with its checksum"


def test_a_signature_that_does_not_hold_is_forged_although_both_centres_agree_on_it(archive: RestingArchive) -> None:
    path = a_middle_one(archive) + MANIFEST
    document = json.loads(archive.read("first", path))
    document["signature"] = base64.b64encode(base64.b64decode(document["signature"])[::-1]).decode()
    for role in ROLES:
        archive.put(role, path, canonical_json(document))
    expected = {("forged", path, ""), ("altered", path, "csc"), ("altered", path, "fzj")}
    assert named(archive.audit(recompute=False)) == expected
    plan = make_plan(archive.settings, Plan(grace_s=0.0))
    assert plan.acts == [], "neither centre has the manifest that was announced"


def test_an_orphan_is_extra(archive: RestingArchive) -> None:
    path = "XX-For/EC_L01_F01/2024/03/nobody-sent-this.csv"
    archive.put("first", path, b"1,2,3\n")
    assert named(archive.audit()) == {("extra", path, "csc")}


def test_a_middle_batch_that_was_removed_everywhere_is_missing_everywhere(archive: RestingArchive) -> None:
    path = a_middle_one(archive)
    for role in ROLES:
        for name in (path, path + MANIFEST):
            archive.delete(role, name)
    expected = {("missing", name, centre) for name in (path, path + MANIFEST) for centre in ("csc", "fzj")}
    assert named(archive.audit()) == expected


def test_newest_batches_that_were_removed_are_missing(archive: RestingArchive) -> None:
    newest = [path for path in archive.data_objects() if path.startswith("XX-For/EC")][-3:]
    for path in newest:
        archive.delete("first", path)
        archive.delete("first", path + MANIFEST)
    assert named(archive.audit()) == {("missing", name, "csc") for path in newest for name in (path, path + MANIFEST)}


def test_a_centre_that_was_restored_from_yesterday_lacks_what_came_since(archive: RestingArchive) -> None:
    today = set(archive.data_objects())
    archive.restore("first", YESTERDAY)
    since = today - set(archive.data_objects())
    assert len(since) == 12
    report = archive.audit()
    assert named(report) == {("missing", name, "csc") for path in since for name in (path, path + MANIFEST)}
    assert all(each.whole_batches["fzj"] == each.batches for each in report.series)
    assert any(each.whole_batches["csc"] < each.batches for each in report.series)


def test_station_and_since_narrow_what_is_named(archive: RestingArchive) -> None:
    paths = archive.data_objects()
    for path in (paths[0], paths[-1]):
        archive.delete("second", path)
    assert len(archive.audit(recompute=False).findings) == 2
    of_one = run(archive.settings, Plan(folder=paths[0].partition("/")[0], grace_s=0.0))
    assert named(of_one) == {("missing", paths[0], "fzj")}
    in_future_us = int((time.time() + 3600) * 1e6)
    assert run(archive.settings, Plan(since_us=in_future_us, grace_s=0.0)).findings == []
    assert len(run(archive.settings, Plan(since_us=1, grace_s=0.0)).findings) == 2


@pytest.fixture
def pid(archive: RestingArchive) -> Iterator[str]:
    """The PID of a batch in the middle; its record is put back."""
    if not archive.registers:
        pytest.skip("the Handle server is not to be had")
    manifest = json.loads(archive.read("first", a_middle_one(archive) + MANIFEST))
    pid = f"{archive.settings.first.prefix}/{manifest['data_object']['id24']}"
    record = archive.handles().read(pid)
    assert record is not None
    yield pid
    archive.handles().rewrite(record)


def test_a_pid_record_that_was_removed_is_unregistered_and_repair_writes_it_again(
    archive: RestingArchive, pid: str
) -> None:
    before = archive.handles().read(pid)
    archive.handles().delete(pid)
    assert named(archive.audit(recompute=False)) == {("unregistered", pid, "")}
    plan = make_plan(archive.settings, Plan(grace_s=0.0))
    assert [each.trouble for each in apply(archive.settings, plan)] == [""]
    assert archive.handles().read(pid) == before
    assert archive.audit(recompute=False).findings == []


KINDS = [URL, CHECKSUM, CHECKSUM_TIMESTAMP, FIXED_CONTENT, PROFILE_VERSION, ROR, FIO, REPLICA, HS_ADMIN]
SECOND_URL = HandleValue(11, URL, "irods://nowhere/at/all")
NOTE = HandleValue(12, "NOTE", "not ours")


@pytest.fixture
def records(archive: RestingArchive) -> Iterator[list[HandleRecord]]:
    """The records of as many contents as there are ways to damage one; they are put back."""
    if not archive.registers:
        pytest.skip("the Handle server is not to be had")
    manifests = (json.loads(archive.read("first", path + MANIFEST)) for path in archive.data_objects())
    suffixes = dict.fromkeys(manifest["data_object"]["id24"] for manifest in manifests)
    handles = archive.handles()
    found = [handles.read(f"{archive.settings.first.prefix}/{suffix}") for suffix in suffixes]
    whole = [record for record in found if record is not None][: len(KINDS) + 2]
    assert len(whole) == len(KINDS) + 2
    yield whole
    for record in whole:
        handles.rewrite(record)
    handles.close()


def altered(record: HandleRecord, kind: str) -> HandleRecord:
    # These rights are more than ours and not fewer: with fewer nobody could put the record back.
    other = Administrator(f"0.NA/{record.handle.partition('/')[0]}", 200, "1" * 12) if kind == HS_ADMIN else "other"
    values = tuple(replace(each, value=other) if each.type == kind else each for each in record.values)
    assert values != record.values
    return replace(record, values=values)


def test_any_value_of_a_pid_record_that_is_altered_or_surplus_is_named_and_repair_rewrites_the_record(
    archive: RestingArchive, records: list[HandleRecord]
) -> None:
    damaged = [altered(record, kind) for record, kind in zip(records, KINDS, strict=False)]
    damaged += [
        replace(record, values=(*record.values, besides))
        for record, besides in zip(records[-2:], (SECOND_URL, NOTE), strict=True)
    ]
    handles = archive.handles()
    for record in damaged:
        handles.rewrite(record)
    report = archive.audit(recompute=False)
    assert named(report) == {("misregistered", record.handle, "") for record in records}
    details = {finding.path: finding.detail for finding in report.findings}
    for record, kind in zip(records, [*KINDS, URL, "NOTE"], strict=True):
        assert details[record.handle].startswith(f"{kind} is "), details[record.handle]
    done = apply(archive.settings, make_plan(archive.settings, Plan(grace_s=0.0)))
    assert [each.trouble for each in done] == [""] * len(records)
    assert [handles.read(record.handle) for record in records] == records
    handles.close()
    told = [event for event in archive.object_events() if event.event == "metadata modification"]
    assert {record.handle for record in records} <= {pid_of(event) for event in told}
    assert archive.audit(recompute=False).findings == []


def test_a_pid_without_an_object_is_extra(archive: RestingArchive, pid: str) -> None:
    record = archive.handles().read(pid)
    assert record is not None
    orphan = f"{archive.settings.first.prefix}/{'Q' * 24}"
    values = tuple(replace(each, value="sha2:nothing") if each.type == CHECKSUM else each for each in record.values)
    archive.handles().create(HandleRecord(orphan, values))
    try:
        assert named(archive.audit(recompute=False)) == {("extra", orphan, "")}
    finally:
        archive.handles().delete(orphan)


def test_every_kind_of_finding_has_a_word_of_its_own() -> None:
    assert len({kind.value for kind in Kind}) == len(Kind)
