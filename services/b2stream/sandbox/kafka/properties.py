"""What a sandbox broker is told: `server.properties`, written anew at each start."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LARGEST_BLOCK_BYTES = 1024 * 1024
SERVER_PROPERTIES = """\
# Written by b2stream at each start.
process.roles=broker,controller
node.id={node_id}
{quorum}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{more_listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{more_advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
log.dirs={data}

# Kafka's own topics and those that name no number of their own.
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=1

# Topics are made on purpose, with their settings.
auto.create.topics.enable=false
# A block is under 1 MiB; a topic that allows more (dead letters: 64 KiB more) says so itself.
message.max.bytes={message_max_bytes}
# Committed offsets outlive the measurements (14 days).
offsets.retention.minutes=43200

# After a kill the controller lets its broker in again only when the old session has run out: soon, not after 9 s.
broker.session.timeout.ms={session_ms}
broker.heartbeat.interval.ms=400

# A laptop: groups form at once, short sessions are allowed, few threads and buffers.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=4
background.threads=4
log.cleaner.dedupe.buffer.size=16777216

{more_properties}
"""
SESSION_MS = 2000
CLUSTER_SESSION_MS = 3000
"""Longer than of a single broker: whoever is late here loses the lead of its partitions, and a laptop's brokers share its cores."""


@dataclass(frozen=True, slots=True)
class SecureListener:
    """A second door of the broker, with TLS and perhaps passwords; `properties` are the broker's settings for it."""

    port: int
    protocol: str
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ProxiedListener:
    """A second door that whoever came by it is sent back to by way of another port: a fault proxy listens at `advertised_port` and
    passes on to `port`. Kafka's clients use the addresses that the broker names, so a proxy at the usual door sees only the first request.
    """

    port: int
    advertised_port: int


@dataclass(frozen=True, slots=True)
class Member:
    """One of the brokers of a cluster, each of which is a controller too; `controller_ports` are in order of node id, from 1."""

    node_id: int
    cluster_id: str
    controller_ports: tuple[int, ...]

    @property
    def controller_port(self) -> int:
        return self.controller_ports[self.node_id - 1]


def server_properties(
    *,
    port: int,
    controller_port: int,
    data: Path,
    member: Member | None = None,
    secure: SecureListener | None = None,
    proxied: ProxiedListener | None = None,
    more: Mapping[str, str] | None = None,
) -> str:
    """The file's text. Without `member` the broker is alone, and cannot replicate."""
    replicas = 1 if member is None else len(member.controller_ports)
    more_listeners = more_advertised = ""
    if secure is not None:
        more_listeners = more_advertised = f",{secure.protocol}://127.0.0.1:{secure.port}"
    if proxied is not None:
        more_listeners += f",PROXIED://127.0.0.1:{proxied.port}"
        more_advertised += f",PROXIED://127.0.0.1:{proxied.advertised_port}"
    last = {**({} if secure is None else secure.properties), **(more or {})}
    return SERVER_PROPERTIES.format(
        node_id=1 if member is None else member.node_id,
        quorum=_quorum(controller_port, member),
        port=port,
        controller_port=controller_port,
        more_listeners=more_listeners,
        more_advertised=more_advertised,
        data=data,
        replicas=replicas,
        in_sync=replicas // 2 + 1,
        session_ms=SESSION_MS if member is None else CLUSTER_SESSION_MS,
        message_max_bytes=LARGEST_BLOCK_BYTES + 64 * 1024,
        more_properties="\n".join(f"{name}={value}" for name, value in last.items()),
    )


def _quorum(controller_port: int, member: Member | None) -> str:
    """Who votes. In a cluster each file names all voters, so nobody has to be first and no data directory holds a port."""
    if member is None:
        return f"controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}"
    voters = [f"{node_id}@127.0.0.1:{port}" for node_id, port in enumerate(member.controller_ports, start=1)]
    return f"controller.quorum.voters={','.join(voters)}"
