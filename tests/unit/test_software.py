"""Provenance names who did something with version and commit: from the build, from the environment, or from the checkout."""

import getpass
import importlib.util
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2stream import __version__
from b2stream import software as naming
from b2stream.software import BUILD_FILE, VARIABLE, commit_at, software, who_runs_this
from tests.unit.batches.golden_batches import A_FILE, FOLDER, manifest

OF_THE_BUILD, OF_THE_ENVIRONMENT = "b" * 40, "e" * 40
CLEAN = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}


@pytest.fixture(autouse=True)
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    for name, value in CLEAN.items():
        monkeypatch.setenv(name, value)


def git(root: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *who, "-C", str(root), *words], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package in a checkout, at its place."""
    folder = tmp_path / "services" / "b2stream"
    folder.mkdir(parents=True)
    (folder / "one.py").write_text("1\n", encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "services")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    return folder


def test_the_build_goes_before_the_environment_and_that_before_the_checkout(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert commit_at(package) == git(package, "rev-parse", "HEAD")[:12]
    monkeypatch.setenv(VARIABLE, OF_THE_ENVIRONMENT)
    assert commit_at(package) == OF_THE_ENVIRONMENT[:12]
    (package / BUILD_FILE).write_text(f"{OF_THE_BUILD}\n", encoding="ascii")
    assert commit_at(package) == OF_THE_BUILD[:12]


def test_a_checkout_whose_files_differ_from_its_commit_says_so(package: Path) -> None:
    (package / "one.py").write_text("2\n", encoding="utf-8")
    assert commit_at(package) == git(package, "rev-parse", "HEAD")[:12] + "+"


def test_an_installation_inside_the_checkout_of_something_else_has_not_its_commit(package: Path) -> None:
    installed = package.parents[1] / ".venv" / "lib" / "b2stream"
    installed.mkdir(parents=True)
    assert commit_at(installed) == ""


def test_a_build_takes_the_commit_of_the_sdist_or_of_the_environment_or_of_the_checkout(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(__file__).parents[2] / "hatch_build.py"
    found = importlib.util.spec_from_file_location("hatch_build", place)
    assert found is not None
    assert found.loader is not None
    hook = importlib.util.module_from_spec(found)
    found.loader.exec_module(hook)
    root, head = package.parents[1], git(package, "rev-parse", "HEAD")
    assert hook.known(root) == head
    (package / "one.py").write_text("2\n", encoding="utf-8")
    assert hook.known(root) == f"{head}+"
    assert hook.known(package) == ""
    monkeypatch.setenv(VARIABLE, OF_THE_ENVIRONMENT)
    assert hook.known(root) == OF_THE_ENVIRONMENT
    (root / hook.IN_SDIST).write_text(f"{OF_THE_BUILD}\n", encoding="ascii")
    assert hook.known(root) == OF_THE_BUILD
    assert hook.IN_WHEEL.rpartition("/")[2] == BUILD_FILE


def test_without_git_there_is_no_commit_and_no_failure(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(package))
    assert commit_at(package) == ""


@pytest.mark.parametrize("nonsense", ["", "unknown", "main", "a b", "0" * 100, "\N{GREEK SMALL LETTER ALPHA}" * 8])
def test_what_is_no_commit_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nonsense: str) -> None:
    monkeypatch.setenv(VARIABLE, nonsense)
    (tmp_path / BUILD_FILE).write_text(nonsense, encoding="utf-8")
    assert commit_at(tmp_path) == ""


def test_name_version_and_commit_stand_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "commit", lambda: "0123456789ab")
    assert software("b2stream-processor") == f"b2stream-processor {__version__} (0123456789ab)"
    monkeypatch.setattr(naming, "commit", lambda: "")
    assert software("b2stream-processor") == f"b2stream-processor {__version__}"


@pytest.fixture
def anew() -> Iterator[None]:
    who_runs_this.cache_clear()
    yield
    who_runs_this.cache_clear()


@pytest.mark.usefixtures("anew")
def test_who_runs_a_program_is_user_and_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "b2stream")
    monkeypatch.setattr(socket, "gethostname", lambda: "csc-1")
    assert who_runs_this() == "b2stream@csc-1"


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("no username"), ImportError("pwd")])
def test_a_container_whose_user_has_no_name_says_its_number(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def nobody() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert who_runs_this() == f"uid{os.getuid()}@{socket.gethostname()}"


@pytest.mark.usefixtures("anew")
def test_a_user_name_of_any_bytes_is_text_that_an_event_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: os.fsdecode(b"caf\xe9"))
    assert who_runs_this().encode().startswith(b"caf?@")


def test_another_version_of_the_processor_writes_the_same_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = manifest(A_FILE)
    monkeypatch.setattr(naming, "commit", lambda: "f" * 12)
    monkeypatch.setattr(naming, "__version__", "9.9.9")
    assert manifest(A_FILE) == before == (FOLDER / "file.manifest.json").read_bytes()
