"""A centre that refuses our password is exit 3 with a sentence, and never a finding; so for each command."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from b2stream.cli import cli
from b2stream.settings import variable
from tests.integration.audit.archive import RestingArchive


@pytest.mark.parametrize(
    "words",
    [
        ["audit"],
        ["verify", "PATH"],
        ["scrub", "--limit", "1"],
        ["repair", "--plan", "FILE"],
        ["reannounce", "--everything"],
        ["provenance", "PATH"],
    ],
    ids=lambda words: words[0],
)
def test_a_centre_that_refuses_the_password_is_exit_3_and_named(
    archive: RestingArchive, words: list[str], tmp_path: Path
) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("wrong", encoding="utf-8")
    wrong.chmod(0o600)
    settled = {"PATH": archive.data_objects()[3], "FILE": str(tmp_path / "plan.json")}
    arguments = [settled.get(word, word) for word in words]
    done = CliRunner(env={variable("first", "password_file"): str(wrong)}).invoke(
        cli, [*arguments, "--config", str(archive.deployment.settings_file)]
    )
    assert done.exit_code == 3, done.output
    assert "user name or password was refused" in done.output
    assert "csc" in done.output
