"""`make bench`: every benchmark, one after the other, and a report below `docs/benchmarks/`. Takes about ten minutes on two cores.

`python -m tests.benchmarks NAME…` measures some of them (`bytes`, `objects`, `closes`, `replication`, `checks`), prints them and
writes no report.
"""

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks import checks, commits, processing
from tests.benchmarks.figures import Figure, markdown
from tests.benchmarks.measuring import machine

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"
REPLICATION_AIM = 0.95


def main(chosen: list[str]) -> int:
    """Run all, write the report, print it; or those chosen. 1 where an aim is missed, 2 for a name that is none."""
    benchmarks = {
        "bytes": processing.measure,
        "objects": commits.measure_objects,
        "closes": commits.measure_closes,
        "replication": _replication,
        "checks": checks.measure,
    }
    if not set(chosen) <= set(benchmarks):
        print(f"benchmarks are {', '.join(benchmarks)}", file=sys.stderr)
        return 2
    load_before = os.getloadavg()[0]
    figures = [figure for name in chosen or benchmarks for figure in benchmarks[name]()]
    if chosen:
        print(markdown(figures))
        return 0 if all(figure.met for figure in figures) else 1
    today = datetime.datetime.now(datetime.UTC).date()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    text = f"""# Benchmarks of {today}

Machine: {machine()}. Load average before the run: {load_before:.2f}. Commit {commit.stdout.strip() or "unknown"}.
The centres are embedded zones on the same machine and share its cores, as Kafka does: the figures compare programs in
one run and say nothing of a real centre. Medians of three rounds; `make bench` makes this file.

{markdown(figures)}
"""
    FOLDER.mkdir(parents=True, exist_ok=True)
    report = FOLDER / f"{today}.md"
    report.write_text(text, encoding="utf-8")
    print(text)
    print(f"written to {report}")
    return 0 if all(figure.met for figure in figures) else 1


def _replication() -> list[Figure]:
    command = [sys.executable, "-m", "tests.benchmarks.replicator", "--json"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=1200)
    found = json.loads(answer.stdout)
    figures = []
    for kind, name, unit in (
        ("small", "replicated objects per second", "objects_per_s"),
        ("large", "replicated bytes", "mb_per_s"),
    ):
        rates = found[kind]
        figures.append(
            Figure(
                name,
                f"{rates['replicator'][unit]:.0f} {'objects/s' if unit == 'objects_per_s' else 'MB/s'}",
                f"bare read-verify-write loop {rates['bare'][unit]:.0f}",
                rates["ratio"],
                REPLICATION_AIM,
            )
        )
    return figures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
