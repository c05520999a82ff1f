"""A community of its own on the shared broker, a zone, and processors that run as real processes between them."""

import contextlib
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from b2stream.archive.location import open_store
from b2stream.archive.store import ObjectStore
from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.letters import Letter, read_letter
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchCommitted, BatchRepeated, CoverageStarted
from b2stream.kafka import Consumer, Producer
from b2stream.kafka.admin import Admin
from b2stream.programs.processor.offsets import group_name
from b2stream.sandbox import processes
from b2stream.sandbox.kafka import KafkaBroker
from b2stream.sandbox.processes import Process
from b2stream.sandbox.zone.process import EmbeddedZone
from b2stream.settings import load
from tests.integration.processor.alongside import Background, scenario_of
from tests.unit.processor.stations import Sent
from tests.waiting import until

PARTITIONS = 3
QUICK_S = 60.0


@pytest.fixture(scope="session")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedZone]:
    """The zone that all tests of this folder share; one that kills or freezes a zone starts its own."""
    with EmbeddedZone(tmp_path_factory.mktemp("zone"), "cscZone") as zone:
        yield zone


@dataclass
class Deployment:
    """Topics, a root at a zone, and the processors that a test starts."""

    bootstrap: str
    community: str
    zone: EmbeddedZone
    folder: Path
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config = self.folder / "b2stream.toml"
        self.url = f"irods://rods@{self.zone.host}:{self.zone.port}{self.zone.home}/{self.community}"
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("B2STREAM_")},
            "HOME": str(self.folder),
            "B2STREAM_CONFIG": str(self.config),
            "B2STREAM_FIRST_PASSWORD": "rods",
            "PYTHONUNBUFFERED": "1",
        }
        self.admin = Admin(self.bootstrap)
        for topic in topics.ALL:
            self.admin.create_topic(topic.full_name(self.community), PARTITIONS, 1, topic.config())
        self.producer = Producer(self.bootstrap, "test-station")
        self.store: ObjectStore = open_store(self.url, "csc", role="first", environment=self.environment)
        self.processors: list[Process] = []
        self.configure()

    def configure(self, **settings: dict[str, Any]) -> None:
        """Write the settings' file; `processor={"silence_s": 3}` and the like."""
        sections: dict[str, dict[str, Any]] = {
            "general": {"community": self.community},
            "kafka": {"bootstrap": self.bootstrap, "partitions": PARTITIONS},
            "first": {"name": "csc", "url": self.url, "timeout_s": 10.0},
            "processor": {"grace_s": 10.0, "spool_directory": str(self.folder / "spool"), "unsigned": "accept"},
        }
        for section, values in settings.items():
            sections.setdefault(section, {}).update(values)
        lines = []
        for section, values in sections.items():
            lines.append(f"[{section}]")
            lines += [
                f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in values.items()
            ]
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    # Stations ---------------------------------------------------------------------------------------------------------

    @property
    def topic(self) -> str:
        return topics.MEASUREMENTS.full_name(self.community)

    def send(self, *messages: Sent | Iterable[Sent], partition: int | None = None) -> None:
        """Publish messages and wait until Kafka has them."""
        waiting: list[Future[Any]] = []
        for each in messages:
            for sent in [each] if isinstance(each, Sent) else each:
                where = partition_of(sent.key.decode(), PARTITIONS) if partition is None else partition
                waiting.append(self.producer.publish(self.topic, where, sent.key, sent.value, sent.headers))
        for future in waiting:
            future.result(QUICK_S)

    # Processors -------------------------------------------------------------------------------------------------------

    def start(self, environment: dict[str, str] | None = None, limit_files: int = 0) -> Process:
        """Start `b2stream processor`, with so many file descriptors at most."""
        limited = ["bash", "-c", f'ulimit -n {limit_files}; exec "$@"', "limited"] if limit_files else []
        number = len(self.processors)
        process = processes.start(
            f"processor {number}",
            [*limited, sys.executable, "-c", "from b2stream.cli import main; main()", "processor"],
            self.folder / f"processor-{number}.log",
            environment={**self.environment, **(environment or {})},
        )
        self.processors.append(process)
        return process

    # What came out ----------------------------------------------------------------------------------------------------

    def read(self, topic: str) -> list[LogMessage]:
        """Everything in a topic now."""
        name = f"{self.community}.{topic}"
        ends = {number: held.end for number, held in self.admin.ranges(name, PARTITIONS).items()}
        found: list[LogMessage] = []
        missing = sum(ends.values())
        consumer = Consumer(self.bootstrap, name, client_id="test", partitions=list(ends))

        def is_complete() -> bool:
            if len(found) < missing and (message := consumer.poll(0.2)) is not None:
                found.append(message)
            return len(found) >= missing

        try:
            until(is_complete, lambda: f"{missing} messages of {name}; there are {len(found)}", QUICK_S, poll_s=0.0)
        finally:
            consumer.close()
        return found

    def events(self) -> list[BatchCommitted]:
        """Commit events, station by station in order."""
        return [BatchCommitted.from_framed(Framing().unframe(each.value)) for each in self.read("commits")]

    def letters(self) -> list[Letter]:
        """Dead letters."""
        return [letter for each in self.read("dead-letters") if (letter := read_letter(each.headers)) is not None]

    def coverage(self) -> list[CoverageStarted]:
        """What groups said when they began without an offset."""
        framed = [Framing().unframe(each.value) for each in self.read("events")]
        return [CoverageStarted.from_framed(each) for each in framed if each.schema.name == CoverageStarted.SCHEMA]

    def repeats(self) -> list[BatchRepeated]:
        """Closes that repeat an archived batch under another number."""
        framed = [Framing().unframe(each.value) for each in self.read("events")]
        return [BatchRepeated.from_framed(each) for each in framed if each.schema.name == BatchRepeated.SCHEMA]

    @property
    def group(self) -> str:
        return group_name(load(self.config, {}).settings, self.admin.topic(self.topic).topic_id)

    def committed(self) -> dict[int, int]:
        """The group's offsets."""
        return self.admin.committed(self.group, self.topic, PARTITIONS)

    def ends(self) -> dict[int, int]:
        """Where the log ends."""
        return {number: held.end for number, held in self.admin.ranges(self.topic, PARTITIONS).items()}

    def delete_records(self, partition: int, before: int) -> None:
        """Let retention take what lies before an offset."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        for future in admin.delete_records([TopicPartition(self.topic, partition, before)]).values():
            future.result()

    def objects(self) -> dict[str, bytes]:
        """What lies in the archive, by path."""
        return {state.path: b"".join(self.store.read(state.path)) for state in self.store.list()}

    def data_objects(self) -> dict[str, bytes]:
        """The data objects alone."""
        return {path: content for path, content in self.objects().items() if not path.endswith(".manifest.json")}

    def is_all_acknowledged(self) -> bool:
        """Whether the group stands at the end of every partition that has messages."""
        committed = self.committed()
        return all(committed.get(number, 0) == end for number, end in self.ends().items())

    def said(self) -> str:
        """The last lines of every processor's log."""
        return "\n".join(f"--- {each.name} said at the end:\n{each.last_log_lines(60)}" for each in self.processors)

    def close(self) -> None:
        for process in self.processors:
            process.kill()
        self.producer.close()
        self.store.close()


@pytest.fixture
def deployment(kafka_bootstrap: str, community: str, zone: EmbeddedZone, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment of this test alone, without a processor."""
    found = Deployment(kafka_bootstrap, community, zone, tmp_path)
    yield found
    found.close()
    print(found.said())  # pytest shows it if the test failed


@pytest.fixture(scope="session")
def background(
    request: pytest.FixtureRequest, kafka_bootstrap: str, zone: EmbeddedZone, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Background]:
    """The tests of this folder that run alongside the others."""

    def new(folder: Path) -> Deployment:
        return Deployment(kafka_bootstrap, f"test-{secrets.token_hex(4)}", zone, folder)

    found = Background(request.session.items, new, tmp_path_factory.mktemp("alongside"))
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _background_runs(request: pytest.FixtureRequest) -> None:
    """They start with the first test of this folder, if there are any among the chosen ones."""
    if any(scenario_of(item) for item in request.session.items):
        request.getfixturevalue("background")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that run alongside behind the others of this folder, which need not wait for them then."""
    ours = [at for at, item in enumerate(items) if item.path.is_relative_to(Path(__file__).parent)]
    in_order = sorted((items[at] for at in ours), key=lambda item: scenario_of(item) is not None)
    for at, item in zip(ours, in_order, strict=True):
        items[at] = item


@contextlib.contextmanager
def on_a_broker_of_its_own(beside: Deployment) -> Iterator[tuple[Deployment, KafkaBroker]]:
    """A deployment like that one, on a broker that a test may kill or freeze."""
    broker = KafkaBroker(beside.folder / "kafka")
    broker.start()
    try:
        folder = beside.folder / "alone"
        folder.mkdir()
        alone = Deployment(broker.bootstrap, beside.community, beside.zone, folder)
        beside.processors = alone.processors  # their words are told if the test fails
        try:
            yield alone, broker
        finally:
            alone.close()
    finally:
        broker.stop()
