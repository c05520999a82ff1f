"""Fixtures for everybody: one real Kafka and two zones for the whole run, a community of its own for each test, the ICOS files."""

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2stream.sandbox.kafka import KafkaBroker
from b2stream.sandbox.zone.process import EmbeddedZone
from tests import java

REPOSITORY = Path(__file__).parent.parent
KAFKA_FIXTURES = {"quick_java"}  # whoever starts a broker asks for it, if only by way of another fixture

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell ignores SIGINT for what it runs in the background, and every child would inherit that: Ctrl-C could not be tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs the broker, so that `-m 'not kafka'` leaves them out."""
    for item in items:
        if KAFKA_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)


@pytest.fixture(scope="session")
def quick_java(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every broker of this run starts with its classes loaded already; they are kept for the next run."""
    cache: pytest.Cache | None = getattr(pytestconfig, "cache", None)  # an option leaves it out
    if cache is not None:
        java.use_archive(cache.mkdir("java"), tmp_path_factory.mktemp("java"))


@pytest.fixture(scope="session")
def kafka_broker(quick_java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """The broker that all tests of this run share; a test that stops, kills or freezes one asks for `breakable_broker`."""
    broker = KafkaBroker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def _breakable_broker(quick_java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(tmp_path_factory.mktemp("breakable-kafka"))
    yield broker
    broker.kill()


@pytest.fixture
def breakable_broker(_breakable_broker: KafkaBroker) -> Iterator[KafkaBroker]:
    """A broker that a test may stop, kill and freeze: the next one finds it running. Use topics that start with `community`."""
    if not _breakable_broker.running:
        _breakable_broker.start()
    yield _breakable_broker
    _breakable_broker.thaw()


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_broker: KafkaBroker) -> str:
    """Address of the shared broker. Use topics that start with `community`, so tests do not meet."""
    return kafka_broker.bootstrap


@pytest.fixture
def community() -> str:
    """A community that no other test has: it prefixes the topics and groups of this one."""
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedZone, EmbeddedZone]]:
    """The iRODS zones that all tests of this run share, cscZone and fzjZone; user and password are `rods`.

    Each test takes a root of its own, and leaves them running as it found them.
    """
    directory = tmp_path_factory.mktemp("zones")
    with EmbeddedZone(directory / "csc", "cscZone") as first, EmbeddedZone(directory / "fzj", "fzjZone") as second:
        yield first, second


@pytest.fixture(scope="session")
def icos_data() -> Path:
    """The folder of real ICOS files: B2STREAM_ICOS_DATA, else `../shared/data/icos`; without it the test is skipped."""
    chosen = os.environ.get("B2STREAM_ICOS_DATA")
    folder = Path(chosen) if chosen else REPOSITORY.parent / "shared" / "data" / "icos"
    if not folder.is_dir():
        pytest.skip(f"no ICOS files in {folder}; name their folder in B2STREAM_ICOS_DATA")
    return folder
