"""The independent check: silent about a whole archive, and never about a broken one; it names the place."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.demo.archives import Archive, committed, renumbered, table
from tests.unit.demo.conftest import Check


def only(findings: list[str], invariant: str) -> str:
    """The one finding of an invariant."""
    (found,) = [one for one in findings if one.startswith(invariant + " ")]
    return found


def test_a_whole_archive_passes_and_every_count_is_of_things_compared(archive: Archive, check: Check) -> None:
    said = check(archive.write_plan())
    assert said.exit_code == 0, said.text
    assert "findings" not in said.text
    assert "I1  holds  no loss, no double: 4 source files" in said.text
    assert "18 rows known; 18 rows counted in the file" in said.text
    assert "8 data objects whose bytes were compared with their source file" in said.text
    assert "8 objects compared between the centres" in said.text
    assert "4 links of series chains" in said.text
    assert "I5" not in said.text  # no Kafka in this plan: not checked, so not printed


def test_the_table_tells_each_series(archive: Archive, check: Check) -> None:
    head, nuka, htm = check(archive.write_plan()).text.splitlines()[:3]
    assert head.split() == [
        "station",
        "series",
        "batches",
        "rows",
        "bytes",
        "whole",
        "until",
        "at",
        "csc",
        "at",
        "fzj",
        "verified",
    ]
    assert nuka.split() == ["26NA", "files", "1", "0", "2,304", "—", "1", "1", "1", "✓"]
    size_bytes = sum(len(table(rows)) for rows in (5, 6, 7))
    assert htm.split() == ["SE-Htm", "EC", "3", "18", str(size_bytes), "2026-07-14", "04:33:26", "3", "3", "3", "✓"]


@pytest.mark.parametrize("role", ["first", "second"])
def test_I3_one_flipped_byte_is_named_with_station_file_centre_path_and_position(
    archive: Archive, check: Check, role: str
) -> None:
    batch = archive.batches[1]
    centre = getattr(archive, role)
    centre.flip(batch.path, 17)
    said = check(archive.write_plan())
    assert said.exit_code == 1
    told = only(said.findings(), "I3")
    assert f"SE-Htm two.csv at {centre.name} {batch.path}" in told
    assert "first difference is at byte 17" in told
    assert "is registered, its bytes have" in only(said.findings(), "I4")
    assert "2 ✗" in said.text


def test_I3_a_flipped_byte_of_a_manifest_is_found(archive: Archive, check: Check) -> None:
    batch = archive.batches[0]
    archive.second.flip(batch.manifest_path, batch.manifest.index(b'"rows":5') + 7)
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert any(batch.manifest_path in told for told in said.findings())


@pytest.mark.parametrize("roles", [("first",), ("second",), ("first", "second")])
def test_I1_a_dropped_batch_is_named(archive: Archive, check: Check, roles: tuple[str, ...]) -> None:
    batch = archive.batches[2]
    for role in roles:
        getattr(archive, role).remove(batch.path, batch.manifest_path)
    said = check(archive.write_plan())
    assert said.exit_code == 1
    for role in roles:
        told = f"I1 SE-Htm three.csv at {getattr(archive, role).name}: the file is in no committed batch"
        assert any(told in one for one in said.findings()), said.text


def test_I2_a_hole_in_a_series_is_named(archive: Archive, check: Check) -> None:
    batch = archive.batches[1]
    for centre in (archive.first, archive.second):
        centre.remove(batch.path, batch.manifest_path)
    archive.sources.pop(1)
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert "no batch has series number 1: a gap" in only(said.findings(), "I2")


def test_I2_a_close_that_names_another_previous_one_is_named(archive: Archive, check: Check) -> None:
    stranger = committed("SE-Htm", "four.csv", table(8), 8, "EC", archive.batches[0].close, 3)
    archive.source("SE-Htm", "four.csv", table(8), 8)
    archive.commit(stranger)
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert "four.csv (series number 3) names another previous close" in only(said.findings(), "I2")


def test_I3_two_swapped_data_objects_are_both_named_and_traced_to_each_other(archive: Archive, check: Check) -> None:
    one, two = archive.batches[0], archive.batches[1]
    archive.second.swap(one.path, two.path)
    said = check(archive.write_plan())
    assert said.exit_code == 1
    for batch, other in ((one, two), (two, one)):
        told = f"SE-Htm {batch.close.name} at fzj {batch.path}: the bytes are not those of the source file"
        (found,) = [line for line in said.findings() if told in line]
        assert f"they are those of SE-Htm {other.close.name}" in found


def test_I1_a_file_in_two_batches_is_named_with_both_paths(archive: Archive, check: Check) -> None:
    double = committed("SE-Htm", "one.csv", table(5), 5, "another", None, 0)
    archive.commit(double)
    said = check(archive.write_plan())
    assert said.exit_code == 1
    (told,) = [one for one in said.findings() if "at csc" in one]
    assert "SE-Htm one.csv at csc: the file is in 2 committed batches" in told
    assert double.path in told
    assert archive.batches[0].path in told


def test_I7_a_missing_replica_of_either_object_is_named(archive: Archive, check: Check) -> None:
    archive.second.remove(archive.batches[0].manifest_path)
    archive.second.remove(archive.batches[1].path)
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert any(f"at fzj {archive.batches[0].manifest_path}: it is at csc only" in one for one in said.findings())
    assert any(f"at fzj {archive.batches[1].path}: it is at csc only" in one for one in said.findings())
    assert any("one~" in one and "without its manifest is not committed" in one for one in said.findings())


def test_I1_a_batch_that_is_of_no_source_is_named(archive: Archive, check: Check) -> None:
    archive.sources.pop()
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert [one.partition(": ")[2] for one in said.findings()] == ["this batch is of no source file"] * 2


def test_a_root_that_is_shared_may_hold_batches_of_others(archive: Archive, check: Check) -> None:
    archive.sources.pop()
    archive.first.put("notes/of someone.txt", b"hello")
    plan = archive.write_plan(
        first=archive.first.in_plan() | {"shared": True}, second=archive.second.in_plan() | {"shared": True}
    )
    assert check(plan).exit_code == 0


def test_I1_a_dead_batch_that_no_letter_names_is_named(archive: Archive, check: Check) -> None:
    archive.first.put(".dead/nobody-8.avro", b"blocks")
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert said.findings() == ["I1 archive at csc .dead/nobody-8.avro: no letter names it"]


def test_I4_an_object_without_a_checksum_is_named(archive: Archive, check: Check) -> None:
    batch = archive.batches[0]
    archive.second.remove(batch.path)
    archive.second.put(batch.path, batch.content, checksum=False)
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert "SE-Htm one.csv at fzj" in only(said.findings(), "I4")
    assert "has no checksum" in only(said.findings(), "I4")


def test_I1_rows_that_the_manifest_does_not_state_are_named(archive: Archive, check: Check) -> None:
    archive.sources[0]["rows"] = 4
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert "SE-Htm one.csv" in only(said.findings(), "I1")
    assert "4 rows are known, the batch has 5" in only(said.findings(), "I1")


def test_I1_rows_counted_in_the_file_are_compared_too(archive: Archive, check: Check) -> None:
    archive.add("SE-Htm", "short.csv", table(3), rows=4, series="other")
    archive.sources[-1]["rows"] = None
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert "3 rows are counted in the file, the batch has 4" in only(said.findings(), "I1")


def test_I3_a_manifest_that_lies_about_its_batch_is_found(archive: Archive, check: Check) -> None:
    liar = committed("SE-Htm", "liar.csv", b"x", 0, "liars", None, 0)
    document = json.loads(liar.manifest)
    document["batch"] = "0" * 64
    text = json.dumps(document, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    archive.source("SE-Htm", "liar.csv", b"x", 0)
    for centre in (archive.first, archive.second):
        centre.put(liar.path, liar.content)
        centre.put(liar.manifest_path, text.encode())
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert all("the manifest says batch is" in one for one in said.findings())


def test_I3_a_manifest_at_the_wrong_path_is_found(archive: Archive, check: Check) -> None:
    astray = committed("SE-Htm", "astray.csv", b"y", 0, "files", None, 0)
    archive.source("SE-Htm", "astray.csv", b"y", 0)
    for centre in (archive.first, archive.second):
        centre.put("SE-Htm/elsewhere/y.csv", astray.content)
        centre.put("SE-Htm/elsewhere/y.csv.manifest.json", astray.manifest)
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert all(f"the manifest is of {astray.path}, and lies beside" in one for one in said.findings())


def test_I2_a_fork_in_a_series_is_named(archive: Archive, check: Check) -> None:
    fork = committed("SE-Htm", "fork.csv", table(2), 2, "EC", archive.batches[0].close, 2, renumbered(1))
    archive.source("SE-Htm", "fork.csv", table(2), 2)
    archive.commit(fork)
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert "2 batches have series number 1: a fork" in only(said.findings(), "I2")


def test_I4_what_an_earlier_run_saw_must_still_be_the_same_object(archive: Archive, check: Check) -> None:
    archive.earlier = archive.folder / "seen.json"
    assert check(archive.write_plan()).exit_code == 0
    said = check(archive.write_plan())
    assert "16 objects that an earlier run left, each the same as then" in said.text
    batch = archive.batches[0]
    archive.first.remove(batch.path)
    archive.first.put(batch.path, batch.content)  # the same bytes, but another object
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert "SE-Htm one.csv at csc" in only(said.findings(), "I4")


def test_it_fails_when_nothing_was_compared(archive: Archive, check: Check) -> None:
    for centre in (archive.first, archive.second):
        for batch in archive.batches:
            centre.remove(batch.path, batch.manifest_path)
    archive.sources.clear()
    said = check(archive.write_plan())
    assert said.exit_code == 1
    assert "nothing was compared" in said.text


def _no_plan(archive: Archive) -> Path:
    plan = archive.folder / "plan.json"
    plan.write_text("{}")
    return plan


def _nobody_there(archive: Archive) -> Path:
    away = archive.first.in_plan()
    return archive.write_plan(first=away | {"account": away["account"] | {"port": 9}})


def _wrong_password(archive: Archive) -> Path:
    (archive.folder / "second.password").write_text("guess\n")
    return archive.write_plan()


def _no_source(archive: Archive) -> Path:
    Path(archive.sources[0]["file"]).unlink()
    return archive.write_plan()


@pytest.mark.parametrize("broken", [_no_plan, _nobody_there, _wrong_password, _no_source])
def test_a_check_that_cannot_be_made_says_so_and_is_no_success(
    archive: Archive, check: Check, broken: Callable[[Archive], Path]
) -> None:
    said = check(broken(archive))
    assert said.exit_code == 3
    assert said.errors.startswith("cannot check: ")
    assert said.text == ""


def test_json_tells_the_same(archive: Archive, check: Any) -> None:
    archive.second.flip(archive.batches[0].path, 0)
    said = check(archive.write_plan(), "--json")
    document = json.loads(said.text)
    assert (said.exit_code, document["good"]) == (1, False)
    assert document["findings"][0]["file"] == "one.csv"
    assert document["compared"]["I1"]["rows known"] == 18
    assert [line["verified"] for line in document["series"]] == [1, 2]


def test_it_runs_without_a_line_of_the_pipeline(archive: Archive) -> None:
    """As the demo runs it: a process of its own, in which no module of b2stream is ever loaded."""
    script = (
        "import sys, runpy; sys.argv = ['check', sys.argv[1]]\n"
        "try: runpy.run_module('check', run_name='__main__')\n"
        "finally: print('loaded:', sorted(name for name in sys.modules if name.startswith('b2stream')))"
    )
    folder = Path(sys.modules["b2stream.sandbox.demo.check"].__path__[0]).parent
    process = subprocess.run(
        [sys.executable, "-P", "-c", script, str(archive.write_plan())],
        env={"PYTHONPATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "loaded: []" in process.stdout
