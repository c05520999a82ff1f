"""Child processes: their logs, how they end, and that none is left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2stream.sandbox import processes
from b2stream.sandbox.processes import Process
from tests.waiting import PATIENCE_S, until

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with a killed parent")

SLEEPER = "import time; print('ready', flush=True); time.sleep(60)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER


def run(code: str, folder: Path, name: str = "child", survives: bool = False) -> Process:
    process = processes.start(name, [sys.executable, "-c", code], folder / f"{name}.log", survives=survives)
    until(lambda: "ready" in process.last_log_lines() or not process.running)
    return process


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Process]:
    process = run(SLEEPER, tmp_path)
    yield process
    process.kill()


def test_what_a_child_prints_is_appended_to_its_log_and_its_exit_code_is_known(tmp_path: Path) -> None:
    for times in (1, 2):
        process = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path)
        assert process.wait(PATIENCE_S)
        assert process.exit_code == 3
        assert sorted(process.last_log_lines().split()) == ["err"] * times + ["out"] * times


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    log = tmp_path / "long.log"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    assert processes.last_lines(log, 2) == "line 99998\nline 99999"
    assert processes.last_lines(tmp_path / "none.log") == ""


def test_stop_asks_first_and_the_child_ends_in_order(sleeper: Process) -> None:
    sleeper.stop()
    assert not sleeper.running
    assert sleeper.exit_code == -signal.SIGTERM


def test_a_child_that_does_not_listen_is_killed_after_the_grace(tmp_path: Path) -> None:
    process = run(DEAF, tmp_path)
    began = time.monotonic()
    process.stop(grace_s=0.3)
    assert process.exit_code == -signal.SIGKILL
    assert time.monotonic() - began >= 0.3


def test_several_are_stopped_within_one_grace_time(tmp_path: Path) -> None:
    grace_s = 1.0
    deaf = [run(DEAF, tmp_path, f"deaf-{number}") for number in range(10)]
    began = time.monotonic()
    processes.stop_all(deaf, grace_s)
    assert [process.exit_code for process in deaf] == [-signal.SIGKILL] * len(deaf)
    assert time.monotonic() - began < len(deaf) * grace_s, "each waited for its own grace"


def test_a_frozen_child_is_running_and_can_still_be_stopped_in_order(sleeper: Process) -> None:
    sleeper.freeze()
    assert state(sleeper.pid) == "T"
    assert sleeper.running
    sleeper.thaw()
    until(lambda: state(sleeper.pid) == "S")
    sleeper.freeze()
    sleeper.stop()
    assert sleeper.exit_code == -signal.SIGTERM


BUSY = """
import os, threading
if os.fork():
    print("ready", flush=True)
def work():
    while True:
        os.stat("/")
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
work()
"""


def test_when_freeze_returns_every_thread_of_every_process_of_the_group_stands_still(tmp_path: Path) -> None:
    process = run(BUSY, tmp_path)
    until(lambda: len(processes.thread_states(process.pid)) >= (10 if processes.HAS_PROC else 2))
    try:
        for _ in range(5):
            process.freeze()
            assert set(processes.thread_states(process.pid)) == {"T"}
            process.thaw()
            until(lambda: "T" not in processes.thread_states(process.pid))
    finally:
        process.kill()


def test_freezing_waits_no_longer_than_it_was_told_to(sleeper: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "thread_states", lambda group: ["T", "D"])
    with pytest.raises(TimeoutError, match=f"{sleeper.pid} does not stand still: threads in state D"):
        processes.freeze_group(sleeper.pid, timeout_s=0.05)
    sleeper.thaw()


def test_freezing_a_process_that_has_ended_does_nothing(sleeper: Process) -> None:
    sleeper.kill()
    sleeper.freeze()
    processes.freeze_group(sleeper.pid)
    assert not sleeper.running


def test_kill_ends_the_children_of_a_child_too(tmp_path: Path) -> None:
    code = f"import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]); print('pid', c.pid); c.wait()"
    process = run(code.replace("print('pid', c.pid)", "print('pid', c.pid, flush=True)"), tmp_path)
    until(lambda: "pid" in process.last_log_lines())
    grandchild = int(process.last_log_lines().split("pid ")[1].split()[0])
    process.kill()
    until(lambda: processes.start_time(grandchild) == "")


def test_a_process_that_is_found_again_is_known_by_pid_and_start_time(sleeper: Process) -> None:
    same = Process.attach("same", sleeper.pid, sleeper.started, sleeper.log_file)
    another = Process.attach("another", sleeper.pid, "12345", sleeper.log_file)
    assert same.running
    assert not another.running, "the process id was handed out again"
    another.kill()
    assert sleeper.running, "a signal for another process was sent to this one"
    same.stop()
    assert not same.running


def test_a_child_started_from_a_thread_outlives_the_thread(tmp_path: Path) -> None:
    started: list[Process] = []
    thread = threading.Thread(target=lambda: started.append(run(SLEEPER, tmp_path)))
    thread.start()
    thread.join()
    assert not started[0].wait(0.3), "the kernel ended it with the thread that forked"
    started[0].kill()


@linux_only
@pytest.mark.parametrize("frozen", [False, True], ids=["running", "frozen"])
def test_no_child_outlives_a_parent_that_is_killed_with_sigkill(tmp_path: Path, frozen: bool) -> None:
    parent, child = parent_with_child(tmp_path, survives=False)
    if frozen:
        os.kill(child, signal.SIGSTOP)
    parent.kill()
    parent.wait()
    until(lambda: processes.start_time(child) == "", "the child ends")


@linux_only
def test_a_child_that_was_told_to_survive_outlives_its_parent(tmp_path: Path) -> None:
    parent, child = parent_with_child(tmp_path, survives=True)
    parent.kill()
    parent.wait()
    found = Process.attach("child", child, processes.start_time(child), tmp_path / "child.log")
    assert not found.wait(0.3)
    found.kill()
    assert not found.running


@linux_only
def test_a_parent_that_ends_by_itself_stops_its_children_in_order(tmp_path: Path) -> None:
    parent, child = parent_with_child(tmp_path, survives=False)
    assert parent.stdin is not None
    parent.stdin.close()
    assert parent.wait(PATIENCE_S) == 0
    assert processes.start_time(child) == ""
    assert "asked to stop" in processes.last_lines(tmp_path / "child.log")


@linux_only
def test_ctrl_c_reaches_the_parent_alone(tmp_path: Path) -> None:
    """The terminal sends SIGINT to the foreground group: children have groups of their own, their parent stops them."""
    parent, child = parent_with_child(tmp_path, survives=False)
    assert os.getpgid(child) == child
    os.killpg(parent.pid, signal.SIGINT)
    assert parent.wait(PATIENCE_S) != 0
    assert processes.start_time(child) == ""
    assert "asked to stop" in processes.last_lines(tmp_path / "child.log")


@linux_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_parent_that_exits_when_it_is_asked_to_stops_its_children_in_order(
    tmp_path: Path, number: signal.Signals
) -> None:
    parent, child = parent_with_child(tmp_path, survives=False)
    parent.send_signal(number)
    assert parent.wait(PATIENCE_S) == 128 + number
    assert processes.start_time(child) == ""
    assert "asked to stop" in processes.last_lines(tmp_path / "child.log")


def parent_with_child(folder: Path, *, survives: bool) -> tuple["subprocess.Popen[str]", int]:
    """A process that starts a child through this module, tells its pid, and waits until its standard input closes."""
    child = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit('asked to stop')); " + SLEEPER
    code = (
        "import pathlib, signal, sys; from b2stream.sandbox import processes; "
        "[signal.signal(asked, lambda number, _: sys.exit(128 + number)) for asked in (signal.SIGTERM, signal.SIGHUP)]; "
        f"p = processes.start('child', [sys.executable, '-c', {child!r}], pathlib.Path('child.log'), survives={survives}); "
        "print(p.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, text=True, stdin=-1, stdout=-1, stderr=-3, start_new_session=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    until(lambda: "ready" in processes.last_lines(folder / "child.log"))
    return parent, pid


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
