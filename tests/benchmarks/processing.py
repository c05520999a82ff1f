"""Archived file bytes per second through one processor, beside the ceilings measured in the same run on the same messages.

`python -m tests.benchmarks.processing [STATIONS] [FILES]`. The centre is an embedded zone on the same machine: it shares the cores.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from b2stream.contracts import topics
from b2stream.sandbox.deployment import Deployment
from b2stream.settings import load
from tests.benchmarks.figures import Figure, markdown
from tests.benchmarks.measuring import commits_of, cpu_s, create_topics, start_processor, wait_for_batches
from tests.benchmarks.workload import Load, half_hours, publish

AIM = 0.6
ROUNDS = 3


@dataclass(frozen=True)
class Run:
    """One pass over all messages."""

    seconds: float
    cpu_s: float


def measure(stations: int = 8, files: int = 24) -> list[Figure]:
    """Run all three on the same messages, in turns."""
    with tempfile.TemporaryDirectory(prefix="b2stream-bench-") as folder, Deployment(Path(folder)) as deployment:
        settings = load(deployment.settings_file).settings
        create_topics(deployment)
        bootstrap, community = settings.kafka.bootstrap, settings.general.community
        sent = publish(bootstrap, community, settings.kafka.partitions, list(half_hours(stations, files)))
        topic = topics.MEASUREMENTS.full_name(community)
        faust, confluent, ours = [], [], []
        for number in range(ROUNDS):
            faust.append(_bare("bare_faust", bootstrap, topic, sent))
            confluent.append(_bare("bare_confluent", bootstrap, topic, sent))
            ours.append(_processor(deployment, bootstrap, community, sent, number))
    ratio = statistics.median(one.seconds / other.seconds for one, other in zip(faust, ours, strict=True))
    plain = _shown(sent, confluent)
    return [
        Figure(
            f"archived file bytes, {sent.batches} files of 20 Hz ({sent.file_bytes / 1e6:.0f} MB, "
            f"{sent.message_bytes / 1e6:.0f} MB of messages)",
            _shown(sent, ours),
            f"bare Faust {_shown(sent, faust)}; plain confluent-kafka + SHA-256 + write {plain}",
            ratio,
            AIM,
        )
    ]


def _shown(sent: Load, runs: list[Run]) -> str:
    seconds = statistics.median(run.seconds for run in runs)
    cpu_s = statistics.median(run.cpu_s for run in runs)
    return f"{sent.file_bytes / seconds / 1e6:.0f} MB/s, {cpu_s / sent.file_bytes * 1e9:.1f} CPU s/GB"


def _bare(module: str, bootstrap: str, topic: str, sent: Load) -> Run:
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", bootstrap, topic, str(sent.messages)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    return Run(**json.loads(answer.stdout.splitlines()[-1]))


def _processor(deployment: Deployment, bootstrap: str, community: str, sent: Load, number: int) -> Run:
    """A processor with a group and an archive root of its own for each round, so that everything is committed anew."""
    first = deployment.addresses["first"]
    environment = {"B2STREAM_PROCESSOR_GROUP": f"bench-{number}", "B2STREAM_FIRST_URL": f"{first}/round-{number}"}
    commits = commits_of(bootstrap, community)
    process, began_s = start_processor(deployment, f"processor-{number}", environment)
    used_s = cpu_s(process.pid)
    wait_for_batches(commits, sent.batches)
    result = Run(time.monotonic() - began_s, cpu_s(process.pid) - used_s)
    process.stop(20)
    commits.close()
    return result


if __name__ == "__main__":
    print(markdown(measure(*(int(argument) for argument in sys.argv[1:]))))
