"""`make faults`: every case once, the files of this folder side by side, because most of a case is waiting for something.

Each file is a run of pytest with servers of its own; what it prints comes whole, when it has ended. `python -m tests.faults` with names of
files runs those alone.
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests import alone

FOLDER = Path(__file__).parent
SIDE_BY_SIDE = 3
"""Chains at the same time; measured on two cores, where a fourth one made the others miss their deadlines."""
LONGEST_FIRST = (
    "test_kills.py",
    "test_cluster.py",
    "test_outages.py",
    "test_quiet.py",
    "test_kafka_log.py",
    "test_steps_that_fail.py",
    "test_zone_links.py",
    "test_kafka_links.py",
    "test_disks.py",
    "test_planted.py",
    "test_two_processors.py",
    "test_rebalances.py",
)


@dataclass(frozen=True)
class Ended:
    """A file's run: pytest's exit code, how long it took, what it printed."""

    file: Path
    exit_code: int
    seconds: float
    printed: str

    @property
    def good(self) -> bool:
        return self.exit_code == 0

    def line(self) -> str:
        """For the table."""
        last = self.printed.rstrip().rpartition("\n")[2]
        return f"{'✓' if self.good else '✗'} {self.file.relative_to(FOLDER)!s:<40} {self.seconds:>6.0f} s  {last}"


def files_in_order(chosen: list[str]) -> list[Path]:
    """All files of cases, or those with these names; the longest first, so that none is left alone at the end."""
    found = sorted(file for file in FOLDER.rglob("test_*.py") if not chosen or file.name in chosen)
    order = {name: number for number, name in enumerate(LONGEST_FIRST)}
    return sorted(found, key=lambda file: order.get(file.name, len(order)))


def run(file: Path) -> Ended:
    """All cases of one file."""
    began_s = time.monotonic()
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-m", "pytest", "--durations=0", "--durations-min=5", "-rs", str(file)]
        environment = {**os.environ, "B2STREAM_FAULTS": "all"}
        exit_code = subprocess.call(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        output.seek(0)
        printed = output.read().decode(errors="replace")
    return Ended(file, exit_code, time.monotonic() - began_s, printed)


def main(chosen: list[str]) -> int:
    """0 where every case was survived, else 1."""
    alone.take_turn(print)
    began_s, ended = time.monotonic(), []
    files = files_in_order(chosen)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for future in as_completed([pool.submit(run, file) for file in files]):
            one = future.result()
            ended.append(one)
            print(f"\n===== {len(ended)} of {len(files)}: {one.line()}\n{one.printed}", flush=True)
    print("\n".join(one.line() for one in sorted(ended, key=lambda one: one.file)))
    print(f"{sum(one.good for one in ended)} of {len(ended)} files are good, after {time.monotonic() - began_s:.0f} s")
    return 0 if ended and all(one.good for one in ended) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
