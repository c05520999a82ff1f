"""What a person is told to type must work as it is printed."""

import os
import sys
from pathlib import Path

import pytest

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
