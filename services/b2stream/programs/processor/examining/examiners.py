"""Where a closed batch is examined: in the thread that commits it, or in a process of its own.

Examining is hashing, decoding and summarising: half of a commit's processor time, and a pure function of the close and of what lies in
the spool. So it alone leaves the process that reads the log and whose interpreter lock is what is short; whatever may die
in the middle, be tried again or hold a secret stays there.
"""

import contextlib
import queue
import subprocess
import sys
import threading
from array import array
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from typing import Protocol

from b2stream.batches.examining import Examination, Examined
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed
from b2stream.errors import Poison, Retryable
from b2stream.programs.processor.bodies import RereadBodies, SpooledBodies

SMALLEST_BYTES = 512 << 10
"""A smaller batch is examined sooner than another process has heard of it."""
MODULE = "b2stream.programs.processor.examining.process"
_END_S = 2.0


class ExaminerDied(Retryable):
    """The process that examined this batch ended: another one takes its place; look for a lack of memory."""

    reason = "examiner_died"


class Examiner(Protocol):
    """Says whether the blocks of a closed batch are what its close promises. May be called in several threads at once."""

    def examine(self, close: BatchClosed, bodies: SpooledBodies | RereadBodies) -> Examined:
        """What is in it. Raises Poison where it is not true, and what reading the blocks raises."""
        ...

    def close(self) -> None:
        """Let go of everything; what is being examined is given up."""
        ...


class Here:
    """Examines in the calling thread."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing

    def examine(self, close: BatchClosed, bodies: SpooledBodies | RereadBodies) -> Examined:
        examination = Examination(close)
        for value in bodies():
            examination.take(self._framing.unframe(value))
        return examination.result()

    def close(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class Task:
    """What the other process is asked: everything by value but the blocks, which it reads from the file in the spool.

    `schemas_by_id` are the fingerprints of a registry's ids, all of which were asked for when the blocks arrived.
    """

    close: BatchClosed
    path: str
    positions: "array[int]"
    sizes_bytes: "array[int]"
    schemas_by_id: dict[int, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a task: it is `examined`, or `poison` (detail and reason), or `failed` in a way that nobody foresaw."""

    examined: Examined | None = None
    poison: tuple[str, str] | None = None
    failed: str = ""


class Elsewhere:
    """Examines in `count` processes; small batches, and those read again from the log, in the calling thread.

    A process that dies is replaced, and its batch is tried again. They end with this process, however it ends: each of
    them holds the other end of a pipe.
    """

    def __init__(self, framing: Framing, count: int) -> None:
        self._framing = framing
        self._here = Here(framing)
        self._idle: queue.SimpleQueue[_Process | None] = queue.SimpleQueue()
        self._all: set[_Process] = set()
        self._lock = threading.Lock()
        self._closed = False
        for _ in range(count):
            self._start()

    def examine(self, close: BatchClosed, bodies: SpooledBodies | RereadBodies) -> Examined:
        if not isinstance(bodies, SpooledBodies) or bodies.attempt.size_bytes < SMALLEST_BYTES:
            return self._here.examine(close, bodies)
        positions, sizes_bytes = bodies.places()
        task = Task(close, bodies.path, positions, sizes_bytes, self._framing.known_ids())
        process = self._idle.get()
        if process is None:
            self._idle.put(None)  # for whoever waits as well
            raise ExaminerDied("the processor ends")
        try:
            answer = process.ask(task)
        except (EOFError, OSError) as error:
            process.end()
            self._all.discard(process)
            self._start()
            raise ExaminerDied(repr(error)) from error
        self._idle.put(process)
        if answer.poison is not None:
            detail, reason = answer.poison
            raise Poison(detail, reason=reason)
        if answer.examined is None:
            raise RuntimeError(answer.failed)
        return answer.examined

    def close(self) -> None:
        with self._lock:
            self._closed = True
            ending = list(self._all)
        for process in ending:
            process.end()
        self._idle.put(None)

    def _start(self) -> None:
        with self._lock:
            if self._closed:
                return
            process = _Process()
            self._all.add(process)
        self._idle.put(process)


class _Process:
    """One examining process and the pipe to it."""

    def __init__(self) -> None:
        self._pipe, theirs = Pipe()
        command = [sys.executable, "-m", MODULE, str(theirs.fileno())]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        theirs.close()

    def ask(self, task: Task) -> Answer:
        self._pipe.send(task)
        answer: Answer = self._pipe.recv()
        return answer

    def end(self) -> None:
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it hangs in the kernel; the system waits for it later
            self._process.wait(_END_S)
