"""What the checks of a commit cost: a processor as it is, beside one without them (`unchecked/`), on the same log in turns.

`python -m tests.benchmarks.checks`. Throughput is batches per CPU second of processor and first centre together: on a machine that does
nothing else that is batches per second, and on one that others use it is still true. Seconds by the clock are told beside it.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from b2stream.sandbox.deployment import Deployment
from b2stream.settings import Settings, load
from tests.benchmarks.commits import SMALL_BYTES, STATIONS
from tests.benchmarks.figures import Figure, markdown
from tests.benchmarks.measuring import commits_of, cpu_s, create_topics, start_processor, wait_for_batches
from tests.benchmarks.workload import File, half_hours, publish
from tests.faults.chain import NO_HANDLE

UNCHECKED = Path(__file__).with_name("unchecked")
ROUNDS = 3
SMALL_BATCHES = 200
AIM = 0.8


@dataclass(frozen=True)
class Taken:
    """What it took to commit one load."""

    cpu_s: float
    seconds: float


def measure() -> list[Figure]:
    """Small files, where round trips count, and half hours, where bytes do."""
    with (
        tempfile.TemporaryDirectory(prefix="b2stream-bench-") as folder,
        Deployment(Path(folder), NO_HANDLE) as deployment,
    ):
        settings = load(deployment.settings_file).settings
        return [
            _compare(deployment, settings, "2 kB files", [list(_small_files()) for _ in range(ROUNDS)]),
            _compare(
                deployment,
                settings,
                "half hours of 20 Hz",
                [list(half_hours(STATIONS, 1, seed=100 * (number + 1))) for number in range(ROUNDS)],
            ),
        ]


def _compare(deployment: Deployment, settings: Settings, what: str, loads: list[list[File]]) -> Figure:
    checked: list[Taken] = []
    unchecked: list[Taken] = []
    for number, files in enumerate(loads):
        pair = {True: checked, False: unchecked}
        for with_checks in (True, False) if number % 2 == 0 else (False, True):
            community = f"{what[:1]}{number}{'with' if with_checks else 'without'}".replace("2", "two")
            pair[with_checks].append(_commit_all(deployment, settings, community, files, with_checks))
    ratio = statistics.median(off.cpu_s / on.cpu_s for on, off in zip(checked, unchecked, strict=True))
    return Figure(
        f"commits with the checks on, {what}",
        _told(checked, len(loads[0])),
        f"without them {_told(unchecked, len(loads[0]))}",
        ratio,
        AIM,
    )


def _told(taken: list[Taken], batches: int) -> str:
    cpu, clock = statistics.median(one.cpu_s for one in taken), statistics.median(one.seconds for one in taken)
    return f"{batches / cpu:.0f} batches per CPU second ({clock:.1f} s by the clock)"


def _commit_all(
    deployment: Deployment, settings: Settings, community: str, files: list[File], with_checks: bool
) -> Taken:
    create_topics(deployment, community)
    publish(settings.kafka.bootstrap, community, settings.kafka.partitions, files)
    path = [*([] if with_checks else [str(UNCHECKED)]), os.environ.get("PYTHONPATH", "")]
    environment = {
        "B2STREAM_GENERAL_COMMUNITY": community,
        "B2STREAM_FIRST_URL": f"{deployment.addresses['first']}/{community}",
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
    }
    commits = commits_of(settings.kafka.bootstrap, community)
    zone = deployment.servers["first"].process
    assert zone is not None
    zone_before_s = cpu_s(zone.pid)
    process, began_s = start_processor(deployment, f"processor-{community}", environment)
    ours_before_s = cpu_s(process.pid)
    wait_for_batches(commits, len(files))
    seconds = time.monotonic() - began_s
    taken_s = cpu_s(process.pid) - ours_before_s + cpu_s(zone.pid) - zone_before_s
    process.stop(20)
    commits.close()
    return Taken(taken_s, seconds)


def _small_files() -> Iterator[File]:
    for number in range(SMALL_BATCHES):
        yield f"SE-S{number % STATIONS:02d}", f"note-{number:05d}.bin", os.urandom(SMALL_BYTES)


if __name__ == "__main__":
    print(markdown(measure()))
