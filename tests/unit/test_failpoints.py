"""Fail points: a named step kills, raises or stalls at its n-th passing, and each passing can be recorded."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from b2stream.failpoints import FAIL_VARIABLE, PASSINGS_VARIABLE, STEPS
from tests.waiting import PATIENCE_S

PROGRAM = """
import sys
from b2stream.errors import Retryable
from b2stream.failpoints import passing
for step in sys.argv[1].split(","):
    try:
        passing(step)
        print(step, flush=True)
    except Retryable as error:
        print("raised", error.detail, flush=True)
"""


def run(
    steps: str, fail_at: str = "", passings: Path | None = None, timeout_s: float = PATIENCE_S
) -> tuple[int, list[str], str]:
    environment = {name: value for name, value in os.environ.items() if name not in (FAIL_VARIABLE, PASSINGS_VARIABLE)}
    if fail_at:
        environment[FAIL_VARIABLE] = fail_at
    if passings is not None:
        environment[PASSINGS_VARIABLE] = str(passings)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, steps], env=environment, capture_output=True, text=True, timeout=timeout_s
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_unarmed_nothing_happens() -> None:
    assert run("stage,stage,announce") == (0, ["stage", "stage", "announce"], "")


def test_the_nth_passing_kills_and_no_other() -> None:
    code, said, _ = run("announce,stage,announce,announce,announce", "announce:3")
    assert code == -signal.SIGKILL
    assert said == ["announce", "stage", "announce"]


def test_several_points_with_acts_of_their_own() -> None:
    code, said, _ = run("stage,stage,place manifest,stage", "stage:2:raise,place manifest:1:raise,stage:3:kill")
    assert code == -signal.SIGKILL
    assert said == ["stage", "raised fail point 'stage', passing 2", "raised fail point 'place manifest', passing 1"]


def test_a_stalled_step_goes_no_further() -> None:
    environment = os.environ | {FAIL_VARIABLE: "copy:1:stall"}
    command = [sys.executable, "-c", PROGRAM, "verify,copy"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as stalled:
        assert stalled.stdout is not None
        assert stalled.stdout.readline() == "verify\n"
        with pytest.raises(subprocess.TimeoutExpired):
            stalled.wait(0.3)
        stalled.kill()
        assert stalled.stdout.read() == ""


def test_a_stall_with_a_length_ends() -> None:
    assert run("copy,copy", "copy:1:stall=0,copy:2:raise")[1] == ["copy", "raised fail point 'copy', passing 2"]


def test_each_passing_is_recorded_with_process_step_and_number(tmp_path: Path) -> None:
    record = tmp_path / "passings"
    run("stage,append,stage", "stage:2", record)
    lines = [line.split(" ", 1) for line in record.read_text().splitlines()]
    assert [rest for _, rest in lines] == ["stage 1", "append 1", "stage 2"], "the one that kills is recorded too"
    assert len({process for process, _ in lines}) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        "announce",
        "announce:",
        "announce:x",
        "announce:0",
        "announce:²",
        "announc:1",
        "announce:1:explode",
        ":1",
        "copy:1:kill=3",
        "copy:1:stall=x",
    ],
)
def test_a_point_that_cannot_be_meant_is_refused_with_what_can(wrong: str) -> None:
    code, _, said = run("stage", wrong)
    assert code != 0
    assert f"{wrong!r} is not <step>:<n>[:kill|raise|stall|stall=<seconds>]" in said


@pytest.mark.parametrize("step", STEPS)
def test_every_step_can_be_armed(step: str) -> None:
    assert run(step, f"{step}:1:raise")[1] == [f"raised fail point {step!r}, passing 1"]


def test_a_step_that_nobody_could_arm_is_a_mistake_of_the_program(tmp_path: Path) -> None:
    code, _, said = run("anounce", passings=tmp_path / "passings")
    assert code != 0
    assert "'anounce'" in said
