"""What a person is told to type must work as it is printed; what a program is given is the sandbox's own."""

import json
import os
import sys
from pathlib import Path

import pytest

from b2stream.sandbox import programs
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.given import Given
from b2stream.sandbox.programs import typed_command


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment's programs, those of this Python, with nothing on the PATH."""
    folder = tmp_path / "my env" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "b2stream"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", os.devnull)
    return folder


def test_a_command_that_is_on_the_path_is_named(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(environment))
    assert typed_command() == "b2stream"


def test_another_b2stream_on_the_path_is_not_taken_for_this_one(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "b2stream").write_text("#!/bin/sh\n")
    (other / "b2stream").chmod(0o755)
    monkeypatch.setenv("PATH", str(other))
    assert typed_command() == f"'{environment / 'b2stream'}'"


def test_below_the_working_directory_its_path_is_short(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert typed_command() == "'my env/bin/b2stream'"


LEFT_OVER = {
    "B2STREAM_KAFKA_REGISTRY_URL": "https://registry.example.org",
    "B2STREAM_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "B2STREAM_GATEWAY_JOURNAL": "/var/lib/b2stream/journal.sqlite",
    "B2STREAM_GENERAL_POLICIES_FILE": "/etc/b2stream/policies.toml",
    "B2STREAM_FIRST_STAGING_ROOT": "/zone/staging",
    "B2STREAM_FIRST_PASSWORD": "of the first centre",
    "B2STREAM_SECOND_PASSWORD": "of the second centre",
    "B2STREAM_KAFKA_PASSWORD": "of Kafka",
    "B2STREAM_MONITORING_HOST": "0.0.0.0",
    "B2STREAM_CONFIG": "/etc/b2stream/b2stream.toml",
}
"""From working with another deployment."""


@pytest.mark.parametrize(
    ("given", "passwords"),
    [(Given(), set()), (Given(first="irods://me@one.example.org/oneZone/home/me/icos"), {"B2STREAM_FIRST_PASSWORD"})],
)
def test_no_variable_of_another_deployment_reaches_a_program_but_passwords_of_given_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: Given, passwords: set[str]
) -> None:
    monkeypatch.setattr(
        programs,
        "b2stream_command",
        lambda: [sys.executable, "-c", "import os, json; print(json.dumps(dict(os.environ)))"],
    )
    kept = {"B2STREAM_CACHE": str(tmp_path / "jars"), "B2STREAM_TEST_SWITCH": "1"}
    for name, text in {**LEFT_OVER, **kept}.items():
        monkeypatch.setenv(name, text)
    deployment = Deployment(tmp_path / "sandbox", given)
    process = deployment.run_program("gateway", environment={"B2STREAM_GATEWAY_SETTLE_S": "0.5"}, wait=False)
    assert process.wait(60.0)
    seen = json.loads(process.log_file.read_text(encoding="utf-8"))
    reached = {name: seen.get(name) for name in LEFT_OVER if seen.get(name) == LEFT_OVER[name]}
    assert set(reached) == passwords
    assert seen["B2STREAM_CONFIG"] == str(deployment.settings_file)
    assert seen["B2STREAM_GATEWAY_SETTLE_S"] == "0.5"
    assert kept.items() <= seen.items()
