"""Commits: objects per second, one batch on an idle system, and 43 batches that close at once; beside bare calls in the same run.

`python -m tests.benchmarks.commits`. The centre is an embedded zone on the same machine and shares the cores:
these figures compare programs and say nothing of a real centre.
"""

import contextlib
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from b2stream.kafka import Consumer
from b2stream.sandbox.deployment import Deployment
from b2stream.settings import Settings, load
from tests.benchmarks.figures import Figure, markdown
from tests.benchmarks.measuring import commits_of, create_topics, password_of, start_processor, wait_for_batches
from tests.benchmarks.workload import half_hours, hold_closes, publish

ROUNDS = 3
SMALL_BATCHES = 300
SMALL_BYTES = 2_000
STATIONS = 43  # eddy-covariance loggers of ICOS today; their half hours end together
IDLE_BATCHES = 30
OBJECTS_AIM, IDLE_AIM_S, TOGETHER_AIM = 0.9, 0.3, 1.2


def measure_objects() -> list[Figure]:
    """Many small files."""
    with _deployment() as deployment:
        return [small_objects(deployment, load(deployment.settings_file).settings)]


def measure_closes() -> list[Figure]:
    """One half hour at a time, and many at once."""
    with _deployment() as deployment:
        create_topics(deployment)
        return idle_and_together(deployment, load(deployment.settings_file).settings)


@contextlib.contextmanager
def _deployment() -> Iterator[Deployment]:
    with tempfile.TemporaryDirectory(prefix="b2stream-bench-") as folder, Deployment(Path(folder)) as deployment:
        yield deployment


def small_objects(deployment: Deployment, settings: Settings) -> Figure:
    """Objects committed per second, two a batch; the log is full before the processor starts."""
    ours, bare = [], []
    for number in range(ROUNDS):
        community = f"small{number}"
        create_topics(deployment, community)
        sent = publish(settings.kafka.bootstrap, community, settings.kafka.partitions, list(_small_files()))
        ours.append(_commit_all(deployment, settings, community, sent.batches))
        bare.append(_bare(deployment, settings.processor.commits_in_flight, SMALL_BATCHES, SMALL_BYTES, 3_000))
    return Figure(
        "objects committed per second, 2 kB files",
        f"{2 * SMALL_BATCHES / statistics.median(ours):.0f} objects/s",
        f"bare python-irodsclient, as many threads {2 * SMALL_BATCHES / statistics.median(bare):.0f}",
        statistics.median(other / one for one, other in zip(ours, bare, strict=True)),
        OBJECTS_AIM,
    )


def idle_and_together(deployment: Deployment, settings: Settings) -> list[Figure]:
    """Seconds from publishing to the commit event: one batch at a time, then 43 closes at once."""
    process, _ = start_processor(deployment, "processor", {})
    commits = commits_of(settings.kafka.bootstrap, settings.general.community)
    figures = [_idle(settings, commits), _together(deployment, settings, commits)]
    process.stop(20)
    commits.close()
    return figures


def _idle(settings: Settings, commits: Consumer) -> Figure:
    taken_s = []
    for file in half_hours(1, IDLE_BATCHES, seed=7):
        began_s = time.monotonic()
        publish(settings.kafka.bootstrap, settings.general.community, settings.kafka.partitions, [file])
        wait_for_batches(commits, 1)
        taken_s.append(time.monotonic() - began_s)
    idle_s = statistics.median(taken_s)
    return Figure(
        "one half hour of 20 Hz on an idle system, publish to commit event, seconds",
        f"median {idle_s:.3f} s, worst of {IDLE_BATCHES} {max(taken_s):.3f} s",
        None,
        idle_s,
        IDLE_AIM_S,
        at_most=True,
    )


def _together(deployment: Deployment, settings: Settings, commits: Consumer) -> Figure:
    kafka, community = settings.kafka, settings.general.community
    together_s, bare_s = [], []
    for number in range(ROUNDS):
        files = list(half_hours(STATIONS, 1, seed=100 * (number + 1)))
        with hold_closes(kafka.bootstrap, community, kafka.partitions, files) as send_closes:
            began_s = time.monotonic()
            send_closes()
            wait_for_batches(commits, STATIONS)
            together_s.append(time.monotonic() - began_s)
        size_bytes = statistics.mean(len(content) for _, _, content in files)
        bare_s.append(_bare(deployment, settings.processor.commits_in_flight, STATIONS, int(size_bytes), 6_000))
    return Figure(
        f"{STATIONS} half hours that close at once",
        f"{statistics.median(together_s):.2f} s",
        f"bare python-irodsclient, as many threads {statistics.median(bare_s):.2f} s",
        statistics.median(one / other for one, other in zip(together_s, bare_s, strict=True)),
        TOGETHER_AIM,
        at_most=True,
    )


def _small_files() -> Iterator[tuple[str, str, bytes]]:
    for number in range(SMALL_BATCHES):
        yield f"SE-S{number % STATIONS:02d}", f"note-{number:05d}.bin", os.urandom(SMALL_BYTES)


def _commit_all(deployment: Deployment, settings: Settings, community: str, batches: int) -> float:
    environment = {
        "B2STREAM_GENERAL_COMMUNITY": community,
        "B2STREAM_FIRST_URL": f"{deployment.addresses['first']}/{community}",
    }
    commits = commits_of(settings.kafka.bootstrap, community)
    process, began_s = start_processor(deployment, f"processor-{community}", environment)
    wait_for_batches(commits, batches)
    seconds = time.monotonic() - began_s
    process.stop(20)
    commits.close()
    return seconds


def _bare(deployment: Deployment, threads: int, pairs: int, size_bytes: int, manifest_bytes: int) -> float:
    url = f"{deployment.addresses['first']}/bare-{secrets.token_hex(4)}"
    numbers = [str(number) for number in (threads, pairs, size_bytes, manifest_bytes)]
    command = [sys.executable, "-m", "tests.benchmarks.bare_commits", url, *numbers]
    environment = {**os.environ, "B2STREAM_FIRST_PASSWORD": password_of(deployment, "first")}
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300, env=environment)
    return float(json.loads(answer.stdout.splitlines()[-1])["seconds"])


if __name__ == "__main__":
    print(markdown([*measure_objects(), *measure_closes()]))
