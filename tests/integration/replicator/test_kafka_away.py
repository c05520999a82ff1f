"""Kafka that is not there yet, and Kafka that dies under the replicator: it waits, says so, and goes on."""

from b2stream.sandbox.kafka import KafkaBroker
from tests.integration.conftest import Deploy
from tests.waiting import until


def test_without_kafka_it_waits_and_says_so_and_ends_at_a_signal_and_no_batch_is_lost(
    deploy_at: Deploy, breakable_broker: KafkaBroker
) -> None:
    deployment = deploy_at(breakable_broker.bootstrap)
    deployment.announce(deployment.archive(6))
    breakable_broker.kill()
    replicator, stopped = deployment.start(), deployment.start()
    for one in (replicator, stopped):
        until(lambda one=one: "does not answer" in one.log.read_text(), "a word about Kafka")  # type: ignore[misc]
    assert stopped.stop() == 0
    assert replicator.process.poll() is None
    breakable_broker.start()
    deployment.wait_until_drained()
    breakable_broker.kill()
    breakable_broker.start()
    deployment.announce(deployment.archive(6))
    deployment.wait_until_drained()
    deployment.check()
    assert replicator.process.poll() is None
    assert replicator.stop() == 0
