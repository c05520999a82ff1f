"""What it costs to prove: audit with and without recomputing, registrar, and the memory of a large audit. `make bench-trust`.

An archive of small batches is laid at two embedded zones, announced, registered at a real Handle.Net server, and audited through the
socket, each beside bare calls of as many threads to the same servers in the same run. The result is the section *Trust* of the day's
report below `docs/benchmarks/`. `python -m tests.benchmarks.trust BATCHES` prints it for an archive of that size, and writes nothing.
"""

import datetime
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from b2stream.archive.centres import open_centre
from b2stream.archive.placing import NewObject, Placing, Writer
from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import StoppableClock
from b2stream.batches.manifest import paths_of
from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchCommitted, BatchReplicated
from b2stream.kafka import Producer
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.gathering.log import Log
from b2stream.programs.audit.repair import reannounce_cli
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.ports import free_port
from b2stream.settings import Settings, load
from tests import pages
from tests.benchmarks import bare_handles
from tests.benchmarks.large_archive import Batches
from tests.benchmarks.measuring import cpu_s, create_topics, machine, password_of
from tests.waiting import until

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"
BATCHES, ROUNDS, THREADS = 1_500, 3, 4
LARGE_OBJECTS = 100_000
Row = tuple[str, str, str, str]


def main(words: list[str]) -> None:
    """Measure, print, and write the section, unless a size was said."""
    count = int(words[0]) if words else BATCHES
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="b2stream-bench-") as folder, Deployment(Path(folder)) as deployment:
        rows = measure(deployment, count)
    print(_table(rows), flush=True)
    memory = "" if words else _large_audit()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    where = f"commit {commit.stdout.strip() or 'unknown'}, load average before the run {load_before:.2f}; {machine()}"
    text = f"## Trust\n\n`make bench-trust`, {where}.\n\n{_table(rows)}\n{memory}"
    print(text)
    if not words:
        _write(FOLDER / f"{datetime.datetime.now(datetime.UTC).date()}.md", text)


def measure(deployment: Deployment, count: int) -> list[Row]:
    """Fill both centres with `count` batches, and measure."""
    settings = load(deployment.settings_file, environment={}).settings
    create_topics(deployment)
    _fill(settings, Batches(count))
    announced, troubles = reannounce_cli.run(settings)
    assert (announced, troubles) == (count, {})
    registered = _registrar(deployment, count) if settings.handle.url else None
    _tell_copies(settings)
    rows = _audits(deployment, settings, count)
    return rows if registered is None else [*rows, *_registering(settings, *registered)]


def _fill(settings: Settings, batches: Batches) -> None:
    """Lay every batch at both centres, as processor and replicator do."""
    stores, writer, clock = (
        [open_centre("first", settings.first), open_centre("second", settings.second)],
        Writer(),
        StoppableClock(),
    )

    def place(store: ObjectStore, number: int) -> None:
        close, manifest = batches.close(number), batches.manifest(number)
        paths = paths_of(close)
        pair = NewObject.of(paths.data_object, batches.content(number)), NewObject.of(paths.manifest, manifest)
        Placing(store, writer, close.attempt, clock=clock).place_pair(*pair, lambda _: True)

    for number in range(batches.count):
        batches.manifest(number)  # one after the other: each names the one before
    for store in stores:
        with ThreadPoolExecutor(2 * THREADS) as threads:
            list(threads.map(place, [store] * batches.count, range(batches.count)))
        store.close()


def _commits(settings: Settings) -> list[BatchCommitted]:
    log = Log(settings, Framing())
    log.fix_ends()
    return list(log.commits())


def _tell_copies(settings: Settings) -> None:
    """A replica event for each commit event."""
    producer, second = Producer(settings.kafka, "bench"), open_centre("second", settings.second)
    announcer = Announcer(producer, Framing(), settings.general.community, settings.kafka.partitions)
    waiting = []
    for commit in _commits(settings):
        copy = BatchReplicated(
            commit=commit,
            centre=second.centre,
            url=second.url(commit.path),
            replicated_at_us=commit.committed_at_us + 1,
            software="bench",
        )
        waiting.append(announcer.publish(topics.REPLICAS, copy, commit.station, commit.batch, commit.path))
    for each in waiting:
        each.result()
    producer.close()


# Registrar ------------------------------------------------------------------------------------------------------------


def _registrar(deployment: Deployment, count: int) -> tuple[float, float]:
    """PIDs per second of a registrar that finds all commit events waiting, and its CPU milliseconds for each."""
    port = free_port()
    environment = {"B2STREAM_MONITORING_PORT": str(port)}
    registrar = deployment.run_program("registrar", environment=environment, wait=False)
    until(lambda: _created(port) > 0, "the registrar does not begin", poll_s=0.02)
    began_s, began_done = time.monotonic(), _created(port)
    assert registrar.pid is not None
    began_cpu_s = cpu_s(registrar.pid)
    until(lambda: _created(port) >= count, "the registrar is not done", 600.0, poll_s=0.05)
    registrar_s, registrar_cpu_s = time.monotonic() - began_s, cpu_s(registrar.pid) - began_cpu_s
    registrar.stop(30.0)
    return (count - began_done) / registrar_s, 1e3 * registrar_cpu_s / (count - began_done)


def _registering(settings: Settings, ours: float, cpu_ms: float) -> list[Row]:
    """The registrar beside bare calls that write as many other records; to be done last, because nobody committed those."""
    commits = _commits(settings)
    bare = bare_handles.bare_calls(settings, commits, settings.registrar.registrations_in_flight)
    client = bare_handles.own_client(settings, commits, settings.registrar.registrations_in_flight)
    threads = settings.registrar.registrations_in_flight
    return [
        (
            "PIDs registered per second, each with the attributes of its object",
            f"{ours:.0f} PIDs/s, {cpu_ms:.1f} CPU ms",
            f"bare PUT to the same Handle.Net server, {threads} threads {bare:.0f}",
            f"{ours / bare:.2f}",
        ),
        (
            "the same records through our Handle client alone",
            f"{client:.0f} PIDs/s",
            f"bare PUT {bare:.0f}",
            f"{client / bare:.2f}",
        ),
    ]


def _created(port: int) -> int:
    created = pages.metric(port, "b2stream_registrar_events_total")
    return 0 if math.isnan(created) else int(created)


# Audit ----------------------------------------------------------------------------------------------------------------


def _audits(deployment: Deployment, settings: Settings, count: int) -> list[Row]:
    without_pids = {"B2STREAM_HANDLE_URL": ""}
    cases: list[tuple[str, list[str], dict[str, str], list[str] | None]] = [
        ("objects audited per second", [], without_pids, []),
        ("the same with --recompute", ["--recompute"], without_pids, ["recompute"]),
    ]
    if settings.handle.url:
        cases.append(("the same with PID records, without --recompute", [], {}, None))
    rows = []
    for name, options, environment, bare_options in cases:
        ours = [_audit(deployment, options, environment, count) for _ in range(ROUNDS)]
        rate = statistics.median(4 * count / each["seconds"] for each in ours)
        cost_ms = statistics.median(1e3 * each["cpu_s"] / (4 * count) for each in ours)
        value = f"{rate:.0f} objects/s, {cost_ms:.2f} CPU ms an object, {ours[0]['peak_bytes'] / (1 << 20):.0f} MiB"
        if bare_options is None:
            rows.append((name, value, "—", "—"))
            continue
        bare = [_bare_look(deployment, bare_options) for _ in range(ROUNDS)]
        bare_rate = statistics.median(each["objects"] / each["seconds"] for each in bare)
        bare_ms = statistics.median(1e3 * each["cpu_s"] / each["objects"] for each in bare)
        ceiling = f"bare python-irodsclient, {THREADS} threads {bare_rate:.0f}, {bare_ms:.2f} CPU ms"
        rows.append((name, value, ceiling, f"{rate / bare_rate:.2f}"))
    return rows


def _audit(deployment: Deployment, options: list[str], environment: dict[str, str], count: int) -> dict[str, float]:
    """One audit as a process: it must find nothing, and see everything."""
    command = [sys.executable, "-m", "b2stream", "audit", "--json", "--config", str(deployment.settings_file), *options]
    began_s = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, env={**os.environ, **environment})
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        report: dict[str, Any] = json.load(output)
    assert process.returncode == 0, report["findings"][:3]
    assert report["objects"] == 4 * count
    spent_s = used.ru_utime + used.ru_stime
    return {"seconds": time.monotonic() - began_s, "cpu_s": spent_s, "peak_bytes": used.ru_maxrss * 1024}


def _bare_look(deployment: Deployment, options: list[str]) -> dict[str, float]:
    urls = [deployment.addresses["first"], deployment.addresses["second"]]
    command = [sys.executable, "-m", "tests.benchmarks.bare_looking", str(THREADS), *urls, *options]
    passwords = {f"B2STREAM_{role.upper()}_PASSWORD": password_of(deployment, role) for role in ("first", "second")}
    answer = subprocess.run(command, check=True, capture_output=True, env={**os.environ, **passwords}, timeout=900)
    return dict(json.loads(answer.stdout))


def _large_audit() -> str:
    command = [sys.executable, "-m", "tests.benchmarks.large_archive", str(LARGE_OBJECTS)]
    answer = subprocess.run(command, check=True, capture_output=True, timeout=3600)
    found = json.loads(answer.stdout)
    return (
        f"\nAn archive of {LARGE_OBJECTS:,} objects at each of two centres that are made up while they are listed: "
        f"{found['peak_bytes'] / (1 << 20):.0f} MiB at most, {found['seconds']:.0f} s, {found['cpu_s']:.0f} CPU s.\n"
    )


def _table(rows: list[Row]) -> str:
    lines = ["| what | b2stream | ceiling, same run | ratio |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _write(report: Path, section: str) -> None:
    """Put the section in place of the one that is there, else at the end."""
    before = report.read_text(encoding="utf-8") if report.exists() else f"# Benchmarks of {report.stem}\n"
    others = re.sub(r"## Trust\n.*?(?=\n## |\Z)", "", before, flags=re.DOTALL).rstrip()
    report.write_text(f"{others}\n\n{section}", encoding="utf-8")
    print(f"written to {report}")


if __name__ == "__main__":
    main(sys.argv[1:])
