"""The real replicator as a process, between a real Kafka and two embedded zones, and an independent look at the end."""

import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from b2stream.archive.location import open_store
from b2stream.archive.store import ObjectStore
from b2stream.contracts import topics
from b2stream.contracts.envelopes import Headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.letters import Letter, read_letter
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchCommitted, BatchReplicated
from b2stream.errors import Retryable
from b2stream.kafka import Consumer, Delivered, LogRange, Producer
from b2stream.kafka.admin import Admin
from b2stream.sandbox.ports import free_port
from b2stream.sandbox.zone.process import EmbeddedZone
from tests import pages
from tests.replication.batches import archive, event_header_list, event_value
from tests.waiting import PATIENCE_S, until

PARTITIONS = 3
STATIONS = ("SE-Htm", "DE-HoH", "CH-Dav", "FI-Hyy")


class Running:
    """One replicator process."""

    def __init__(self, deployment: "Deployment", fail_at: str = "", **settings: str) -> None:
        self.port = free_port()
        self.log = deployment.directory / f"replicator-{secrets.token_hex(4)}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("B2STREAM_")}
        environment |= {"HOME": str(deployment.directory), "B2STREAM_MONITORING_PORT": str(self.port)}
        environment |= {"B2STREAM_PASSINGS": str(deployment.passings)}
        environment |= {f"B2STREAM_{name.upper()}": value for name, value in settings.items()}
        if fail_at:
            environment["B2STREAM_FAIL_AT"] = fail_at
        command = "from b2stream.cli import main; main()"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", command, "replicator", "--config", str(deployment.config)],
                env=environment,
                stdout=output,
                stderr=output,
                cwd=deployment.directory,
            )

    def metric(self, name: str) -> float:
        """A number from /metrics; NaN while the page does not answer or has none."""
        return pages.metric(self.port, name)

    def most_memory_bytes(self) -> int:
        """The most that the process ever held in memory."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def stop(self, timeout_s: float = PATIENCE_S) -> int:
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)


class Deployment:
    """Topics of one community, two zones with a root of their own, and a settings file."""

    def __init__(
        self, directory: Path, bootstrap: str, community: str, first: EmbeddedZone, second: EmbeddedZone
    ) -> None:
        self.directory = directory
        self.bootstrap = bootstrap
        self.community = community
        self.config = directory / "b2stream.toml"
        self.passings = directory / "passings"
        self.running: list[Running] = []
        self.commits: list[BatchCommitted] = []
        self.contents: dict[str, bytes] = {}
        root = f"b2stream-{secrets.token_hex(6)}"
        self.root = root
        self.urls = [f"irods://{zone.user}@{zone.host}:{zone.port}{zone.home}/{root}" for zone in (first, second)]
        self._write_settings()
        self.admin = Admin(bootstrap)
        for topic in topics.ALL:
            self.admin.create_topic(topic.full_name(community), PARTITIONS, 1, topic.config())
        self._producer = Producer(bootstrap, "test")
        self.first, self.second = self.store(0), self.store(1)

    def _write_settings(self) -> None:
        (self.directory / "password").touch(mode=0o600)
        (self.directory / "password").write_text("rods\n")
        sections: dict[str, dict[str, object]] = {
            "general": {"community": self.community, "log_format": "json"},
            "kafka": {"bootstrap": self.bootstrap, "partitions": PARTITIONS},
            "replicator": {"copies_in_flight": 3, "grace_s": 8.0},
        }
        for role, name, url in (("first", "csc", self.urls[0]), ("second", "fzj", self.urls[1])):
            password = str(self.directory / "password")
            sections[role] = {"name": name, "url": url, "password_file": password, "timeout_s": 3.0}
        lines = []
        for section, values in sections.items():
            lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        self.config.write_text("\n".join(lines) + "\n")

    def store(self, number: int) -> ObjectStore:
        """The first (0) or second (1) centre, read by the test itself."""
        name = ("csc", "fzj")[number]
        environment = {"HOME": str(self.directory)}
        return open_store(
            self.urls[number], name, password_file=str(self.directory / "password"), environment=environment
        )

    def vault_file(self, zone: EmbeddedZone, path: str) -> Path:
        """The file behind an object of this deployment."""
        [file] = (zone.directory / "vault").rglob(f"{self.root}/{path}")
        return file

    # What goes in -----------------------------------------------------------------------------------------------------

    def archive(self, count: int, size_bytes: int = 3000) -> list[BatchCommitted]:
        """Place new batches at the first centre."""
        new: list[BatchCommitted] = []
        for _ in range(count):
            number = len(self.commits) + len(new)
            station = STATIONS[number % len(STATIONS)]
            content = hashlib.sha256(b"%d" % number).digest() * (size_bytes // 32 + 1)
            commit = archive(self.first, number, content, station)
            new.append(replace(commit, centre="csc"))
            self.contents[commit.path] = content
        self.commits += new
        return new

    def announce(self, commits: list[BatchCommitted]) -> None:
        """Publish their commit events, as the processor does."""
        sent = [self._publish(commit.station, event_value(commit), event_header_list(commit)) for commit in commits]
        for each in sent:
            each.result(PATIENCE_S)

    def publish(self, station: str, value: bytes, headers: Headers) -> None:
        """Publish any message on the commits topic."""
        self._publish(station, value, headers).result(PATIENCE_S)

    def _publish(self, station: str, value: bytes, headers: Headers) -> "Future[Delivered]":
        partition = partition_of(station, PARTITIONS)
        return self._producer.publish(self.commits_topic, partition, station.encode(), value, headers)

    def start(self, fail_at: str = "", **settings: str) -> Running:
        """Start a replicator; `second_timeout_s="60"` is a setting in its environment."""
        running = Running(self, fail_at, **settings)
        self.running.append(running)
        return running

    # What comes out ---------------------------------------------------------------------------------------------------

    def replicas(self) -> list[BatchReplicated]:
        """All replica events."""
        return [
            BatchReplicated.from_framed(Framing().unframe(message.value)) for message in self.messages(topics.REPLICAS)
        ]

    def letters(self) -> list[tuple[bytes, Letter | None]]:
        """All dead letters."""
        return [(message.value or b"", read_letter(message.headers)) for message in self.messages(topics.DEAD_LETTERS)]

    def messages(self, topic: topics.Topic) -> list[LogMessage]:
        """Everything on a topic of this deployment."""
        name = topic.full_name(self.community)
        expected = sum(each.end - each.start for each in self._ranges(name).values())
        consumer = Consumer(self.bootstrap, name, client_id="test")
        found: list[LogMessage] = []
        deadline = time.monotonic() + PATIENCE_S
        while len(found) < expected:
            assert time.monotonic() < deadline
            message = consumer.poll(0.2)
            if message is not None:
                found.append(message)
        consumer.close()
        return found

    @property
    def commits_topic(self) -> str:
        return topics.COMMITS.full_name(self.community)

    @property
    def group(self) -> str:
        return f"replicator-{self.admin.topic(self.commits_topic).topic_id}"

    def unacknowledged(self) -> int:
        """Commit events behind the group's offsets."""
        try:
            committed = self.admin.committed(self.group, self.commits_topic, PARTITIONS)
        except Retryable:  # the broker has just started and looks for the group's coordinator
            committed = {}
        ranges = self._ranges(self.commits_topic)
        return sum(held.end - committed.get(partition, held.start) for partition, held in ranges.items())

    def _ranges(self, topic: str) -> dict[int, LogRange]:
        """What each partition holds; asked again while the client learns that a broker was started anew."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.admin.ranges(topic, PARTITIONS)
            except Retryable:
                assert time.monotonic() < deadline
                time.sleep(0.1)
                self.admin = Admin(self.bootstrap)  # the old one keeps the leader epochs it knew for half a minute

    def wait_until_drained(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the group has acknowledged everything."""
        until(lambda: self.unacknowledged() == 0, "all commit events acknowledged", timeout_s)

    def passed(self) -> Counter[str]:
        """How often each fail point was passed, all processes together."""
        lines = self.passings.read_text().splitlines() if self.passings.exists() else []
        return Counter(line.split(" ", 1)[1].rpartition(" ")[0] for line in lines)

    def check(self, without: tuple[str, ...] = ()) -> None:
        """Each batch verifies at the second centre, byte for byte, and there is nothing else; each is announced."""
        second = self.store(1)
        wanted = [commit for commit in self.commits if commit.batch not in without]
        assert wanted
        paths = {commit.path for commit in wanted} | {commit.manifest_path for commit in wanted}
        assert {state.path for state in second.list()} == paths
        for commit in wanted:
            assert b"".join(second.read(commit.path)) == self.contents[commit.path]
            assert second.recompute_sha256(commit.path) == commit.sha256
            assert second.recompute_sha256(commit.manifest_path) == commit.manifest_sha256
        announced = {event.commit.batch: event for event in self.replicas()}
        assert set(announced) == {commit.batch for commit in wanted}
        for commit in wanted:
            assert announced[commit.batch].commit == commit
            assert announced[commit.batch].centre == "fzj"
            assert announced[commit.batch].url == second.url(commit.path)
        second.close()

    def close(self) -> None:
        """End every process that is left."""
        for running in self.running:
            running.kill()
        self._producer.close()
        self.first.close()
        self.second.close()
