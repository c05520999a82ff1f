"""Two embedded zones for the tests of this folder, and a deployment with roots and topics of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from b2stream.sandbox.zone.process import EmbeddedZone
from tests.replication.deployment import Deployment


@pytest.fixture(scope="session")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedZone, EmbeddedZone]]:
    directory = tmp_path_factory.mktemp("zones")
    with EmbeddedZone(directory / "csc", "cscZone") as first, EmbeddedZone(directory / "fzj", "fzjZone") as second:
        yield first, second


@pytest.fixture
def deployment(
    tmp_path: Path, kafka_bootstrap: str, community: str, zones: tuple[EmbeddedZone, EmbeddedZone]
) -> Iterator[Deployment]:
    made = Deployment(tmp_path, kafka_bootstrap, community, *zones)
    yield made
    made.close()
