"""What `make` says before anything is installed: one line each, with the cure."""

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parents[2]
SCRIPT = REPOSITORY / "scripts" / "make_venv.py"
OLD_PYTHONS = ("2.7", "3.6", "3.8", "3.10")


@pytest.fixture
def make_venv() -> ModuleType:
    """The script as a module; nothing of it runs."""
    described = importlib.util.spec_from_file_location("make_venv", SCRIPT)
    assert described is not None
    assert described.loader is not None
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13), (3, 14)])
def test_a_suitable_python_is_no_trouble(make_venv: ModuleType, version: tuple[int, int]) -> None:
    assert make_venv.unsuitable(version, has_venv=True) is None


@pytest.mark.parametrize("version", [(2, 7), (3, 6), (3, 9), (3, 10)])
def test_an_old_python_is_one_line_with_the_cure(make_venv: ModuleType, version: tuple[int, int]) -> None:
    line = make_venv.unsuitable(version, has_venv=True)
    assert "\n" not in line
    assert "3.11 or later" in line
    assert "{}.{}".format(*version) in line
    assert "make PYTHON=" in line


@pytest.mark.parametrize("version", [(3, 15), (3, 100), (4, 0)])
def test_a_python_for_which_nobody_has_wheels_yet_is_one_line_with_the_cure(
    make_venv: ModuleType, version: tuple[int, int]
) -> None:
    line = make_venv.unsuitable(version, has_venv=True)
    assert "\n" not in line
    assert "3.11 to 3.14" in line
    assert "this one is {}.{}".format(*version) in line
    assert "make PYTHON=" in line


@pytest.mark.parametrize("system", [("Linux", "aarch64"), ("Darwin", "arm64"), ("Windows", "AMD64"), ("", "")])
def test_a_machine_for_which_faust_has_no_wheel_is_one_line_with_the_cure(
    make_venv: ModuleType, system: tuple[str, str]
) -> None:
    line = make_venv.unsuitable((3, 12), has_venv=True, system=system)
    assert "\n" not in line
    assert "Linux on x86-64 is needed" in line
    assert all(name in line for name in system)
    assert "pip install" in line, "gateway and reader run there"
    assert make_venv.unsuitable((3, 12), has_venv=True, system=("Linux", "x86_64")) is None


def test_the_machine_is_asked_before_anything_is_made(
    make_venv: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert make_venv.main(str(tmp_path / "environment")) == 1
    assert "riscv64" in capsys.readouterr().err
    assert not (tmp_path / "environment").exists()


def test_a_missing_venv_module_is_one_line_with_the_cure(make_venv: ModuleType) -> None:
    line = make_venv.unsuitable((3, 12), has_venv=False)
    assert "\n" not in line
    assert "apt-get install python3.12-venv" in line


def test_another_python_than_cpython_is_refused(make_venv: ModuleType) -> None:
    assert "PyPy" in make_venv.unsuitable((3, 11), has_venv=True, implementation="PyPy")


def test_venv_without_ensurepip_counts_as_missing(make_venv: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_venv.has_venv()
    monkeypatch.setitem(sys.modules, "ensurepip", None)  # what Debian without python3-venv looks like
    assert not make_venv.has_venv()


def test_trouble_goes_to_standard_error_as_one_line_and_makes_nothing(
    make_venv: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    assert make_venv.main(str(tmp_path / "environment")) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("b2stream: this Python has no venv module")
    assert said.err.count("\n") == 1
    assert not (tmp_path / "environment").exists()


def test_a_folder_of_somebody_is_never_emptied(make_venv: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert make_venv.main(str(tmp_path)) == 1
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert "thesis.tex" in make_venv.in_the_way(str(tmp_path))


def test_what_an_interrupted_run_left_is_no_obstacle(make_venv: ModuleType, tmp_path: Path) -> None:
    assert make_venv.in_the_way(str(tmp_path / "not-there")) is None
    (tmp_path / "lib").mkdir()  # without its pyvenv.cfg: that was removed first
    assert make_venv.in_the_way(str(tmp_path)) is None


@dataclass
class Installing:
    """Stands in for pip and venv, and notes what was asked of them."""

    exit_code: int = 0
    made: int = 0
    calls: list[list[str]] = field(default_factory=list)

    def call(self, words: list[str]) -> int:
        self.calls.append(words)
        return self.exit_code

    def create(self, path: str, **_: object) -> None:
        self.made += 1
        shutil.rmtree(path, ignore_errors=True)
        (Path(path) / "bin").mkdir(parents=True)


@pytest.fixture
def installing(make_venv: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Installing:
    stand_in = Installing()
    monkeypatch.setattr(make_venv.subprocess, "call", stand_in.call)
    monkeypatch.setattr(venv, "create", stand_in.create)
    return stand_in


def test_the_lock_is_installed_with_hashes_and_the_project_after_it(
    make_venv: ModuleType, installing: Installing, tmp_path: Path
) -> None:
    assert make_venv.main(str(tmp_path / "environment")) == 0
    lock, project = installing.calls
    assert lock[-3:] == ["--require-hashes", "-r", str(REPOSITORY / "requirements.lock")]
    assert project[-1] == str(REPOSITORY)
    assert "--no-deps" in project


def test_a_run_that_failed_is_repaired_by_the_next(
    make_venv: ModuleType, installing: Installing, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "environment"
    installing.exit_code = 1
    assert make_venv.main(str(folder)) == 1
    assert "run the same command again" in capsys.readouterr().err
    (folder / "lib").mkdir()
    installing.exit_code = 0
    assert make_venv.main(str(folder)) == 0
    assert installing.made == 2
    assert not (folder / "lib").exists(), "what the first run left was not cleared"


def test_a_current_environment_is_left_standing_and_gets_the_project_alone(
    make_venv: ModuleType, installing: Installing, tmp_path: Path
) -> None:
    folder = tmp_path / "environment"
    assert make_venv.main(str(folder)) == 0
    installing.calls.clear()
    assert make_venv.main(str(folder)) == 0  # what make does when only pyproject.toml changed
    assert installing.made == 1
    assert [call[-1] for call in installing.calls] == [str(REPOSITORY)]


def test_another_lock_or_another_python_makes_it_anew(
    make_venv: ModuleType, installing: Installing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, lock = tmp_path / "environment", tmp_path / "requirements.lock"
    lock.write_text("one")
    monkeypatch.setattr(make_venv, "LOCK", str(lock))
    assert make_venv.main(str(folder)) == 0
    lock.write_text("two")
    assert make_venv.main(str(folder)) == 0
    assert installing.made == 2
    (folder / ".locked").write_text((folder / ".locked").read_text().replace("3.", "4.", 1))
    assert make_venv.main(str(folder)) == 0
    assert installing.made == 3


def test_ctrl_c_is_one_line(
    make_venv: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(path: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(make_venv, "make", interrupted)
    assert make_venv.main(str(tmp_path / "environment")) == 1
    assert capsys.readouterr().err == "b2stream: interrupted; run the same command again, it starts anew\n"


def test_the_script_is_text_that_old_pythons_read() -> None:
    assert SCRIPT.read_bytes().isascii()
    compile(SCRIPT.read_text(), str(SCRIPT), "exec", dont_inherit=True)
    assert not re.search(r"\bf[\"']|:=|print\(", SCRIPT.read_text())


@pytest.mark.parametrize("version", OLD_PYTHONS)
def test_a_real_old_python_says_so(version: str, tmp_path: Path) -> None:
    run = subprocess.run([an_old_python(version), str(SCRIPT), str(tmp_path / "environment")], capture_output=True)
    assert run.returncode == 1
    assert run.stderr.startswith(f"b2stream: Python 3.11 or later is needed, and this one is {version}".encode())
    assert run.stderr.count(b"\n") == 1


def an_old_python(version: str) -> str:
    """One that is on the PATH or that pyenv installed, else the test is skipped."""
    found = [shutil.which(f"python{version}") or ""]
    found += map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for program in filter(None, found):
        if subprocess.run([program, "-c", ""], capture_output=True).returncode == 0:  # pyenv's shims may refuse
            return program
    pytest.skip(f"no Python {version} here")
