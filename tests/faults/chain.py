"""The whole chain as real processes: gateways, processor, replicator, registrar on a real Kafka, a Handle server and two embedded zones.

Servers may be shared by several chains; each chain has a community (topics, groups) and archive roots of its own. What it is given
and how far that came is known from outside: from the journals' receipts and from Kafka's offsets.
"""

import hashlib
import os
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from b2stream.contracts import topics
from b2stream.contracts.stations import StationDescription
from b2stream.errors import B2streamError, Retryable
from b2stream.failpoints import FAIL_VARIABLE, PASSINGS_VARIABLE
from b2stream.kafka.admin import Admin
from b2stream.programs.gateway.journal.journal import Journal
from b2stream.programs.gateway.running import JOURNAL
from b2stream.programs.gateway.watch import printable
from b2stream.sandbox import processes, programs, signing
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.given import Given
from b2stream.sandbox.ports import port_in
from b2stream.sandbox.processes import Process
from b2stream.sandbox.records import read_parts
from b2stream.sandbox.sandbox_zone import SandboxZone
from b2stream.settings import load as load_settings
from b2stream.settings import variable
from tests.faults import load
from tests.faults.load import StationFile
from tests.faults.scale import deadline_s
from tests.waiting import until

PARTITIONS = 12
READY_S = 120.0
STOP_S = 60.0
DRAIN_S = deadline_s(240.0)
LOOK_EVERY_S = 0.2  # journals and offsets; a look costs processor time that the programs need
NO_HANDLE = Given(handle="", handle_prefix="21.T99999")
"""For chains that register no PIDs: their deployments have no Handle server, and so no registrar."""
WRITTEN_LONG_AGO_S = 1_700_000_000  # a file whose content is older than its name here is complete at once
PROCESSOR, REPLICATOR, REGISTRAR = "processor", "replicator", "registrar"
READS = {
    PROCESSOR: (topics.MEASUREMENTS,),
    REPLICATOR: (topics.COMMITS,),
    REGISTRAR: (topics.COMMITS, topics.REPLICAS),
}
"""The topics that each program works off as a group."""


def gateway_of(station: str) -> str:
    """How the process of a station's gateway is called here."""
    return f"gateway-{station}"


def beside(servers: Deployment, directory: Path, community: str, *, registering: bool = False) -> Deployment:
    """A deployment with topics and archive roots of its own on the servers of another one.

    `registering`: with a Handle server of its own, where one is to be had: equal contents of two chains would share a PID.
    """
    zones = {role: servers.servers[role] for role in ("first", "second")}
    roots = {role: zone.root_url(community) for role, zone in zones.items() if isinstance(zone, SandboxZone)}
    passwords = {
        f"{role}_password_file": zone.password_file for role, zone in zones.items() if isinstance(zone, SandboxZone)
    }
    common = Given() if registering else NO_HANDLE
    given = replace(common, kafka=servers.addresses["kafka"], redis=servers.addresses["redis"], **roots, **passwords)  # type: ignore[arg-type]
    return Deployment(directory, given, community=community)


class Chain:
    """A deployment with its programs and the folders of its stations. Used by one thread."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        stations: tuple[str, ...] = load.STATIONS,
        environment: Mapping[str, str] | None = None,
        signed: Collection[str] = (),
    ) -> None:
        """`environment` is for every program; `signed`: stations that have keys, so that the processor takes nothing unsigned of them."""
        self.deployment = deployment
        self.directory = deployment.directory
        self.stations = stations
        self.given: list[tuple[StationFile, Path]] = []
        self.began_s = time.time()
        self.descriptions: list[StationDescription] = []  # with the stations' public keys, where they have some
        self._signed = signed
        self._journals: dict[str, Journal] = {}
        self._topic_ids: dict[str, str] = {}
        self._admin: Admin | None = None
        self._environment = {
            variable("gateway", "block_bytes"): str(load.BLOCK_BYTES),
            variable("gateway", "utc_offset_h"): "1",
            variable("gateway", "settle_s"): "0.5",
            variable("gateway", "scan_s"): "0.1",
            **(environment or {}),
        }

    def __enter__(self) -> "Chain":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.forget_journals()
        processes.stop_all(list(self.deployment.programs.values()), STOP_S)
        self.deployment.stop()

    # Processes --------------------------------------------------------------------------------------------------------

    @property
    def labels(self) -> list[str]:
        """The processes of an ordinary chain."""
        registering = [REGISTRAR] if self.registers else []
        return [PROCESSOR, REPLICATOR, *registering, *map(gateway_of, self.stations)]

    @property
    def registers(self) -> bool:
        """Whether there is a Handle server, and so a registrar; known once the servers are started."""
        return bool(self.deployment.addresses.get("handle"))

    def start(self, fail_at: Mapping[str, str] | None = None) -> None:
        """Start servers and programs; `fail_at` arms some of them by label."""
        self.deployment.start()
        self.deployment.prepare()
        if self._signed:
            self._publish_keys()
        started = {label: self.launch(label, fail_at=(fail_at or {}).get(label)) for label in self.labels}
        for label in started:
            self.wait_until_ready(label)
        self.learn_topics()

    def learn_topics(self) -> None:
        """Ask for the ids of the topics, which the names of the groups contain; again where a topic was made anew."""
        admin = Admin(self.deployment.addresses["kafka"])
        for topic in (topics.MEASUREMENTS, topics.COMMITS, topics.REPLICAS):
            name = topic.full_name(self.deployment.community)
            self._topic_ids[name] = admin.topic(name).topic_id

    def _publish_keys(self) -> None:
        """Give each of these stations a key, and publish its description."""
        settings = load_settings(self.deployment.settings_file, environment={}).settings
        self.descriptions = signing.register(settings, self.directory, dict.fromkeys(self._signed, 1.0))

    def launch(
        self, label: str, *, fail_at: str | None = None, environment: Mapping[str, str] | None = None
    ) -> Process:
        """Start a program without waiting. `fail_at` as `failpoints` takes it; the steps it passes are recorded."""
        words = [label.partition("-")[0]]
        if words[0] == "gateway":
            station = label.partition("-")[2]
            folder = self.folder_of(station)
            folder.mkdir(parents=True, exist_ok=True)
            words += ["--station", station, "--watch", str(folder)]
            if station in self._signed:
                environment = {**self._key_of(station), **(environment or {})}
        given = {**self._environment, **(environment or {}), "TMPDIR": self._temporary()}
        given |= {FAIL_VARIABLE: fail_at or "", PASSINGS_VARIABLE: str(self.passings_file(label))}
        return self.deployment.run_program(*words, label=label, environment=given, wait=False)

    def _key_of(self, station: str) -> dict[str, str]:
        return {variable("gateway", "key_file"): str(signing.key_file(self.directory, station))}

    def wait_until_ready(self, label: str) -> None:
        """Wait for its `/readyz`. Raises ProgramNotReady."""
        address = read_parts(self.directory)[label].address
        programs.wait_until_ready(self.deployment.programs[label], address, READY_S)

    def port_of(self, label: str) -> int:
        """The port of its pages."""
        return port_in(read_parts(self.directory)[label].address) or 0

    def restart(self, label: str, *, fail_at: str | None = None) -> None:
        """Stop it in order, start it anew and wait until it is ready."""
        self.deployment.programs[label].stop(STOP_S)
        self.launch(label, fail_at=fail_at)
        self.wait_until_ready(label)

    def passings_file(self, label: str) -> Path:
        """Where a program records the steps that it passes: a line `pid step n` for each."""
        return self.directory / f"{label}.passings"

    def passed(self, label: str, step: str) -> int:
        """How often the process that is called so now has passed a step."""
        file = self.passings_file(label)
        begin = f"{self.deployment.programs[label].pid} {step} "
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return sum(line.startswith(begin) for line in lines)

    def _temporary(self) -> str:
        folder = self.directory / "tmp"
        folder.mkdir(exist_ok=True)
        return str(folder)

    # Files ------------------------------------------------------------------------------------------------------------

    def folder_of(self, station: str) -> Path:
        """The folder that a station's gateway watches."""
        return self.directory / "stations" / station

    def give(self, files: list[StationFile]) -> None:
        """Put files before their stations, whole, in this order."""
        for file in files:
            folder = self.folder_of(file.station)
            hidden, path = folder / ".arriving.part", folder / file.name
            hidden.write_bytes(file.content)
            written_s = WRITTEN_LONG_AGO_S + len(self.given)
            os.utime(hidden, (written_s, written_s))
            os.replace(hidden, path)
            self.given.append((file, path))

    def sources(self) -> list[dict[str, Any]]:
        """What the stations were given, as the check's plan lists it."""
        return [
            {
                "station": file.station,
                "name": printable(file.name),
                "file": str(path),
                "size_bytes": len(file.content),
                "sha256": hashlib.sha256(file.content).hexdigest(),
                "rows": file.rows or 0,
            }
            for file, path in self.given
        ]

    # How far it is ----------------------------------------------------------------------------------------------------

    def outcomes(self, station: str) -> dict[str, str]:
        """By name, what a station's journal says became of each of its files."""
        names = [printable(file.name) for file, _ in self.given if file.station == station]
        journal = self._journal(station)
        known = journal.outcomes() if journal is not None else {}
        return {name: known.get(name, "not taken") for name in names}

    def waiting(self, done: str = "replicated") -> dict[str, str]:
        """The files that are not so far yet, with how far they are."""
        found = {f"{one} {name}": state for one in self.stations for name, state in self.outcomes(one).items()}
        return {name: state for name, state in found.items() if state != done}

    def lag(self, label: str) -> int:
        """Messages that a program has not acknowledged: blocks and closes, or events. Raises Retryable."""
        kind = label.partition("-")[0]
        self._admin = self._admin or Admin(self.deployment.addresses["kafka"])
        try:
            return sum(self._lag(self._admin, kind, topic) for topic in READS[kind])
        except Retryable:
            self._admin = None  # an old one knows leader epochs of a broker that was started anew for half a minute
            raise

    def _lag(self, admin: Admin, kind: str, topic: topics.Topic) -> int:
        name = topic.full_name(self.deployment.community)
        held = admin.ranges(name, PARTITIONS)
        done = admin.committed(self.group(kind, topic), name, PARTITIONS)
        return sum(each.end - done.get(number, each.start) for number, each in held.items())

    def log_end(self) -> int:
        """Messages that were ever published as measurements. Raises Retryable."""
        topic = topics.MEASUREMENTS.full_name(self.deployment.community)
        held = Admin(self.deployment.addresses["kafka"]).ranges(topic, PARTITIONS)
        return sum(each.end for each in held.values())

    def group(self, label: str, topic: topics.Topic | None = None) -> str:
        """The consumer group of a program, for the first topic that it reads or for another; it contains the topic's id."""
        kind = label.partition("-")[0]
        read = (topic or READS[kind][0]).full_name(self.deployment.community)
        return f"{kind}-{self._topic_ids[read]}"

    def in_flight(self, label: str) -> int:
        """Work that a program has before it: unacknowledged messages, or files of its station without a commit event."""
        if label.startswith("gateway"):
            states = self.outcomes(label.partition("-")[2]).values()
            return sum(state not in ("committed", "replicated") for state in states)
        return self.lag(label)

    def forget_journals(self) -> None:
        """Close the journals; they are opened again where someone asks."""
        for journal in self._journals.values():
            journal.close_file()
        self._journals.clear()

    def is_drained(self) -> bool:
        """Whether each file has its receipts and every offset is acknowledged, the registrar's too."""
        try:
            return not self.waiting() and not any(self.lag(program) for program in self._readers())
        except B2streamError:
            return False

    def wait_until_drained(self, timeout_s: float = DRAIN_S) -> float:
        """Wait for that; returns the seconds it took. Raises NotInTime with what is missing and where the evidence lies."""
        began = time.monotonic()
        until(self._is_drained_by_all, self.describe, timeout_s, poll_s=LOOK_EVERY_S)
        return time.monotonic() - began

    def _is_drained_by_all(self) -> bool:
        """Whether all is drained; a program that gave up will never do its part, so nobody waits for it. Raises AssertionError."""
        gave_up = [name for name, one in self.deployment.programs.items() if (one.exit_code or 0) > 0]
        assert not gave_up, self.describe()
        return self.is_drained()

    def _readers(self) -> list[str]:
        return [program for program in READS if program != REGISTRAR or self.registers]

    def describe(self) -> str:
        """What is not done, for a person."""
        lags = []
        for label in self._readers():
            try:
                lags.append(f"{label} lag {self.lag(label)}")
            except B2streamError as error:
                lags.append(f"{label} lag unknown: {error}")
        ended = [
            f"{name} ended with {one.exit_code}" for name, one in self.deployment.programs.items() if not one.running
        ]
        return f"{self.waiting()}; {'; '.join(lags + ended)}; evidence in {self.directory}"

    def _journal(self, station: str) -> Journal | None:
        file = self.folder_of(station) / JOURNAL
        if station not in self._journals and file.exists():
            self._journals[station] = Journal(file)
        return self._journals.get(station)
