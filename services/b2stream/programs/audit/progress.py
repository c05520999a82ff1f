"""What a long command is doing: one line that changes; without a terminal a line at each new step."""

from collections import Counter

from rich.console import Console
from rich.live import Live


class Counting:
    """Counts what is done, by name; used as a context manager."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = Live("", console=self._console, transient=True, refresh_per_second=4)
        self._counts: Counter[str] = Counter()

    def more(self, what: str, count: int) -> None:
        """So many more are done."""
        if what not in self._counts and not self._console.is_terminal:
            self._console.print(f"reading {what} …", highlight=False)
        self._counts[what] += count
        if self._console.is_terminal:
            self._live.update(", ".join(f"{number} {name}" for name, number in self._counts.items()))

    def __enter__(self) -> "Counting":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()
