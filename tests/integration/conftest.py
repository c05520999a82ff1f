"""Deployments of replicator and reader: each has topics of its own on the shared broker, and roots of its own in the shared zones."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from b2stream.sandbox.zone.process import EmbeddedZone
from tests.replication.deployment import Deployment

Deploy = Callable[[str], Deployment]


@pytest.fixture
def deploy_at(tmp_path: Path, zones: tuple[EmbeddedZone, EmbeddedZone]) -> Iterator[Deploy]:
    """Makes deployments on a broker; their processes end with the test."""
    made: list[Deployment] = []

    def make(bootstrap: str) -> Deployment:
        directory = tmp_path / f"deployment-{len(made)}"
        directory.mkdir()
        made.append(Deployment(directory, bootstrap, f"test-{secrets.token_hex(4)}", *zones))
        return made[-1]

    yield make
    for deployment in made:
        deployment.close()


@pytest.fixture
def deployment(deploy_at: Deploy, kafka_bootstrap: str) -> Deployment:
    """A deployment on the shared broker."""
    return deploy_at(kafka_bootstrap)
