"""A Kafka cluster under a chain: who leads what, and whether all that it ever acknowledged is still there."""

import socket
import struct
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from confluent_kafka.admin import AdminClient

from b2stream.contracts import topics
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.partitions import partition_of
from b2stream.kafka import Delivered, Producer, read_range
from b2stream.kafka.admin import Admin
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.server import Server
from tests.faults.chain import PARTITIONS, Chain
from tests.waiting import PATIENCE_S, until

BROKERS = 3
_DESCRIBE_QUORUM, _VERSION, _CORRELATION = 55, 0, 1
_NO_TAGS = b"\x00"


def broker(deployment: Deployment, node_id: int) -> Server:
    """The broker of that number."""
    return deployment.servers[f"kafka-{node_id}"]


def others(deployment: Deployment, node_id: int) -> list[Server]:
    """The brokers but one."""
    return [broker(deployment, number) for number in range(1, BROKERS + 1) if number != node_id]


def leader_of(chain: Chain, station: str) -> int:
    """The broker that leads a station's partition of the measurements now."""
    name = topics.MEASUREMENTS.full_name(chain.deployment.community)
    admin = AdminClient({"bootstrap.servers": chain.deployment.addresses["kafka"]})
    known = admin.list_topics(name, timeout=PATIENCE_S).topics[name].partitions
    return int(known[partition_of(station, PARTITIONS)].leader)


def coordinator_of(chain: Chain, label: str) -> int:
    """The broker that keeps a program's group and its offsets now."""
    group = chain.group(label)
    admin = AdminClient({"bootstrap.servers": chain.deployment.addresses["kafka"]})
    return int(admin.describe_consumer_groups([group])[group].result(PATIENCE_S).coordinator.id)


def controller_of(deployment: Deployment) -> int:
    """The broker that leads the quorum of controllers now.

    What clients are told as controller is any broker (KIP-590), and confluent-kafka 2.16 cannot ask for the quorum: the request is
    DescribeQuorum of Kafka's protocol, for partition 0 of the metadata.
    """
    host, port = deployment.addresses["kafka"].split(",")[0].split(":")
    name = b"__cluster_metadata"
    asked = b"\x02" + bytes([len(name) + 1]) + name + b"\x02" + struct.pack(">i", 0) + 3 * _NO_TAGS
    request = struct.pack(">hhih", _DESCRIBE_QUORUM, _VERSION, _CORRELATION, -1) + _NO_TAGS + asked
    with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
        answers = connection.makefile("rb")
        connection.sendall(struct.pack(">i", len(request)) + request)
        (length,) = struct.unpack(">i", answers.read(4))
        answer = answers.read(length)
    begin = struct.calcsize(">i") + len(_NO_TAGS)
    (error,) = struct.unpack_from(">h", answer, begin)
    assert error == 0, f"DescribeQuorum is answered with error {error}"
    partition = begin + 2 + len(b"\x02" + bytes([len(name) + 1]) + name + b"\x02")
    _, error, leader = struct.unpack_from(">ihi", answer, partition)
    assert error == 0, f"DescribeQuorum is answered with error {error}"
    return int(leader)


def kill(servers: list[Server]) -> None:
    """End brokers as a power cut would."""
    for server in servers:
        server.kill()


def start_together(servers: list[Server]) -> None:
    """Start brokers of which none can answer before the others are there."""
    with ThreadPoolExecutor(len(servers)) as pool:
        for started in [pool.submit(server.start) for server in servers]:
            started.result()


class Acknowledged:
    """Publishes without a pause beside the load, and remembers where Kafka said that each message lies.

    As a context manager it publishes until its end; `check` reads everything again.
    """

    PAUSE_S = 0.02
    TOPIC = "acknowledged"

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        admin = Admin(bootstrap)
        admin.create_topic(self.TOPIC, 1, BROKERS, {topics.IN_SYNC: "2"})
        self._producer = Producer(bootstrap, "acknowledged")
        self._sent: list[Future[Delivered]] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._publish)

    def __enter__(self) -> "Acknowledged":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()
        self._producer.close(PATIENCE_S if error is None else 1.0)

    def check(self) -> tuple[int, int]:
        """How many messages were acknowledged, and how many of them the log holds once more.

        Raises AssertionError unless each is there, in order, and where Kafka said. An idempotent producer of librdkafka 2.16 was seen to
        write one twice while leaders changed, and to be told no place for another: b2stream counts on neither (a block is known by its
        batch and sequence).
        """
        offsets = [future.result(PATIENCE_S).offset for future in self._sent]
        found = until(lambda: self._read(len(offsets)), "the acknowledged messages are not there")
        return len(offsets), doubled(offsets, [message.value for message in found])

    def _read(self, at_least: int) -> list[LogMessage]:
        end = Admin(self._bootstrap).ranges(self.TOPIC, 1)[0].end
        assert end >= at_least, f"{at_least} messages were acknowledged, and {end} are there"
        return list(read_range(self._bootstrap, self.TOPIC, 0, 0, end - 1, client_id="acknowledged"))

    def _publish(self) -> None:
        while not self._end.wait(self.PAUSE_S):
            number = len(self._sent)
            self._sent.append(self._producer.publish(self.TOPIC, 0, b"key", _value(number), []))


def doubled(offsets: Sequence[int], values: Sequence[bytes | None]) -> int:
    """How many messages `values`, a log from its beginning, holds once more; `offsets` says where each lies, 0 where nobody knows.

    Raises AssertionError unless each is there, in order, and where it was said to be.
    """
    assert list(dict.fromkeys(values)) == [_value(number) for number in range(len(offsets))]
    told = {number: offset for number, offset in enumerate(offsets) if offset}
    elsewhere = {number: offset for number, offset in told.items() if values[offset] != _value(number)}
    assert not elsewhere, f"messages that do not lie where Kafka said: {elsewhere}"
    return len(values) - len(offsets)


def _value(number: int) -> bytes:
    return b"message %d" % number
