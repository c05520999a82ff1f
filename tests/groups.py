"""Consumer groups whose members were killed: Kafka waits for their sessions (10 s) before others get their partitions."""

import socket
import struct

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConsumerGroupDescription  # type: ignore[attr-defined]  # not declared as an export

from b2stream.errors import Retryable
from tests.waiting import PATIENCE_S, until

_LEAVE_GROUP, _VERSION, _CORRELATION = 13, 1, 1


def end_sessions(bootstrap: str, group: str) -> int:
    """Let a group forget all members that it has, as if their sessions had run out; how many there were.

    librdkafka offers this for static members only. The request is LeaveGroup of Kafka's protocol, one for each member.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap})  # it must outlive its answer
    described = until(lambda: _described(admin, group), f"{group} was not described")
    with socket.create_connection((described.coordinator.host, described.coordinator.port), PATIENCE_S) as connection:
        answers = connection.makefile("rb")
        for member in described.members:
            request = struct.pack(">hhi", _LEAVE_GROUP, _VERSION, _CORRELATION)
            request += b"".join(
                struct.pack(">h", len(text)) + text for text in map(_utf8, ("", group, member.member_id))
            )
            connection.sendall(struct.pack(">i", len(request)) + request)
            (length,) = struct.unpack(">i", answers.read(4))
            _, _, error = struct.unpack(">iih", answers.read(length))
            assert error == 0, f"{member.member_id} could not leave {group}: error {error}"
    return len(described.members)


def _described(admin: AdminClient, group: str) -> ConsumerGroupDescription:
    """Raises Retryable while the group's coordinator is being found."""
    try:
        described: ConsumerGroupDescription = admin.describe_consumer_groups([group])[group].result(PATIENCE_S)
    except KafkaException as error:
        if error.args[0].code() in (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS):
            raise Retryable(f"Kafka: {error.args[0].str()}") from error
        raise
    return described


def _utf8(text: str) -> bytes:
    return text.encode()
