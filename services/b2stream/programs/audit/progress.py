"""What a long command is doing: a bar for each step, with total and share where they are known; elsewhere a line at each new step."""

import time
from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TaskProgressColumn, TextColumn

_SHOWN_EVERY_S = 0.1  # a log has millions of messages


class Counting:
    """Counts what is done, by name; used as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn()
        self._bars = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._counts: Counter[str] = Counter()
        self._totals: dict[str, int | None] = {}
        self._shown_at_s = 0.0

    def more(self, what: str, count: int, total: int | None = None) -> None:
        """So many more are done, of so many in all; `total` is None where nobody knows, and it may turn out to be more."""
        is_new = what not in self._tasks
        if is_new:
            self._show()  # the step before has ended
            self._tasks[what] = self._bars.add_task(what, total=total)
            if not self._console.is_terminal:
                self._console.print(f"reading {what} …", highlight=False)
        self._counts[what] += count
        self._totals[what] = None if total is None else max(total, self._counts[what])
        if is_new or time.monotonic() - self._shown_at_s > _SHOWN_EVERY_S:
            self._show()

    def _show(self) -> None:
        for what, task in self._tasks.items():
            self._bars.update(task, completed=self._counts[what], total=self._totals[what])
        self._shown_at_s = time.monotonic()

    def __enter__(self) -> "Counting":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._show()
        self._bars.stop()
