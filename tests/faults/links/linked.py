"""A whole deployment with a fault proxy before each link, so that one program's way to one server can break alone.

gateways, processor, replicator, registrar ─▶ kafka      one proxy: faults are kept to a program by its client id
processor ─▶ first       replicator ─▶ source (first) and second       registrar ─▶ handle       processor ─▶ redis
"""

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from irods.session import iRODSSession

from b2stream.batches.identity import id24, sha256_hex
from b2stream.contracts import topics
from b2stream.kafka.admin import Admin
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.kafka import KafkaBroker, ProxiedListener
from b2stream.sandbox.ports import LOOPBACK, free_ports, port_in
from b2stream.sandbox.processes import Process
from b2stream.sandbox.sandbox_zone import SandboxZone
from b2stream.sandbox.server import Server
from b2stream.settings import variable
from tests.faults import load
from tests.faults.chain import PARTITIONS, PROCESSOR, REGISTRAR, REPLICATOR, Chain
from tests.faults.judging import Judge
from tests.faults.lasting import over
from tests.faults.load import StationFile
from tests.faults.proxy import Fault, FaultProxy
from tests.faults.scale import deadline_s, scaled_s
from tests.waiting import PATIENCE_S, until

GATEWAY = "gateway"
CLIENTS = {
    GATEWAY: "b2stream-gateway",
    PROCESSOR: "b2stream-processor|faust",
    REPLICATOR: "b2stream-replicator",
    REGISTRAR: "b2stream-registrar",
}
"""How each program calls itself towards Kafka, as a fault's `only` takes it."""
ANSWER_S = scaled_s(60.0, short_s=5.0)
"""Setting `timeout_s` of both centres and the Handle server: how long a link is silent before it is given up.
Short, because nearly every case waits for it."""
FILES = 4  # of each case
HEALED_S = deadline_s(120.0)  # longest time to drain after a fault is gone


class LinkedDeployment(Deployment):
    """Servers of its own. The zones' official addresses are those of their proxies: they stand in events and PID records."""

    def __init__(self, directory: Path, community: str) -> None:
        super().__init__(directory, community=community)
        self.links: dict[str, FaultProxy] = {}

    def new_server(self, name: str, port: int | None) -> Server | None:
        """As ever, with a proxy in front."""
        folder = self.directory / name
        if name == "kafka":
            behind, advertised = free_ports(2)
            self._link(name, behind, advertised)
            return KafkaBroker(folder, proxied=ProxiedListener(behind, advertised))
        server = super().new_server(name, port)
        if isinstance(server, SandboxZone):
            self._link(name, server.port)
            if name == "first":
                self._link("source", server.port)
            return LinkedZone(server, self.links[name].port)
        return server

    def link_of_url(self, name: str, url: str) -> None:
        """A proxy before a server that has only now said where it is."""
        self._link(name, port_in(url))

    def through(self, name: str, address: str) -> str:
        """An address with the port of a link's proxy."""
        return re.sub(r":\d+", f":{self.links[name].port}", address, count=1)

    def stop(self) -> None:
        """End servers and proxies."""
        super().stop()
        for proxy in self.links.values():
            proxy.close()
        self.links.clear()

    def _link(self, name: str, target_port: int, port: int | None = None) -> None:
        self.links[name] = FaultProxy(f"{LOOPBACK}:{target_port}", port)
        self.links[name].start()


class LinkedZone(SandboxZone):
    """A zone whose clients are given the address of its proxy."""

    def __init__(self, zone: SandboxZone, proxy_port: int) -> None:
        super().__init__(zone.directory, zone.zone_name, zone.password_file, name=zone.name, port=zone.port)
        self._proxy_port = proxy_port

    def root_url(self, collection: str) -> str:
        """URL of a collection by way of the proxy."""
        return super().root_url(collection).replace(f":{self.port}/", f":{self._proxy_port}/")


class LinkedChain(Chain):
    """The chain with its programs pointed at the proxies, a judge, and rounds of files."""

    def __init__(
        self, directory: Path, seed: int, *, environment: Mapping[str, str] | None = None, signed: Collection[str] = ()
    ) -> None:
        timeouts = {variable(section, "timeout_s"): str(ANSWER_S) for section in ("first", "second", "handle")}
        self.linked = LinkedDeployment(directory, "links")
        super().__init__(self.linked, environment={**timeouts, **(environment or {})}, signed=signed)
        self.judge = Judge(self)
        self._rounds = (load.round_of_files(seed, number) for number in range(1000))
        self._left: list[StationFile] = []
        self._begun: dict[str, Process] = {}
        self.settled = True
        """Whether the last case came to its end; else nobody can go on with this chain."""

    @property
    def links(self) -> Mapping[str, FaultProxy]:
        """The proxies by link: kafka, first, source, second, handle, redis."""
        return self.linked.links

    def start(self, fail_at: Mapping[str, str] | None = None) -> None:
        """As ever; what has no proxy yet gets one as soon as its address is known."""
        super().start(fail_at)
        self._begun = dict(self.deployment.programs)

    def launch(
        self, label: str, *, fail_at: str | None = None, environment: Mapping[str, str] | None = None
    ) -> Process:
        """Start a program whose ways all lead through proxies."""
        addresses, through = self.deployment.addresses, self.linked.through
        for name in ("redis", "handle"):
            if addresses[name] and name not in self.links:
                self.linked.link_of_url(name, addresses[name])
        ways = {variable("kafka", "bootstrap"): self.links["kafka"].address}
        if label.startswith(REPLICATOR):
            ways[variable("first", "url")] = through("source", addresses["first"])
        for name in {"redis", "handle"} & set(self.links):
            ways[variable(name, "url")] = through(name, addresses[name])
        return super().launch(label, fail_at=fail_at, environment={**ways, **(environment or {})})

    # Load -------------------------------------------------------------------------------------------------------------

    def next_files(self, count: int = FILES) -> list[StationFile]:
        """Files that nobody has been given yet."""
        while len(self._left) < count:
            self._left += next(self._rounds)
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def next_file(self, fits: Callable[[StationFile], bool]) -> StationFile:
        """The next file of a certain kind; those passed over are given later."""
        while not any(map(fits, self._left)):
            self._left += next(self._rounds)
        found = next(filter(fits, self._left))
        self._left.remove(found)
        return found

    # Faults -----------------------------------------------------------------------------------------------------------

    def strike(self, link: str, fault: Fault, files: list[StationFile] | None = None, hits: int = 1) -> None:
        """Put a fault on a link, give files, and wait until it took effect on so many connections."""
        self.links[link].set(fault)
        self.give(self.next_files() if files is None else files)
        struck_s = PATIENCE_S + (hits - 1) * ANSWER_S  # who was struck once asks again after that
        until(
            lambda: self.links[link].counts.hits >= hits, lambda: f"{fault} never struck: {self.describe()}", struck_s
        )

    def stay(self, length_s: float) -> None:
        """Let a fault last."""
        over(time.monotonic(), length_s)

    def start_again(self, label: str) -> None:
        """As Kubernetes does, where a program may end over a fault; from then on this process is the one that nobody starts again."""
        assert not self.deployment.programs[label].running, f"{label} has not ended"
        self._begun[label] = self.launch(label)

    # After a fault ----------------------------------------------------------------------------------------------------

    def settle(self, letters: int = 0) -> str:
        """Heal all links, wait until everything is carried, and judge: no program was restarted, no letter written that was not due."""
        for proxy in self.links.values():
            proxy.clear()
        for zone in ("first", "second"):
            self.zone(zone).control({"do": "clear"})
        recovered_s = self.wait_until_drained(HEALED_S)
        judgement = self.judge.judge()
        assert self.deployment.programs == self._begun, "restarted by hand"
        assert all(process.running for process in self.deployment.programs.values()), self.describe()
        name = topics.DEAD_LETTERS.full_name(self.deployment.community)
        held = until(lambda: Admin(self.deployment.addresses["kafka"]).ranges(name, PARTITIONS))
        assert sum(each.end for each in held.values()) == letters, "dead letters that nobody expected"
        self.settled = True
        return f"drained after {recovered_s:.1f} s, {judgement.objects} objects judged"

    # Servers ----------------------------------------------------------------------------------------------------------

    def zone(self, role: str) -> SandboxZone:
        """The zone of a centre."""
        server = self.deployment.servers[role]
        assert isinstance(server, SandboxZone)
        return server

    def misbehave(self, role: str, call: str, action: str, **more: object) -> Callable[[], int]:
        """Let a zone misbehave; what is returned tells how often it did (see `b2stream.sandbox.zone.faults`)."""
        zone = self.zone(role)
        zone.control({"do": "add", "fault": {"call": call, "action": action, **more}})

        def hits() -> int:
            faults = zone.control({"do": "list"})["faults"]
            assert isinstance(faults, list)
            return sum(fault["hits"] for fault in faults if fault["call"] == call and fault["action"] == action)

        return hits

    @contextmanager
    def session(self, role: str = "first") -> Iterator[iRODSSession]:
        """A session of another client of the zone, as its user."""
        zone = self.zone(role)
        password = zone.password_file.read_text(encoding="utf-8").strip()
        with iRODSSession(
            host=LOOPBACK, port=zone.port, user="rods", password=password, zone=zone.zone_name
        ) as session:
            yield session

    def place_of(self, file: StationFile, beside: StationFile) -> str:
        """Where a file's data object will lie in the zone, if one of its series and month is in place."""
        placed = next(path for path in self.judge.judge().archive.data_objects() if Path(beside.name).stem in path)
        folder, stem, ending = placed.rpartition("/")[0], Path(file.name).stem, Path(file.name).suffix
        root = self.zone("first").root_url(self.deployment.community).partition(":" + str(self.links["first"].port))[2]
        return f"{root}/{folder}/{stem}~{id24(sha256_hex(file.content))[:12]}{ending}"


def within(file: StationFile, at: int = 1000) -> str:
    """A trigger: the moment when these very bytes of a file pass. They are in its first block."""
    return re.escape(file.content[at : at + 24].decode("latin-1"))
