"""What the benchmarks share: a deployment's topics and secrets, CPU time of a process, the machine in words."""

import contextlib
import os
import platform
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchCommitted
from b2stream.kafka import Consumer
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.ports import free_port
from b2stream.sandbox.processes import Process
from b2stream.settings import load
from tests.waiting import until


def create_topics(deployment: Deployment, community: str | None = None) -> None:
    """Create a community's topics."""
    environment = {**os.environ, "B2STREAM_CONFIG": str(deployment.settings_file)}
    if community is not None:
        environment["B2STREAM_GENERAL_COMMUNITY"] = community
    command = [sys.executable, "-m", "b2stream", "topics", "create"]
    subprocess.run(command, check=True, capture_output=True, env=environment)


def password_of(deployment: Deployment, role: str) -> str:
    """The password of one of the sandbox's own centres."""
    centre = getattr(load(deployment.settings_file).settings, role)
    return Path(centre.password_file).read_text(encoding="utf-8").splitlines()[0]


def start_processor(deployment: Deployment, label: str, environment: dict[str, str]) -> tuple[Process, float]:
    """Start a processor; the process, and the time.monotonic() at which it began to read, to a hundredth of a second."""
    port = free_port()
    settled = {"B2STREAM_MONITORING_PORT": str(port), "B2STREAM_REDIS_URL": "", **environment}
    process = deployment.run_program("processor", label=label, environment=settled, wait=False)

    def ready_since_s() -> float | None:
        before_s = time.monotonic()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1.0):
                return before_s
        except OSError:
            return None

    began_s = until(ready_since_s, f"{label} did not become ready", poll_s=0.005)
    assert began_s is not None
    return process, began_s


def commits_of(bootstrap: str, community: str) -> Consumer:
    """A follower of a community's commit events from now on."""
    consumer = Consumer(bootstrap, topics.COMMITS.full_name(community), client_id="bench", from_beginning=False)
    consumer.poll(1.0)
    return consumer


def wait_for_batches(commits: Consumer, batches: int) -> None:
    """Wait until so many different batches are announced."""
    seen: set[str] = set()
    deadline_s = time.monotonic() + 600
    while len(seen) < batches:
        message = commits.poll(0.5)
        if message is not None:
            seen.add(BatchCommitted.from_framed(Framing().unframe(message.value)).batch)
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{len(seen)} of {batches} batches after 10 minutes")


def cpu_s(pid: int) -> float:
    """CPU seconds of a running process, its threads, and the processes that it started and that run."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    own_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children: list[str] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(
            FileNotFoundError
        ):  # it has ended since it was listed, and its children are another's now
            children += (thread / "children").read_text(encoding="ascii").split()
    return own_s + sum(cpu_s(int(child)) for child in children)


def machine() -> str:
    """Processor, cores, memory, system and Python, in one line."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.processor()
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, {system}"
