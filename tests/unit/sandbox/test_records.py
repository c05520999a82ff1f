"""`deployment.json`, and what `sandbox status` shows of it."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from b2stream.cli import cli
from b2stream.errors import ConfigurationError
from b2stream.sandbox import processes
from b2stream.sandbox.processes import Process
from b2stream.sandbox.records import Part, read_parts, write_parts


def test_records_survive_a_round_trip_and_know_whether_a_part_runs(tmp_path: Path) -> None:
    process = Process.attach("kafka", os.getpid(), processes.start_time(os.getpid()), tmp_path / "kafka.log")
    parts = [
        Part.of(process, "server", "127.0.0.1:1"),
        Part("redis", "server", ""),
        Part("old", "program", "x", 1, "0"),
    ]
    write_parts(tmp_path, parts)
    found = read_parts(tmp_path)
    assert list(found.values()) == parts
    assert {name: part.running for name, part in found.items()} == {"kafka": True, "redis": False, "old": False}
    assert read_parts(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("torn", ['{"format": 1, "parts": [{"na', "", "{}", '{"parts": [{"name": "kafka"}]}', "\0"])
def test_a_torn_record_is_named_with_what_to_do(tmp_path: Path, torn: str) -> None:
    (tmp_path / "deployment.json").write_text(torn)
    with pytest.raises(ConfigurationError, match=r"deployment\.json does not say what runs .* remove the file"):
        read_parts(tmp_path)


@pytest.mark.parametrize("words", [[], ["--json"]], ids=["table", "JSON"])
@pytest.mark.parametrize("written", ["redis://:s3cret@127.0.0.1:1/0", "redis://127.0.0.1:1/0?password=s3cret"])
def test_status_shows_no_password_that_stands_in_an_address(tmp_path: Path, written: str, words: list[str]) -> None:
    write_parts(tmp_path, [Part("redis", "server", written)])
    shown = CliRunner().invoke(cli, ["sandbox", "status", "--directory", str(tmp_path), *words])
    assert shown.exit_code == 1, "nobody listens there"
    assert "127.0.0.1:1/0" in shown.output
    assert "s3cret" not in shown.output
