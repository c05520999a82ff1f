"""`b2stream registrar` and `b2stream replicator` as processes, with a real Kafka, two zones and a real Handle server."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchReplicated, FurtherLocation
from b2stream.handles.records import Prefixes, first_record, second_record
from b2stream.handles.rest import RestHandles
from b2stream.sandbox.handle import HandleServer
from b2stream.sandbox.ports import free_port
from b2stream.sandbox.zone.process import EmbeddedZone
from tests import pages
from tests.integration.handles.conftest import PREFIXES
from tests.replication.batches import archive
from tests.replication.deployment import PARTITIONS, Deployment
from tests.waiting import PATIENCE_S, until

B2STREAM = [sys.executable, "-c", "from b2stream.cli import main; main()"]


class Registration(Deployment):
    """A deployment of the replicator's tests, with a Handle server."""

    def registrar(self, server: HandleServer) -> None:
        """Add what the registrar needs to the settings."""
        handle = {"url": server.url, "user": server.user, "password_file": str(server.password_file)}
        handle |= {"ca_file": str(server.ca_file), "timeout_s": 10.0, "community_prefix": "11676"}  # type: ignore[dict-item]
        text = self.config.read_text()
        for section, prefix in (("first", PREFIXES[0]), ("second", PREFIXES[1])):
            text = text.replace(f"[{section}]\n", f"[{section}]\nprefix = {json.dumps(prefix)}\n")
        lines = [f"{key} = {json.dumps(value)}" for key, value in handle.items()]
        self.config.write_text("\n".join([text, "[handle]", *lines, ""]))

    @contextmanager
    def runs(self) -> Iterator[Callable[[str], float]]:
        """Run a registrar; gives its metrics by name without the prefix. It must end in order."""
        port = free_port()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("B2STREAM_")}
        environment |= {"B2STREAM_MONITORING_PORT": str(port), "HOME": str(self.directory)}
        log = self.directory / "registrar.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*B2STREAM, "registrar", "--config", str(self.config)], env=environment, stderr=output
            )
        try:
            yield lambda name: pages.metric(port, f"b2stream_registrar_{name}")
            assert process.poll() is None, log.read_text()
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()

    def unregistered(self) -> int:
        """Events behind the offsets of the registrar's groups."""
        left = 0
        for topic in (topics.COMMITS, topics.REPLICAS):
            name = topic.full_name(self.community)
            committed = self.admin.committed(f"registrar-{self.admin.topic(name).topic_id}", name, PARTITIONS)
            ranges = self.admin.ranges(name, PARTITIONS)
            left += sum(held.end - committed.get(partition, held.start) for partition, held in ranges.items())
        return left

    def all_registered(self) -> bool:
        return len(self.replicas()) == len(self.commits) and self.unregistered() == 0


@pytest.fixture
def deployment(
    tmp_path: Path,
    kafka_bootstrap: str,
    community: str,
    zones: tuple[EmbeddedZone, EmbeddedZone],
    handle_server: HandleServer,
) -> Iterator[Registration]:
    deployment = Registration(tmp_path, kafka_bootstrap, community, *zones)
    deployment.registrar(handle_server)
    yield deployment
    deployment.close()


def check(deployment: Registration, service: RestHandles) -> None:
    """Every data object has its records, at both centres its attributes; nothing more is under the prefixes."""
    prefixes = Prefixes(*PREFIXES, "11676")
    replicas = {event.commit.batch: event for event in deployment.replicas()}
    for commit in deployment.commits:
        event: BatchReplicated = replicas[commit.batch]
        first, second = first_record(commit, prefixes, event), second_record(event, prefixes)
        assert second is not None
        assert service.read(first.handle) == first
        assert service.read(second.handle) == second
        name = deployment.community.upper()
        for store, pid in ((deployment.first, first.handle), (deployment.second, second.handle)):
            told = store.attributes(commit.path)
            assert told.values["PID"] == (pid,)
            assert told.values["EUDAT/ROR"] == (f"11676/{commit.id24}",)
            assert told.values[f"{name}/sha256"] == (commit.sha256,)
            assert told.values[f"{name}/station"] == (commit.station,)
            (resource,) = told.resources
            assert len(told.values[f"eudat_dpm_checksum_date:{resource}"]) == 1
        assert deployment.first.attributes(commit.path).values["EUDAT/REPLICA"] == (second.handle,)
        assert deployment.second.attributes(commit.path).values["EUDAT/PARENT"] == (first.handle,)


def test_I6_each_data_object_is_registered_while_the_handle_server_is_killed_and_comes_back(
    deployment: Registration, handle_server: HandleServer, service: RestHandles
) -> None:
    deployment.start()
    with deployment.runs() as metric:
        deployment.announce(deployment.archive(3))
        until(deployment.all_registered)
        handle_server.kill()
        deployment.announce(deployment.archive(3))
        until(lambda: metric("server_away") == 1.0)
        assert metric("lag_events") >= 3.0
        handle_server.start()
        until(deployment.all_registered)
        assert metric("conflicts_total") == 0.0
    check(deployment, service)
    with deployment.runs():  # what is announced again changes nothing
        deployment.announce(deployment.commits)
        until(lambda: deployment.unregistered() == 0)
    check(deployment, service)
    assert deployment.letters() == []


def test_equal_content_of_two_stations_has_one_pid_and_the_further_location_is_on_the_events_topic(
    deployment: Registration, service: RestHandles
) -> None:
    content = deployment.community.encode()
    one, two = (archive(deployment.first, 0, content, station) for station in ("SE-Htm", "DE-HoH"))
    deployment.commits += [one, two]
    deployment.contents |= {each.path: content for each in (one, two)}
    with deployment.runs():
        deployment.announce([one])
        until(lambda: deployment.unregistered() == 0)
        deployment.start()
        deployment.announce([two])
        until(deployment.all_registered)
    found = service.read(f"{PREFIXES[0]}/{one.id24}")
    assert found is not None
    assert found.text("URL") == one.url
    framed = [Framing().unframe(message.value) for message in deployment.messages(topics.EVENTS)]
    told = [FurtherLocation.from_framed(each) for each in framed if each.schema.name == "FurtherLocation"]
    assert {(event.pid, event.registered_url, event.url) for event in told} == {(found.handle, one.url, two.url)}
