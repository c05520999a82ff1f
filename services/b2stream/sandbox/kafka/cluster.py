"""Several brokers that are one cluster: which of them there are, kept in one file beside their directories."""

import base64
import json
import uuid
from pathlib import Path

from b2stream.errors import ConfigurationError
from b2stream.sandbox.kafka.properties import Member
from b2stream.sandbox.ports import free_ports

SIZES = (1, 3)
"""Brokers of a sandbox: one, or as few as can lose one and still have two copies of each message."""
FILE_NAME = "kafka-cluster.json"


def broker_names(count: int) -> tuple[str, ...]:
    """The names of parts and directories."""
    return ("kafka",) if count == 1 else tuple(f"kafka-{node_id}" for node_id in range(1, count + 1))


def broker_count(directory: Path, wanted: int | None = None) -> int:
    """How many brokers the sandbox in `directory` has or gets: as many as it was begun with, else `wanted`, else one.

    Raises ConfigurationError for another number than it has: messages and votes lie with those that there are.
    """
    if (directory / FILE_NAME).exists():
        has = len(json.loads((directory / FILE_NAME).read_text(encoding="utf-8"))["controller_ports"])
    elif (directory / broker_names(1)[0] / "data").exists():
        has = 1
    else:
        has = None
    if wanted not in (None, *SIZES):
        raise ConfigurationError(f"a sandbox has {' or '.join(map(str, SIZES))} brokers, not {wanted}")
    if None not in (has, wanted) and has != wanted:
        raise ConfigurationError(
            f"the Kafka in {directory} has {has} broker{'s' * (has != 1)}, not {wanted}: choose another --directory"
        )
    return has or wanted or 1


def members(directory: Path, count: int) -> list[Member]:
    """The members of the cluster in `directory`, in order; drawn and written down the first time."""
    file = directory / FILE_NAME
    if not file.exists():
        drawn = {"cluster_id": new_cluster_id(), "controller_ports": free_ports(count)}
        directory.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(drawn, indent=2) + "\n", encoding="utf-8")
    known = json.loads(file.read_text(encoding="utf-8"))
    ports = tuple(known["controller_ports"])
    return [Member(node_id, known["cluster_id"], ports) for node_id in range(1, len(ports) + 1)]


def new_cluster_id() -> str:
    """A random UUID as Kafka writes it: base64url without padding."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
