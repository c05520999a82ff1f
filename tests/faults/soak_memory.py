"""How much memory each process takes over time, and the slope of it: MB per ten minutes, by least squares."""

import json
import os
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from b2stream.sandbox.processes import Process

TEN_MINUTES_S = 600.0
MB = 1e6
WARM_UP_S = 300.0
MEASURED_S = 600.0
"""A slope is judged only where it was measured for so long after the warm-up."""
BAR_MB = 1.0
ALL_ARE_MEASURED_S = 1800.0
"""From this length of a load on each process is there for long enough: nobody is ended in its later part."""


@dataclass(frozen=True)
class Sample:
    """What a process and its children took at a time."""

    at_s: float
    pid: int
    rss_bytes: int


@dataclass(frozen=True)
class Slope:
    """Of one process: its first and last sample after the warm-up, and the slope; None where too little was measured to tell."""

    name: str
    lives: int
    first_mb: float
    last_mb: float
    measured_s: float
    mb_per_ten_minutes: float | None

    @property
    def is_too_steep(self) -> bool:
        """Whether it was measured for long enough and grows faster than the bar allows."""
        return (
            self.measured_s >= MEASURED_S and self.mb_per_ten_minutes is not None and self.mb_per_ten_minutes > BAR_MB
        )


@dataclass
class Memory:
    """Samples by the name of the process."""

    samples: dict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    file: Path | None = None
    """Where each sample is written, a JSON line each, for whoever wants to see the curve."""

    def sample(self, at_s: float, processes: Mapping[str, Process]) -> None:
        """Note what each takes now; one that is gone has none."""
        by_group = rss_by_group()
        for name, process in processes.items():
            if rss_bytes := by_group.get(process.pid):
                self.samples[name].append(Sample(at_s, process.pid, rss_bytes))
                self._write(name, self.samples[name][-1])

    def _write(self, name: str, sample: Sample) -> None:
        if self.file is not None:
            with self.file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"name": name, **asdict(sample)}) + "\n")

    def slopes(self, warm_up_s: float = WARM_UP_S) -> list[Slope]:
        """One for each process, of its longest life without its first `warm_up_s`."""
        return [slope(name, samples, warm_up_s) for name, samples in sorted(self.samples.items())]


def complaints(slopes: Sequence[Slope], judged: Collection[str], length_s: float) -> list[str]:
    """What is wrong with the memory of the processes that are judged, after a load of so many seconds."""
    found = [
        f"memory of {one.name} grows by {one.mb_per_ten_minutes:.2f} MB in ten minutes"
        for one in slopes
        if one.is_too_steep and one.name in judged
    ]
    if length_s >= ALL_ARE_MEASURED_S and rss_by_group():
        measured = {one.name for one in slopes if one.measured_s >= MEASURED_S and one.mb_per_ten_minutes is not None}
        found += [
            f"memory of {name} was not measured for {MEASURED_S:.0f} s" for name in sorted(set(judged) - measured)
        ]
    return found


def slope(name: str, samples: Sequence[Sample], warm_up_s: float = WARM_UP_S) -> Slope:
    """The slope of one process."""
    lives: dict[int, list[Sample]] = defaultdict(list)
    for each in samples:
        lives[each.pid].append(each)
    longest = max(lives.values(), key=lambda life: life[-1].at_s - life[0].at_s)
    warm = [each for each in longest if each.at_s >= longest[0].at_s + warm_up_s]
    first, last = (warm or longest)[0], (warm or longest)[-1]
    measured_s = last.at_s - first.at_s if warm else 0.0
    steepness = None if len(warm) < 3 else _least_squares(warm) * TEN_MINUTES_S / MB
    return Slope(name, len(lives), first.rss_bytes / MB, last.rss_bytes / MB, measured_s, steepness)


def _least_squares(samples: Sequence[Sample]) -> float:
    """Bytes per second."""
    count = len(samples)
    mean_s = sum(each.at_s for each in samples) / count
    mean_bytes = sum(each.rss_bytes for each in samples) / count
    spread = sum((each.at_s - mean_s) ** 2 for each in samples)
    together = sum((each.at_s - mean_s) * (each.rss_bytes - mean_bytes) for each in samples)
    return together / spread if spread else 0.0


def rss_by_group(proc: Path = Path("/proc")) -> dict[int, int]:
    """Resident bytes by process group, a program's helpers with it; empty where the system has no /proc."""
    found: dict[int, int] = defaultdict(int)
    for stat in proc.glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            found[int(fields[2])] += int(fields[21]) * os.sysconf(
                "SC_PAGE_SIZE"
            )  # process group, and resident pages: proc(5), 5 and 24
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    return dict(found)
