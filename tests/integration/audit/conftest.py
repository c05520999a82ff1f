"""One archive for all tests of this folder: made once by gateways, processor and replicator, and put back after each test."""

import os
from collections.abc import Iterator

import pytest

from b2stream.sandbox import processes
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.given import Given
from b2stream.sandbox.handle import HandleServer
from b2stream.sandbox.server import Server
from tests.faults import load
from tests.faults.chain import Chain
from tests.integration.audit.archive import ROLES, RestingArchive
from tests.waiting import until

ROUNDS = 17 if os.environ.get("B2STREAM_FAULTS") == "all" else 2
"""Twelve batches a round: 204, or 24 where the time of CI counts."""
YESTERDAY, TODAY = "yesterday", "today"
SECOND_PREFIX = "21.T99998"


class TwoPrefixes(Deployment):
    """A sandbox whose Handle server serves one prefix more than is used."""

    def new_server(self, name: str, port: int | None) -> Server | None:
        server = super().new_server(name, port)
        if isinstance(server, HandleServer):
            server.prefixes = (*server.prefixes, SECOND_PREFIX)
        return server


@pytest.fixture(scope="session")
def archive_at_rest(kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestingArchive]:
    """The archive; the state after all rounds but the last is kept as `yesterday`, the whole one as `today`."""
    deployment = TwoPrefixes(tmp_path_factory.mktemp("archive"), Given(kafka=kafka_bootstrap), community="audited")
    with Chain(deployment, signed=load.STATIONS) as chain:
        chain.start()
        archive = RestingArchive(deployment)
        for number in range(ROUNDS):
            if number == ROUNDS - 1:
                chain.wait_until_drained()
                archive.archive_provenance()
                for role in ROLES:
                    archive.remember(role, YESTERDAY)
            chain.give(load.round_of_files(5, number))
        chain.wait_until_drained()
        until(lambda: not any(lag.messages for lag in archive.audit(recompute=False).lag), archive.describe)
        processes.stop_all(list(deployment.programs.values()), 30.0)
        for role in ROLES:
            archive.remember(role, TODAY)
        yield archive


@pytest.fixture
def archive(archive_at_rest: RestingArchive) -> Iterator[RestingArchive]:
    """The archive as it was when everything had arrived."""
    yield archive_at_rest
    for role in sorted(archive_at_rest.touched):
        archive_at_rest.restore(role, TODAY)
    archive_at_rest.touched.clear()
