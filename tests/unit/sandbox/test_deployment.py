"""What a deployment starts, takes over and stops; its servers are sleepers."""

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from b2stream import settings
from b2stream.errors import ConfigurationError
from b2stream.sandbox import deployment, handle, processes, programs
from b2stream.sandbox.deployment import AlreadyRunning, Deployment
from b2stream.sandbox.kafka import cluster, jars
from b2stream.sandbox.records import read_parts, write_parts
from b2stream.sandbox.server import Server
from tests.unit.sandbox.elsewhere import ALL_GIVEN


class Sleeper(Server):
    """A server that answers at once and does nothing."""

    fails = False

    def __init__(self, directory: Path, name: str, port: int | None) -> None:
        super().__init__(directory, survives=True)
        self.name = name
        self.port = port or 12345

    def start(self) -> str:
        self._launch(["sleep", "60"])
        if self.fails:
            raise ConfigurationError("it failed after its process was there")
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def sleepers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Deployments have sleepers instead of servers."""
    monkeypatch.setattr(Deployment, "new_server", lambda self, name, port: Sleeper(self.directory / name, name, port))
    monkeypatch.setattr(jars, "class_path", lambda *_: [])
    monkeypatch.setattr(handle, "why_not", lambda *_: False)
    yield
    deployment.stop_recorded(tmp_path)


@pytest.mark.usefixtures("sleepers")
def test_passwords_are_random_kept_and_readable_by_the_owner_alone(tmp_path: Path) -> None:
    words = []
    for _ in range(2):
        one = Deployment(tmp_path, survives=True)
        one.start()
        found = settings.load(one.settings_file, environment={}).settings
        files = [Path(found.first.password_file), Path(found.second.password_file)]
        assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
        words.append([file.read_text() for file in files])
        one.stop()
    assert words[0] == words[1], "a zone started again would not know its user"
    assert words[0][0] != words[0][1]
    assert min(map(len, words[0])) >= 20


@pytest.mark.usefixtures("sleepers")
def test_a_second_start_takes_over_what_runs_and_starts_only_what_does_not(tmp_path: Path) -> None:
    Deployment(tmp_path, survives=True, ports={"first": 20001}).start()
    before = read_parts(tmp_path)
    ended = before["redis"].process
    assert ended is not None
    ended.kill()
    again = Deployment(tmp_path, survives=True)
    again.start()
    after = read_parts(tmp_path)
    assert {name: part.pid == before[name].pid for name, part in after.items()} == {
        "kafka": True,
        "redis": False,
        "handle": True,
        "first": True,
        "second": True,
    }
    assert again.addresses["first"] == "127.0.0.1:20001"
    again.stop()
    assert not any(part.running for part in after.values())


@pytest.mark.usefixtures("sleepers")
def test_three_brokers_are_three_parts_one_address_and_three_copies(tmp_path: Path) -> None:
    three = Deployment(tmp_path, survives=True, brokers=3, ports={"kafka": 20004})
    three.start()
    found = settings.load(three.settings_file, environment={}).settings
    names = ["kafka-1", "kafka-2", "kafka-3"]
    assert found.kafka.bootstrap == three.addresses["kafka"] == "127.0.0.1:20004,127.0.0.1:20005,127.0.0.1:20006"
    assert found.kafka.replication == 3
    assert [name for name, part in read_parts(tmp_path).items() if part.running][:3] == names
    assert deployment.stop_recorded(tmp_path)[:3] == names


@pytest.mark.usefixtures("sleepers")
def test_one_broker_is_what_it_always_was(tmp_path: Path) -> None:
    with Deployment(tmp_path) as one:
        assert "kafka" in one.servers
        assert "replication" not in one.settings_file.read_text()


@pytest.mark.usefixtures("sleepers")
def test_a_sandbox_goes_on_with_as_many_brokers_as_it_was_begun_with(tmp_path: Path) -> None:
    cluster.members(tmp_path, 3)  # as the first start of three does
    with Deployment(tmp_path) as again:
        assert {"kafka-1", "kafka-2", "kafka-3"} <= set(again.servers)
    with pytest.raises(ConfigurationError, match="has 3 brokers, not 1"):
        Deployment(tmp_path, brokers=1)
    with pytest.raises(ConfigurationError, match="--kafka names another"):
        Deployment(tmp_path, ALL_GIVEN, brokers=3)


@pytest.mark.usefixtures("sleepers")
def test_ports_stay_the_same_after_a_stop(tmp_path: Path) -> None:
    Deployment(tmp_path, survives=True, ports={"redis": 20002, "first": 20003}).start()
    deployment.stop_recorded(tmp_path)
    again = Deployment(tmp_path, survives=True)
    again.start()
    assert (again.addresses["redis"], again.addresses["first"]) == ("127.0.0.1:20002", "127.0.0.1:20003")


@pytest.mark.usefixtures("sleepers")
def test_a_short_lived_deployment_refuses_a_directory_where_one_runs(tmp_path: Path) -> None:
    Deployment(tmp_path, survives=True).start()
    with pytest.raises(AlreadyRunning, match="sandbox down"):
        Deployment(tmp_path).start()


@pytest.mark.usefixtures("sleepers")
def test_a_part_that_runs_at_another_port_than_the_one_asked_for_is_refused(tmp_path: Path) -> None:
    Deployment(tmp_path, survives=True, ports={"redis": 20002}).start()
    with pytest.raises(AlreadyRunning, match=r"redis at 127\.0\.0\.1:20002, not at port 20009"):
        Deployment(tmp_path, survives=True, ports={"redis": 20009}).start()


@pytest.mark.usefixtures("sleepers")
def test_when_one_part_fails_what_this_start_launched_is_stopped_and_what_ran_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Deployment(tmp_path, survives=True).start()
    before = read_parts(tmp_path)
    for name in ("redis", "second"):
        process = before[name].process
        assert process is not None
        process.kill()
    monkeypatch.setattr(Sleeper, "fails", True)
    with pytest.raises(ConfigurationError, match="it failed"):
        Deployment(tmp_path, survives=True).start()
    assert {name: part.running for name, part in read_parts(tmp_path).items()} == {
        "kafka": True,
        "redis": False,
        "handle": True,
        "first": True,
        "second": False,
    }


@pytest.mark.usefixtures("sleepers")
def test_a_process_is_recorded_before_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is killed while a sandbox comes up leaves nothing that `sandbox down` does not know."""
    seen: list[bool] = []

    def looks(self: Server, *_: object) -> str:
        self._launch(["sleep", "60"])
        seen.append(read_parts(tmp_path)[self.name].running)
        return "127.0.0.1:1"

    monkeypatch.setattr(Sleeper, "start", looks)
    Deployment(tmp_path, survives=True).start()
    assert seen == [True] * len(deployment.SERVERS)


@pytest.mark.usefixtures("sleepers")
@pytest.mark.parametrize("taken_over", [False, True], ids=["started here", "taken over"])
def test_a_server_that_is_started_again_keeps_its_address_in_the_record(tmp_path: Path, taken_over: bool) -> None:
    running = Deployment(tmp_path, survives=True, ports={"redis": 20002})
    running.start()
    if taken_over:
        running = Deployment(tmp_path, survives=True)
        running.start()
    running.servers["redis"].kill()
    running.servers["redis"].start()
    recorded = read_parts(tmp_path)["redis"]
    assert recorded.running
    assert recorded.address == running.addresses["redis"] == "127.0.0.1:20002"


@pytest.mark.usefixtures("sleepers")
def test_a_server_whose_start_was_cut_short_is_started_again(tmp_path: Path) -> None:
    """Its process is there and nobody knows whether it ever answered, as after `sandbox up` was killed half way."""
    Deployment(tmp_path, survives=True).start()
    before = read_parts(tmp_path)
    write_parts(tmp_path, [replace(part, address="") if name == "redis" else part for name, part in before.items()])
    again = Deployment(tmp_path, survives=True)
    again.start()
    after = read_parts(tmp_path)
    assert again.addresses["redis"] == after["redis"].address != ""
    assert {name for name, part in after.items() if part.pid != before[name].pid} == {"redis"}
    assert not before["redis"].running


def test_a_program_gets_the_sandboxs_settings_and_not_those_left_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("B2STREAM_KAFKA_BOOTSTRAP", "production.example.org:9092")
    monkeypatch.setenv("B2STREAM_GENERAL_LOG_LEVEL", "debug")
    with Deployment(tmp_path, ALL_GIVEN) as running:
        process = running.run_program(
            "config", "show", "--json", wait=False, environment={"B2STREAM_GATEWAY_STATION": "SE-Htm"}
        )
        assert process.wait(60)
    shown = json.loads(process.log_file.read_text(encoding="utf-8"))
    assert shown["kafka.bootstrap"]["value"] == ALL_GIVEN.kafka
    assert shown["general.log_level"]["value"] == "debug"
    assert shown["gateway.station"]["value"] == "SE-Htm"
    assert shown["monitoring.port"]["value"] > 0


def test_a_program_that_ends_before_it_is_ready_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Deployment(tmp_path, ALL_GIVEN) as running, pytest.raises(programs.ProgramNotReady, match="No such command"):
        running.run_program("no-such-program")


def test_one_label_is_one_running_program(tmp_path: Path) -> None:
    with Deployment(tmp_path, ALL_GIVEN) as running:
        running.programs["processor"] = processes.start("processor", ["sleep", "60"], tmp_path / "p.log")
        with pytest.raises(ConfigurationError, match="label"):
            running.run_program("processor")
    assert not running.programs["processor"].running
