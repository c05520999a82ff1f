"""Heavy runs take turns."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from tests.alone import HAS_TURN_VARIABLE, LOCK
from tests.waiting import PATIENCE_S

TAKES_A_TURN = """
import pathlib, sys
from tests.alone import take_turn
take_turn(lambda text: print("waits", flush=True), pathlib.Path(sys.argv[1]))
print("has it", flush=True)
sys.stdin.read()
"""


def _start(lock: Path, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", TAKES_A_TURN, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={key: value for key, value in os.environ.items() if key != HAS_TURN_VARIABLE} | environment,
    )


def test_the_second_waits_until_the_first_has_ended(tmp_path: Path) -> None:
    first, second = _start(tmp_path / "lock"), None
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "has it\n"
        second = _start(tmp_path / "lock")
        assert second.stdout is not None
        assert second.stdout.readline() == "waits\n"
        first.communicate(timeout=PATIENCE_S)
        assert second.stdout.readline() == "has it\n"
        second.communicate(timeout=PATIENCE_S)
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.wait()


def test_what_the_holder_of_the_turn_starts_does_not_wait_for_it(tmp_path: Path) -> None:
    first, second = _start(tmp_path / "lock"), None
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "has it\n"
        second = _start(tmp_path / "lock", **{HAS_TURN_VARIABLE: str(first.pid)})
        assert second.stdout is not None
        assert second.stdout.readline() == "has it\n"
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.communicate()


def test_who_only_lists_the_tests_does_not_wait_for_the_turn(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != HAS_TURN_VARIABLE} | {
        "TMPDIR": str(tmp_path)
    }
    repository = Path(__file__).parents[2]
    listing = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-p",
        "no:cacheprovider",
        "tests/faults/test_outages.py",
    ]
    with (tmp_path / LOCK.name).open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        listed = subprocess.run(
            listing, env=environment, cwd=repository, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert "test_outages.py" in listed.stdout
    assert "waiting for its end" not in listed.stdout
