"""`python -m tests.simulator --seconds 600 [--from-seed N] [--all]`: simulate on all cores, print what was hit, and shorten what is
bad. `--seed N` runs one schedule again, step by step."""

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulator.exploring import Summary, described, explore_for, shortened, simulating
from tests.simulator.schedule import from_seed
from tests.simulator.simulation import run

MOST = 1_000_000


def again(seed: int) -> str:
    """The command that runs this seed's schedule alone."""
    return f"python -m tests.simulator --seed {seed}"


def replay(seed: int) -> int:
    """Run one seed's schedule and print what happened in it."""
    schedule = from_seed(seed)
    with simulating():
        outcome = run(schedule, tracing=True)
    print("\n".join(outcome.trace), described(seed, schedule, outcome), sep="\n\n")
    return 1 if outcome.violations else 0


def main() -> int:
    """1 where something is bad."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long")
    parser.add_argument("--from-seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this one alone, and print each of its steps")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="how many at once; default: one per core"
    )
    parser.add_argument("--all", action="store_true", help="go on after the first bad schedule")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        return replay(chosen.seed)
    summary, count, began_s = Summary(), chosen.processes, time.monotonic()
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        parts = [
            pool.submit(explore_for, chosen.seconds, chosen.from_seed + number, count, MOST if chosen.all else 1)
            for number in range(count)
        ]
        for part in parts:
            summary.take_in(part.result())
    print(
        f"{summary}\n{60 * summary.schedules / (time.monotonic() - began_s):,.0f} schedules a minute with {count} processes"
    )
    for seed, schedule, outcome in sorted(summary.found, key=lambda each: each[0])[:5]:
        print(f"\n{described(seed, schedule, outcome)}\nagain: {again(seed)}")
        with simulating():
            short = shortened(schedule)
            print(f"shortened:\n{described(None, short, run(short))}")
    return 1 if summary.found else 0


if __name__ == "__main__":
    sys.exit(main())
