"""Kafka that is not there yet, and Kafka that dies under the replicator: it waits, says so, and goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from b2stream.sandbox.kafka import KafkaBroker
from b2stream.sandbox.zone.process import EmbeddedZone
from tests.replication.deployment import Deployment
from tests.waiting import until

pytestmark = pytest.mark.kafka


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    own = KafkaBroker(tmp_path / "kafka")
    own.start()
    yield own
    own.kill()


def test_without_kafka_it_waits_and_says_so_and_no_batch_is_lost(
    tmp_path: Path, broker: KafkaBroker, community: str, zones: tuple[EmbeddedZone, EmbeddedZone]
) -> None:
    deployment = Deployment(tmp_path, broker.bootstrap, community, *zones)
    try:
        deployment.announce(deployment.archive(6))
        broker.kill()
        replicator = deployment.start()
        until(lambda: "waiting for Kafka" in replicator.log.read_text(), "a word about Kafka")
        assert replicator.process.poll() is None
        broker.start()
        deployment.wait_until_drained()
        broker.kill()
        broker.start()
        deployment.announce(deployment.archive(6))
        deployment.wait_until_drained()
        deployment.check()
        assert replicator.process.poll() is None
        assert replicator.stop() == 0
    finally:
        deployment.close()


def test_a_signal_ends_it_while_it_waits_for_kafka(
    tmp_path: Path, broker: KafkaBroker, community: str, zones: tuple[EmbeddedZone, EmbeddedZone]
) -> None:
    deployment = Deployment(tmp_path, broker.bootstrap, community, *zones)
    broker.kill()
    try:
        replicator = deployment.start()
        until(lambda: "waiting for Kafka" in replicator.log.read_text(), "a word about Kafka")
        assert replicator.stop(timeout_s=40) == 0
    finally:
        deployment.close()
