"""Replicator against its ceiling: bytes and objects per second, beside a bare loop that makes the same server calls.

`python -m tests.benchmarks.replicator` starts a Kafka and two embedded zones, and runs both on the same batches, in turns:

- *replicator*: the real process with Kafka; the time from the first commit event to the last replica event, by Kafka's append times.
- *bare*: as many threads with plain python-irodsclient: look up, query both sources, then for each object read, SHA-256 and
  write with VERIFY; query both, move both, a last look: 18 calls. No Kafka, no order, no error handling.

Figures are from embedded zones on loopback: they compare the two programs, and say nothing of a real centre.
"""

import argparse
import base64
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from irods import keywords
from irods.column import In, Like
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from b2stream.contracts.topics import COMMITS, REPLICAS, Topic
from b2stream.sandbox.kafka import KafkaBroker
from b2stream.sandbox.zone.process import EmbeddedZone
from tests.replication.deployment import Deployment

READ_BYTES = 1 << 20
WRITE_BYTES = 1 << 20


@dataclass(frozen=True)
class Took:
    """Time by the clock, and of the process under test alone."""

    seconds: float
    cpu_s: float


def main() -> None:
    """Run it and print a line per measurement, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--small", type=int, default=600, help="batches of 20 kB")
    parser.add_argument("--large", type=int, default=24, help="batches of 16 MB")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        broker = KafkaBroker(directory / "kafka")
        bootstrap = broker.start()
        zones = (EmbeddedZone(directory / "csc", "cscZone"), EmbeddedZone(directory / "fzj", "fzjZone"))
        try:
            with zones[0], zones[1]:
                for name, count, size_bytes in (("small", options.small, 20_000), ("large", options.large, 16 << 20)):
                    runs = [
                        _round(directory, bootstrap, zones, f"{name}-{number}", count, size_bytes, options.threads)
                        for number in range(options.rounds)
                    ]
                    results[name] = _summary(runs, count, count * size_bytes)
        finally:
            broker.stop()
    results["machine"] = {"platform": platform.platform(), "python": platform.python_version()}
    print(json.dumps(results, indent=2) if options.json else _text(results))


def _round(
    directory: Path, bootstrap: str, zones: tuple[EmbeddedZone, EmbeddedZone], name: str, count: int, size_bytes: int,
    threads: int,
) -> tuple[Took, Took]:  # fmt: skip
    """What replicator and bare loop took, on new batches each."""
    took = []
    for who in ("replicator", "bare"):
        place = directory / f"{name}-{who}"
        place.mkdir()
        deployment = Deployment(place, bootstrap, f"bench-{name}-{who}", *zones)
        deployment.archive(count, size_bytes)
        if who == "replicator":
            took.append(_time_replicator(deployment))
        else:
            took.append(_time_bare(deployment, zones, threads))
            assert len(list(deployment.second.list())) == 2 * count
        deployment.close()
    return took[0], took[1]


def _cpu_s(pid: int) -> float:
    """Processor time that a process has used, where /proc tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _time_replicator(deployment: Deployment) -> Took:
    """The events lie ready, and the process is up and in its group before the clock starts: one batch goes ahead."""
    running = deployment.start(passings="")  # a record of fail points would be written at each step
    deployment.announce(deployment.commits[:1])
    deployment.wait_until_drained()
    cpu_before_s = _cpu_s(running.process.pid)
    deployment.announce(deployment.commits[1:])
    deployment.wait_until_drained()
    cpu_s = _cpu_s(running.process.pid) - cpu_before_s
    took_s = (_last_us(deployment, REPLICAS) - _second_us(deployment, COMMITS)) / 1e6
    deployment.check()
    assert running.stop() == 0
    return Took(took_s, cpu_s)


def _last_us(deployment: Deployment, topic: Topic) -> int:
    return max(message.appended_at_us for message in deployment.messages(topic))


def _second_us(deployment: Deployment, topic: Topic) -> int:
    """Append time of the first event behind the one that went ahead."""
    return sorted(message.appended_at_us for message in deployment.messages(topic))[1]


def _time_bare(deployment: Deployment, zones: tuple[EmbeddedZone, EmbeddedZone], threads: int) -> Took:
    """In a process of its own, as the replicator is."""
    work = deployment.directory / "work.json"
    todo = [
        {
            "pair": [
                [commit.path, commit.size_bytes, commit.sha256],
                [commit.manifest_path, commit.manifest_size_bytes, commit.manifest_sha256],
            ]
        }
        for commit in deployment.commits
    ]
    work.write_text(
        json.dumps({"todo": todo, "threads": threads, "zones": [_account(zone, deployment) for zone in zones]})
    )
    command = "import sys; from tests.benchmarks.replicator import bare; bare(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", command, str(work)], check=True, capture_output=True, text=True)
    return Took(*map(float, done.stdout.split()))


def _account(zone: EmbeddedZone, deployment: Deployment) -> dict[str, Any]:
    return {
        "host": zone.host, "port": zone.port, "user": zone.user, "password": zone.password, "zone": zone.zone_name,
        "root": f"{zone.home}/{deployment.root}",
    }  # fmt: skip


def bare(file: str) -> None:
    """The bare loop: prints the seconds for all batches but the first, which goes ahead as it does for the replicator."""
    order = json.loads(Path(file).read_text())
    queue: SimpleQueue[list[list[Any]]] = SimpleQueue()
    first, *rest = [entry["pair"] for entry in order["todo"]]
    _Copier(order["zones"]).copy(first, 0)
    for pair in rest:
        queue.put(pair)

    def run(number: int) -> None:
        copier = _Copier(order["zones"])
        count = 0
        while True:
            try:
                pair = queue.get_nowait()
            except Empty:
                return
            count += 1
            copier.copy(pair, number * 1_000_000 + count)

    workers = [threading.Thread(target=run, args=(number,)) for number in range(1, order["threads"] + 1)]
    began, cpu_before_s = time.monotonic(), time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(time.monotonic() - began, time.process_time() - cpu_before_s)


class _Copier:
    """One thread's sessions, and the calls of one batch."""

    def __init__(self, zones: list[dict[str, Any]]) -> None:
        self._roots = [zone["root"] for zone in zones]
        self._first, self._second = (
            iRODSSession(**{key: zone[key] for key in ("host", "port", "user", "password", "zone")}) for zone in zones
        )
        self._columns = (
            Collection.name, DataObject.name, DataObject.size, DataObject.checksum, DataObject.replica_status, DataObject.replica_number,
            DataObject.modify_time,
        )  # fmt: skip

    def copy(self, pair: list[list[Any]], number: int) -> None:
        """Everything that has to be asked and told for one batch."""
        staging = f"{self._roots[1]}/.staging"
        self._look(self._second, self._roots[1], pair, "%")
        self._look(self._first, self._roots[0], pair)
        for at, (path, size_bytes, sha256) in enumerate(pair):
            staged = f"{staging}/{number}-{at}"
            checksum = "sha2:" + base64.b64encode(bytes.fromhex(sha256)).decode()
            options = {keywords.DATA_SIZE_KW: str(size_bytes), keywords.VERIFY_CHKSUM_KW: checksum}
            target = self._made(staging, lambda name=staged, keys=options: self._open(self._second, name, "w", keys))
            digest = hashlib.sha256()
            for piece in self._pieces(f"{self._roots[0]}/{path}", size_bytes):
                digest.update(piece)
                for start in range(0, len(piece), WRITE_BYTES):
                    target.raw.write(piece[start : start + WRITE_BYTES])
            target.close()
            assert digest.hexdigest() == sha256
        self._query(self._second, Collection.name == staging, [f"{number}-{at}" for at in range(len(pair))])
        for at, (path, _, _) in enumerate(pair):
            final = f"{self._roots[1]}/{path}"
            self._made(final.rpartition("/")[0], lambda name=final, at=at: self._move(f"{staging}/{number}-{at}", name))
        self._look(self._second, self._roots[1], pair)

    def _move(self, source: str, target: str) -> None:
        """One message, as `archive.irods_session` sends it."""
        from irods.api_number import api_number
        from irods.message import FileOpenRequest, ObjCopyRequest, StringStringMap, iRODSMessage

        def side(path: str) -> Any:
            return FileOpenRequest(
                objPath=path, createMode=0, openFlags=0, offset=0, dataSize=0, numThreads=0, oprType=11,
                KeyValPair_PI=StringStringMap(),
            )  # fmt: skip

        message = ObjCopyRequest(srcDataObjInp_PI=side(source), destDataObjInp_PI=side(target))
        with self._second.pool.get_connection() as connection:
            connection.send(iRODSMessage("RODS_API_REQ", msg=message, int_info=api_number["DATA_OBJ_RENAME_AN"]))
            connection.recv()

    def _made(self, collection: str, order: Any) -> Any:
        try:
            return order()
        except Exception:  # the collection is missing: once per collection
            self._second.collections.create(collection)
            return order()

    def _open(self, session: Any, path: str, mode: str, options: dict[str, str]) -> Any:
        return session.data_objects.open(path, mode, allow_redirect=False, **options)

    def _pieces(self, path: str, size_bytes: int) -> Iterator[bytes]:
        source = self._open(self._first, path, "r", {})
        left = size_bytes
        while left > 0:
            piece = source.raw.read(min(READ_BYTES, left))
            left -= len(piece)
            yield piece
        source.close()

    def _look(self, session: Any, root: str, pair: list[list[Any]], below: str = "") -> None:
        folder = f"{root}/{pair[0][0].rpartition('/')[0]}"
        where = Like(Collection.name, folder + below) if below else Collection.name == folder
        self._query(session, where, [path.rpartition("/")[2] for path, _, _ in pair])

    def _query(self, session: Any, where: Any, names: list[str]) -> None:
        list(session.query(*self._columns).filter(where, In(DataObject.name, names)))


def _summary(runs: list[tuple[Took, Took]], count: int, size_bytes: int) -> dict[str, Any]:
    measured = count - 1
    summary: dict[str, Any] = {"batches": measured, "bytes": size_bytes * measured // count}
    for who, took in zip(("replicator", "bare"), zip(*runs, strict=True), strict=True):
        seconds = statistics.median(each.seconds for each in took)
        summary[who] = {
            "seconds": round(seconds, 3),
            "cpu_s": round(statistics.median(each.cpu_s for each in took), 3),
            "objects_per_s": round(2 * measured / seconds, 1),
            "mb_per_s": round(summary["bytes"] / seconds / 1e6, 1),
            "all_seconds": [round(each.seconds, 3) for each in took],
        }
    summary["ratio"] = round(statistics.median(bare_run.seconds / our_run.seconds for our_run, bare_run in runs), 3)
    return summary


def _text(results: dict[str, Any]) -> str:
    lines = []
    for name in ("small", "large"):
        each = results[name]
        lines += [
            f"{name} {who}: {each[who]['objects_per_s']} objects/s, {each[who]['mb_per_s']} MB/s, "
            f"{each[who]['cpu_s']} s of processor time"
            for who in ("replicator", "bare")
        ]
        lines.append(f"{name}: ratio {each['ratio']} (aim 0.95)")
    return "\n".join([*lines, "from embedded zones on loopback"])


if __name__ == "__main__":
    main()
