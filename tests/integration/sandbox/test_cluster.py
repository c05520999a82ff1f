"""Three brokers that are one cluster: what is acknowledged lies at two of them at least, whichever one is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from b2stream.contracts import topics
from b2stream.contracts.partitions import partition_of
from b2stream.kafka import Producer, read_range
from b2stream.kafka.admin import Admin
from b2stream.sandbox import probes
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.given import Given
from b2stream.sandbox.records import read_parts
from tests.waiting import PATIENCE_S, until

BROKERS = ["kafka-1", "kafka-2", "kafka-3"]
ONLY_KAFKA = Given(redis="", first="", second="", handle="", handle_prefix="21.T99999")
KAFKAS_OWN = "__consumer_offsets"


@pytest.fixture
def cluster(tmp_path: Path, quick_java: None) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path / "cluster", ONLY_KAFKA, brokers=len(BROKERS))
    try:
        deployment.start()
        yield deployment
    finally:
        for broker in deployment.servers.values():
            broker.kill()


def test_I1_what_a_cluster_of_three_has_acknowledged_outlives_any_one_of_them(cluster: Deployment) -> None:
    bootstrap = cluster.addresses["kafka"]
    assert len(bootstrap.split(",")) == len(BROKERS)
    cluster.prepare()  # `topics create`, which also checks them
    admin, measurements = Admin(bootstrap), topics.MEASUREMENTS.full_name(cluster.community)
    admin.set_committed("readers", measurements, {0: 0})  # only then Kafka makes the topic of groups' offsets
    about = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=PATIENCE_S).topics
    for topic in [*(one.full_name(cluster.community) for one in topics.ALL), KAFKAS_OWN]:
        assert {len(one.replicas) for one in about[topic].partitions.values()} == {len(BROKERS)}, topic
        assert admin.topic(topic).config[topics.IN_SYNC] == "2", topic

    assert until(admin.keeps_offsets)

    producer = Producer(bootstrap, "test")
    partition = partition_of("SE-Htm", len(about[measurements].partitions))
    lost = f"kafka-{about[measurements].partitions[partition].leader}"
    try:
        assert producer.publish(measurements, partition, b"SE-Htm", b"before", []).result(PATIENCE_S).offset == 0
        cluster.servers[lost].kill()
        assert producer.publish(measurements, partition, b"SE-Htm", b"after", []).result(PATIENCE_S).offset == 1
    finally:
        producer.close()
    found = [one.value for one in read_range(bootstrap, measurements, partition, 0, 1, client_id="test")]
    assert found == [b"before", b"after"]
    assert until(lambda: admin.committed("readers", measurements, 1)) == {0: 0}
    assert until(lambda: not admin.keeps_offsets()), "a broker is away: an offset that is not taken is nobody's fault"
    states = {one.part.name: one.state for one in probes.ask_all(list(read_parts(cluster.directory).values()))}
    assert {name: states[name] for name in BROKERS} == {name: "down" if name == lost else "up" for name in BROKERS}
