"""`gateway --once`: publish what is in the folder, wait until it arrived as far as asked, and say how it went."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from b2stream.errors import Retryable
from b2stream.programs.gateway.program import Gateway
from b2stream.programs.gateway.publisher import Stopping
from b2stream.programs.gateway.running import Waiting

EXIT_REFUSED = 1
EXIT_NOT_IN_TIME = 3
_LOOK_S = 0.2
_LINE_EVERY_S = 5.0


class Wait(Enum):
    """How far a file has to come."""

    SENT = "sent"
    COMMITTED = "committed"
    REPLICATED = "replicated"

    @property
    def arrived(self) -> frozenset[str]:
        """The outcomes that are far enough."""
        every = ("sent", "lost", "committed", "replicated")
        return frozenset({"sent": every, "committed": every[2:], "replicated": every[3:]}[self.value])


@dataclass(slots=True)
class Report:
    """Where the files of the folder are: by outcome, and those that need someone, each with a reason."""

    outcomes: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def count(self, outcomes: frozenset[str]) -> int:
        return sum(outcome in outcomes for outcome in self.outcomes.values())

    def exit_code(self, wait: Wait) -> int:
        """0 all there, 1 something refused or unreadable, 3 something not there yet."""
        if self.unreadable or "refused" in self.outcomes.values():
            return EXIT_REFUSED
        return 0 if self.count(wait.arrived) == len(self.outcomes) else EXIT_NOT_IN_TIME

    def is_final(self, wait: Wait) -> bool:
        """Whether nothing more is to be expected."""
        return all(
            outcome in wait.arrived or outcome == "refused" or name in self.unreadable
            for name, outcome in self.outcomes.items()
        )

    def __str__(self) -> str:
        counts = Counter(self.outcomes.values())
        return f"{len(self.outcomes)} files: " + (", ".join(f"{n} {o}" for o, n in sorted(counts.items())) or "none")


def run_once(
    gateway: Gateway, stop: threading.Event, wait: Wait, timeout_s: float | None, show: Callable[[Report], None]
) -> Report:
    """Go round until every file arrived, is refused or unreadable, until the time is over, or until asked to stop."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    waiting = Waiting(gateway.beat)
    report = Report()
    while not stop.is_set():
        try:
            gateway.step()
            waiting.over()
        except Stopping:
            break
        except Retryable as error:
            waiting.because(error)
        report = look(gateway)
        show(report)
        if gateway.all_taken() and report.is_final(wait):
            break
        if deadline is not None and time.monotonic() > deadline:
            break
        stop.wait(_LOOK_S)
    return report


def look(gateway: Gateway) -> Report:
    """Where the files of the folder are now."""
    known = gateway.journal.outcomes()
    current = {*gateway.present, *gateway.unsettled}
    taken = {name for name in current if gateway.is_taken(name)}
    outcomes = {name: known.get(name, "sending") if name in taken else "waiting" for name in current}
    return Report(outcomes, dict(gateway.unreadable))


class Shown:
    """A progress bar on a terminal, a line now and then elsewhere; on standard error."""

    def __init__(self, wait: Wait) -> None:
        self._wait = wait
        self._console = Console(stderr=True)
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._said = ""
        self._said_at = float("-inf")

    def __enter__(self) -> "Shown":
        if self._console.is_terminal:
            columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, console=self._console)
            self._bars.start()
            for wait in list(Wait)[: list(Wait).index(self._wait) + 1]:
                self._tasks[wait.value] = self._bars.add_task(wait.value, total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, report: Report) -> None:
        if self._bars is not None:
            for name, task in self._tasks.items():
                far = report.count(Wait(name).arrived)
                self._bars.update(task, total=len(report.outcomes), completed=far)
            return
        line, now = str(report), time.monotonic()
        if line != self._said and now - self._said_at >= _LINE_EVERY_S:
            self._said, self._said_at = line, now
            print(line, file=sys.stderr, flush=True)  # noqa: T201  # this is the program's output
