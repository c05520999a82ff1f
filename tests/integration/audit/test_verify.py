"""`b2stream verify` on an archive of real programs: by path, batch and PID, at both centres, whole and damaged."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prov.model import ProvDocument

from b2stream.batches.identity import id24
from b2stream.programs.audit.history.cli import provenance
from b2stream.programs.audit.verify.cli import verify
from tests.integration.audit.archive import MANIFEST, RestingArchive


def run(archive: RestingArchive, *words: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit code, and the checks."""
    arguments = [*words, "--config", str(archive.deployment.settings_file), "--json"]
    result = CliRunner().invoke(verify, arguments)
    return result.exit_code, json.loads(result.stdout)["checks"] if result.stdout.startswith("{") else []


def bad(checks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(check["where"], check["about"]) for check in checks if check["outcome"] == "bad"]


def test_a_batch_is_found_by_path_batch_id_and_pid_and_is_good_at_both_centres(archive: RestingArchive) -> None:
    path = archive.data_objects()[3]
    manifest = json.loads(archive.read("first", path + MANIFEST))
    names = [path, path + MANIFEST, manifest["batch"], manifest["batch"][:10]]
    prefix = archive.settings.first.prefix or "21.T99999"
    names.append(f"{prefix}/{id24(manifest['data_object']['sha256'])}")
    for name in names:
        code, checks = run(archive, name)
        assert (code, bad(checks)) == (0, []), name
        for centre in ("csc", "fzj"):
            good = [check for check in checks if check["where"] == centre and check["outcome"] == "good"]
            assert len(good) >= 6


def test_a_flipped_bit_is_a_finding_at_its_centre_alone(archive: RestingArchive) -> None:
    path = archive.data_objects()[3]
    content = bytearray(archive.read("second", path))
    content[0] ^= 1
    archive.rot("second", path, bytes(content))
    code, checks = run(archive, path)
    assert code == 1
    assert bad(checks) == [("fzj", "its SHA-256, computed here, as in the manifest")]
    assert run(archive, path, "--centre", "csc")[0] == 0


def test_a_manifest_that_is_gone_is_a_finding_and_the_commit_event_still_judges_the_data_object(
    archive: RestingArchive,
) -> None:
    path = archive.data_objects()[3]
    archive.delete("first", path + MANIFEST)
    code, checks = run(archive, path)
    assert code == 1
    assert bad(checks) == [("csc", "the manifest is there and whole")]
    assert any("as in the commit event" in check["about"] and check["where"] == "csc" for check in checks)


def test_a_centre_that_does_not_answer_is_exit_3_and_a_finding_elsewhere_still_exit_1(archive: RestingArchive) -> None:
    path = archive.data_objects()[3]
    archive.deployment.servers["first"].stop()
    try:
        code, checks = run(archive, path)
        assert code == 3
        assert [check["where"] for check in checks if check["outcome"] == "unreachable"] == ["csc"]
        archive.rot("second", path, b"something else")
        assert run(archive, path)[0] == 1
    finally:
        archive.deployment.servers["first"].start()


@pytest.mark.parametrize("name", ["nothing", "0123456789abcdef", "21.T99999/AAAAAAAAAAAAAAAAAAAAAAAA"])
def test_what_is_not_in_the_archive_is_said_so(archive: RestingArchive, name: str) -> None:
    result = CliRunner().invoke(verify, [name, "--config", str(archive.deployment.settings_file)])
    assert result.exit_code == 1
    assert "Nothing in the archive is called so" in str(result.exception)


def test_a_downloaded_file_is_verified_without_any_network(archive: RestingArchive, tmp_path: Path) -> None:
    path = archive.data_objects()[3]
    file = tmp_path / "file.csv"
    file.write_bytes(archive.read("first", path))
    (tmp_path / "file.csv.manifest.json").write_bytes(archive.read("first", path + MANIFEST))
    result = CliRunner().invoke(verify, [str(file), "--offline"])
    assert result.exit_code == 0, result.output
    file.write_bytes(file.read_bytes() + b"\n")
    result = CliRunner().invoke(verify, [str(file), "--offline"])
    assert result.exit_code == 1
    assert "✗ file.csv: SHA-256" in result.output


def test_a_history_names_the_source_blocks_by_topic_id_partition_and_offsets(archive: RestingArchive) -> None:
    path = archive.data_objects()[3]
    manifest = json.loads(archive.read("first", path + MANIFEST))
    told = CliRunner().invoke(provenance, [path, "--config", str(archive.deployment.settings_file), "--json"])
    assert told.exit_code == 0, told.output
    document, log = json.loads(told.stdout), manifest["log"]
    about = document["entity"][f"batch:{manifest['batch']}/log"]
    assert about["b2stream:topicId"] == log["topic_id"]
    assert about["b2stream:partition"]["$"] == str(log["partition"])
    assert about["b2stream:blocks"] == [f"{first}-{last}" for first, last in log["blocks"]]
    assert (about["b2stream:closeOffset"]["$"], about["b2stream:closeAppendedAt"]["$"]) == (
        str(log["close_offset"]),
        log["closed_at"],
    )
    read = ProvDocument.deserialize(content=told.stdout, format="json")
    assert ProvDocument.deserialize(content=read.serialize(format="json"), format="json") == read
