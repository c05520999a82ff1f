"""`make faults`: every case once, the files of this folder side by side, because most of a case is waiting for something.

Each file is a run of pytest with servers of its own; what it prints comes whole, when it has ended. One more run is of the tests in other
folders that the catalogue names. At the end stands a line for each fault. `python -m tests.faults` with names of files runs those alone.
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
from tests.faults import outcomes
from tests.faults.catalogue import CATALOGUE

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
class Run:
    """What one run of pytest is asked for, and how it is called."""

    name: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """A run that has ended: pytest's exit code, how long it took, what it printed."""

    name: str
    exit_code: int
    seconds: float
    printed: str

    @property
    def good(self) -> bool:
        return self.exit_code == 0

    def line(self) -> str:
        """For the table."""
        last = self.printed.rstrip().rpartition("\n")[2]
        return f"{'✓' if self.good else '✗'} {self.name:<40} {self.seconds:>6.0f} s  {last}"


def runs_in_order(chosen: list[str]) -> list[Run]:
    """A run for each file of cases, or for those with these names; the longest first, so that none is left alone at the end."""
    files = sorted(file for file in FOLDER.rglob("test_*.py") if not chosen or file.name in chosen)
    order = {name: number for number, name in enumerate(LONGEST_FIRST)}
    files.sort(key=lambda file: order.get(file.name, len(order)))
    runs = [Run(str(file.relative_to(FOLDER)), (str(file),)) for file in files]
    return runs if chosen else [*runs[:SIDE_BY_SIDE], Run("other folders", elsewhere()), *runs[SIDE_BY_SIDE:]]


def elsewhere() -> tuple[str, ...]:
    """The tests of the catalogue that are in other folders."""
    named = {test for faults in CATALOGUE.values() for fault in faults for test in fault.tests}
    return tuple(
        str(FOLDER.parent / test) for test in sorted(named) if "::test_" in test and not test.startswith("faults/")
    )


def run(asked: Run, report: Path) -> Ended:
    """All its cases; `report` is where pytest writes what became of each."""
    began_s = time.monotonic()
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-m", "pytest", "--durations=0", "--durations-min=5", "-rs"]
        command += ["--junitxml", str(report), *asked.tests]
        environment = {**os.environ, "B2STREAM_FAULTS": "all"}
        exit_code = subprocess.call(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        output.seek(0)
        printed = output.read().decode(errors="replace")
    return Ended(asked.name, exit_code, time.monotonic() - began_s, printed)


def main(chosen: list[str]) -> int:
    """0 where every case was survived, else 1."""
    alone.take_turn(print)
    began_s, ended = time.monotonic(), []
    runs = runs_in_order(chosen)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        reports = [Path(folder) / f"{number}.xml" for number in range(len(runs))]
        for future in as_completed([pool.submit(run, *each) for each in zip(runs, reports, strict=True)]):
            one = future.result()
            ended.append(one)
            print(f"\n===== {len(ended)} of {len(runs)}: {one.line()}\n{one.printed}", flush=True)
        print(outcomes.table(outcomes.read(reports)))
    print("\n".join(one.line() for one in sorted(ended, key=lambda one: one.name)))
    print(f"{sum(one.good for one in ended)} of {len(ended)} runs are good, after {time.monotonic() - began_s:.0f} s")
    return 0 if ended and all(one.good for one in ended) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
