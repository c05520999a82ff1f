"""`python -m tests.simulator --seconds 600 [--from-seed N] [--all]`: simulate, print what was hit, and shorten what is bad."""

import argparse
import itertools
import sys
import time

from tests.simulator.exploring import described, explore, shortened, simulating
from tests.simulator.simulation import run


def main() -> int:
    """1 where something is bad."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long")
    parser.add_argument("--from-seed", type=int, default=0, help="the first seed")
    parser.add_argument("--all", action="store_true", help="go on after the first bad schedule")
    chosen = parser.parse_args()
    until_s = time.monotonic() + chosen.seconds
    summary = explore(
        itertools.count(chosen.from_seed),
        lambda _: time.monotonic() > until_s,
        most_found=1_000_000 if chosen.all else 1,
    )
    print(summary)
    for seed, schedule, outcome in summary.found[:5]:
        print(f"\n{described(seed, schedule, outcome)}")
        with simulating():
            short = shortened(schedule)
            print(f"shortened:\n{described(None, short, run(short))}")
    return 1 if summary.found else 0


if __name__ == "__main__":
    sys.exit(main())
