"""Child processes of the sandbox: servers and programs, each with a log file and a process group of its own.

Whoever starts one decides how long it lives. Normally it ends with the process that started it, also when that one is
killed with SIGKILL (`launcher`). With `survives=True` it goes on, and `Process.attach` finds it again by process id and
start time, so a process id that was handed out again is never mistaken for it.
"""

import atexit
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

STOP_GRACE_S = 10.0
FREEZE_S = 10.0
POLL_S = 0.02
HAS_PROC = Path("/proc/self/stat").exists()  # Linux
LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(eq=False)
class Process:
    """A process that this one started, or found again. Signals go to its whole group."""

    name: str
    pid: int
    started: str  # when, as the operating system says it; with the pid it names one process for good
    log_file: Path
    _child: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @classmethod
    def attach(cls, name: str, pid: int, started: str, log_file: Path) -> "Process":
        """A process that another command started; `running` tells whether it still is."""
        return cls(name, pid, started, log_file)

    @property
    def running(self) -> bool:
        """Whether it is there; a frozen process is."""
        if self._child is not None:
            return self._child.poll() is None
        return self.started != "" and start_time(self.pid) == self.started

    @property
    def exit_code(self) -> int | None:
        """How a child ended (negative: by that signal); None while it runs and for processes of another parent."""
        return None if self._child is None else self._child.poll()

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; False if it still runs after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.running:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        return True

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Ask it to end (SIGTERM, and SIGCONT for a frozen one); after `grace_s` it is killed."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)
        if not self.wait(grace_s):
            self.kill()

    def kill(self) -> None:
        """End it at once, its children too (SIGKILL to the group), and wait until it is gone."""
        self.send(signal.SIGKILL)
        self.wait(STOP_GRACE_S)

    def freeze(self) -> None:
        """Stop it in its tracks (SIGSTOP): its connections stay open and nothing answers. Raises what `freeze_group` does."""
        if self.running:
            freeze_group(self.pid)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its group; nothing happens if it has ended."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def last_log_lines(self, count: int = 20) -> str:
        """The end of its log."""
        return last_lines(self.log_file, count)


def start(
    name: str,
    command: Sequence[str | Path],
    log_file: Path,
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    survives: bool = False,
) -> Process:
    """Start a program that appends what it prints to `log_file`; it reads nothing and has a process group of its own.

    `environment` replaces this process's one. Unless it `survives`, the program ends with this process.
    """
    words = [str(word) for word in command]
    if not survives:
        words = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *words]
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as log:

        def spawn() -> "subprocess.Popen[bytes]":
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=directory,
                start_new_session=True,
            )

        child = spawn() if survives else _spawner.run(spawn)
    process = Process(name, child.pid, start_time(child.pid), log_file, child)
    if not survives:
        _mortal[:] = [(owner, one) for owner, one in _mortal if one.running]
        _mortal.append((os.getpid(), process))
    return process


def stop_all(processes: Sequence[Process], grace_s: float = STOP_GRACE_S) -> None:
    """Stop several processes together: all are asked first, then waited for within one grace time."""
    for process in processes:
        process.send(signal.SIGTERM)
        process.send(signal.SIGCONT)
    deadline = time.monotonic() + grace_s
    for process in processes:
        if not process.wait(max(0.0, deadline - time.monotonic())):
            process.kill()


def freeze_group(group: int, timeout_s: float = FREEZE_S) -> None:
    """Stop every process of a group, and return when the last thread of the last one stands still.

    A signal is only noted for a thread that runs at that moment or is in the kernel: it goes on, and may still answer
    somebody, until it comes by. Raises TimeoutError where one does not within `timeout_s`; a group that is gone is still.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGSTOP)
    deadline = time.monotonic() + timeout_s
    while moving := [state for state in thread_states(group) if state not in _STILL]:
        if time.monotonic() >= deadline:
            raise TimeoutError(f"process group {group} does not stand still: threads in state {', '.join(moving)}")
        time.sleep(POLL_S / 10)


_STILL = {"T", "t", "Z", "X"}  # stopped, stopped by a debugger, and two states of what has ended


def thread_states(group: int) -> list[str]:
    """The state of each thread (each process, where the system shows no threads) of a process group, as `ps` writes it."""
    if HAS_PROC:
        states = []
        for process in Path("/proc").glob("[0-9]*"):
            # The process group is the third field after the name.
            if _fields_after_name(process / "stat")[2:3] == [str(group)]:
                states += [fields[0] for task in process.glob("task/*/stat") if (fields := _fields_after_name(task))]
        return states
    answer = subprocess.run(["ps", "-A", "-o", "pgid=,state="], capture_output=True, text=True, check=False)
    return [line.split()[1][0] for line in answer.stdout.splitlines() if line.split()[0] == str(group)]


def _fields_after_name(stat: Path) -> list[str]:
    """What follows the name, which may contain spaces and brackets, in a file of proc(5): state, parent, …; empty if it is gone."""
    try:
        return stat.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def start_time(pid: int) -> str:
    """When this process started, as the operating system writes it; empty if it is gone or only waits to be reaped."""
    if HAS_PROC:
        fields = _fields_after_name(Path(f"/proc/{pid}/stat"))  # the start is the 20th of them
        return "" if not fields or fields[0] in ("Z", "X") else fields[19]
    answer = subprocess.run(["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, since = answer.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else since.strip()


def last_lines(log_file: Path, count: int = 20) -> str:
    """The last `count` lines of a log file, at most 16 KiB; empty if there is none."""
    try:
        with log_file.open("rb") as log:
            log.seek(max(0, log_file.stat().st_size - 16 * 1024))
            text = log.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-count:])


class _Spawner:
    """One thread that starts all children and lives as long as the process.

    Linux sends the signal asked for by PR_SET_PDEATHSIG when the *thread* that forked ends (prctl(2)), so a child
    started from a short-lived worker thread would die with it.
    """

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]
        self._work = queue.SimpleQueue()
        self._owner_pid = 0
        self._starting = threading.Lock()

    def run(self, spawn: Callable[[], "subprocess.Popen[bytes]"]) -> "subprocess.Popen[bytes]":
        with self._starting:
            if self._owner_pid != os.getpid():  # the first time, and again in a forked process: threads are not copied
                self._work = queue.SimpleQueue()
                self._owner_pid = os.getpid()
                threading.Thread(target=self._serve, args=(self._work,), name="spawner", daemon=True).start()
        result: Future[subprocess.Popen[bytes]] = Future()
        self._work.put((spawn, result))
        return result.result()

    @staticmethod
    def _serve(
        work: "queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]",
    ) -> None:
        while True:
            spawn, result = work.get()
            try:
                result.set_result(spawn())
            except BaseException as failure:
                result.set_exception(failure)


_spawner = _Spawner()
# With the pid of the process that started it: a forked one must not end what is not its own.
_mortal: list[tuple[int, Process]] = []


@atexit.register
def _stop_what_is_left() -> None:
    stop_all([process for owner, process in _mortal if owner == os.getpid() and process.running], grace_s=3.0)
