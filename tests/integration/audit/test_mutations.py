"""Each kind of damage, done once to an archive that was whole: the audit names exactly it, and nothing else."""

import json

from b2stream.contracts.canonical import canonical_json
from b2stream.programs.audit.auditing import Report
from b2stream.programs.audit.findings import Kind
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
    assert report.objects == 4 * report.batches
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
    found = {(path, centre) for _, path, centre in named(archive.audit(recompute=False))}
    assert found == {(one, "csc"), (other, "csc")}


def test_a_forged_manifest_is_altered_also_with_a_new_checksum(archive: RestingArchive) -> None:
    path = a_middle_one(archive) + MANIFEST
    document = json.loads(archive.read("first", path))
    document["close"]["rows"] += 1
    forged = canonical_json(document)
    archive.rot("first", path, forged)
    found = {(where, centre) for _, where, centre in named(archive.audit())}
    assert found == {(path, "csc")}, "in the vault alone"
    archive.put("first", path, forged)
    found = {(where, centre) for _, where, centre in named(archive.audit(recompute=False))}
    assert found == {(path, "csc")}, "with its checksum"


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


def test_every_kind_of_finding_has_a_word_of_its_own() -> None:
    assert len({kind.value for kind in Kind}) == len(Kind)
