"""What someone sees while the demo works: at a terminal a picture that changes, elsewhere a plain line whenever something changed."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from b2stream.sandbox.demo.progress import Counts

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 40
PLAIN_EVERY_S = 0.5
AGAIN_S = 5.0


def sparkline(values: Sequence[int], width: int = WIDTH) -> str:
    """The values over time in at most `width` characters, each the greatest of its stretch."""
    if not values:
        return ""
    step = max(1.0, len(values) / width)
    stretches = [
        values[int(at * step) : max(int((at + 1) * step), int(at * step) + 1)] for at in range(min(width, len(values)))
    ]
    highest = max(max(values), 1)
    return "".join(BARS[max(stretch) * (len(BARS) - 1) // highest] for stretch in stretches)


class Screen:
    """Shows progress. `files` is how many files will be fed; `first` and `second` are the names of the centres."""

    def __init__(self, stream: TextIO, files: int, first: str, second: str) -> None:
        self._console = Console(file=stream, highlight=False)
        self._files = files
        self.first, self.second = first, second
        self._history: list[Counts] = []
        self._trouble = ""
        self._said: tuple[int, ...] = ()
        self._said_at = 0.0
        self._live = Live(console=self._console, refresh_per_second=8) if self._console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def say(self, line: str) -> None:
        """A line that stays."""
        self._console.print(Text(line), soft_wrap=True)

    def trouble(self, line: str) -> None:
        """What is broken on purpose now; empty: nothing is."""
        self._trouble = line
        if line:
            self.say(line)

    def show(self, counts: Counts) -> None:
        """How far it has come."""
        self._history.append(counts)
        if self._live:
            self._live.update(self._picture(counts))
            return
        numbers = (counts.fed, counts.sent, counts.committed, counts.replicated)
        now_s = time.monotonic()
        arrived = numbers != self._said and counts.replicated == self._files
        if not arrived and now_s - self._said_at < (PLAIN_EVERY_S if numbers != self._said else AGAIN_S):
            return
        self._said, self._said_at = numbers, now_s
        self.say(
            f"{counts.at_s:5.1f} s  files {counts.fed}/{self._files}  sent {counts.sent}  at {self.first} {counts.committed}"
            f"  at {self.second} {counts.replicated}  lag: processor {counts.processor_lag}, replicator {counts.replicator_lag}"
        )

    def lags(self) -> None:
        """Both lags over the whole time, on two lines that stay; a terminal has them in the picture already."""
        if self._live:
            return
        for name, values in self._lag_values():
            self.say(f"lag at the {name:10} {sparkline(values)}  at most {max(values, default=0)}, now {values[-1]}")

    def _lag_values(self) -> list[tuple[str, list[int]]]:
        processor = [counts.processor_lag for counts in self._history]
        replicator = [counts.replicator_lag for counts in self._history]
        return [("processor", processor or [0]), ("replicator", replicator or [0])]

    def _picture(self, counts: Counts) -> RenderableType:
        lines = [Text("")]
        for name, done in (
            ("fed to the stations", counts.fed),
            ("sent to Kafka", counts.sent),
            (f"committed at {self.first}", counts.committed),
            (f"replicated to {self.second}", counts.replicated),
        ):
            length = WIDTH * done // max(self._files, 1)
            lines.append(Text(f"  {name:22}") + Text("━" * length, "green") + Text("━" * (WIDTH - length), "dim"))
            lines[-1] += Text(f" {done} of {self._files} files")
        for name, values in self._lag_values():
            lines.append(Text(f"  lag at the {name:11}") + Text(f"{sparkline(values):{WIDTH}} ", "yellow"))
            lines[-1] += Text(f"{values[-1]} files")
        lines.append(Text(f"  {counts.at_s:.0f} s  {self._trouble}", "bold red" if self._trouble else "dim"))
        return Group(*lines)
