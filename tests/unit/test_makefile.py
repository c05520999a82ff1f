"""The Makefile: each target is in `make help`, and says what it does."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")


def make(*words: str) -> "subprocess.CompletedProcess[str]":
    if shutil.which("make") is None:
        pytest.skip("no make here")
    return subprocess.run(["make", *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)


def test_help_lists_every_target_with_a_sentence() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert targets == set(phony[1].split())
    listed = dict(re.findall(r"^  make (\S+) +(.*)$", make("help").stdout, re.MULTILINE))
    assert set(listed) == targets
    for target, sentence in listed.items():
        assert re.fullmatch(r"[A-Z].{10,}\.", sentence), f"make {target}: {sentence!r} is no sentence"


def test_help_is_what_make_alone_says() -> None:
    assert make().stdout == make("help").stdout


def test_a_python_that_is_not_there_is_one_line_with_the_cure(tmp_path: Path) -> None:
    run = make("setup", "PYTHON=python9.99", f"VENV={tmp_path / 'environment'}")
    assert run.returncode != 0
    ours = [line for line in run.stderr.splitlines() if line.startswith("b2stream: ")]
    assert len(ours) == 1
    assert "make PYTHON=" in ours[0]
    assert not (tmp_path / "environment").exists()


def test_targets_that_need_the_environment_make_it_first() -> None:
    for target in ("demo", "test", "unit", "lint", "format", "bench", "setup"):
        assert re.search(rf"^{target}: \$\(READY\)", MAKEFILE, re.MULTILINE), target


def test_ci_runs_make_test() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in script
    assert re.search(r"^make test$", script, re.MULTILINE)
