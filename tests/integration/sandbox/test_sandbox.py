"""The sandbox as its user meets it: `b2stream sandbox up | status | down` with every real server."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from irods.session import iRODSSession

from b2stream import settings
from b2stream.sandbox import probes, processes
from b2stream.sandbox.deployment import Deployment, stop_recorded
from b2stream.sandbox.given import Given
from b2stream.sandbox.ports import free_ports, host_in, port_in
from b2stream.sandbox.records import Part, read_parts
from b2stream.sandbox.redis_server import RedisServer, redis_program
from b2stream.sandbox.sandbox_zone import SandboxZone
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.usefixtures("quick_java")
B2STREAM = [sys.executable, "-c", "from b2stream.cli import main; main()"]


def call(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """`b2stream sandbox WORDS…` in this folder, without anything on the PATH."""
    environment = {**os.environ, "PATH": "/nonexistent"}
    command = [*B2STREAM, "sandbox", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=10 * PATIENCE_S, check=False
    )


def status(folder: Path) -> tuple[int, dict[str, Any]]:
    answer = call(folder, "status", "--json")
    return answer.returncode, json.loads(answer.stdout)


def states(folder: Path) -> dict[str, str]:
    return {part["name"]: part["state"] for part in status(folder)[1]["parts"]}


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Two places for a sandbox; what a test leaves running there is stopped."""
    both = (tmp_path / "one", tmp_path / "two")
    for folder in both:
        folder.mkdir()
    yield both
    for folder in both:
        stop_recorded(folder / ".b2stream" / "sandbox")


def test_up_returns_when_everything_answers_and_the_sandbox_goes_on_until_down(folders: tuple[Path, Path]) -> None:
    folder, _ = folders
    first_port, kafka_port = free_ports(2)
    up = call(folder, "up", "--servers-only", f"--first-port={first_port}", f"--kafka-port={kafka_port}")
    assert up.returncode == 0, up.stderr + up.stdout
    found = settings.load(folder / ".b2stream" / "sandbox" / "b2stream.toml", environment={}).settings
    assert found.kafka.bootstrap == f"127.0.0.1:{kafka_port}"
    assert found.kafka.bootstrap in up.stdout
    assert AdminClient({"bootstrap.servers": found.kafka.bootstrap}).list_topics(timeout=PATIENCE_S).brokers
    for centre, zone in ((found.first, "cscZone"), (found.second, "fzjZone")):
        password = Path(centre.password_file).read_text().strip()
        where = {"host": host_in(centre.url), "port": port_in(centre.url), "user": "rods", "zone": zone}
        with iRODSSession(**where, password=password) as session:
            assert session.collections.exists(f"/{zone}/home/rods")
    assert port_in(found.first.url) == first_port
    code, told = status(folder)
    assert code == 0
    assert told["all_up"]
    assert states(folder).keys() >= {"kafka", "redis", "handle", "first", "second"}

    down = call(folder, "down")
    assert down.returncode == 0
    assert "kafka" in down.stdout
    code, told = status(folder)
    assert code == 1
    assert {part["state"] for part in told["parts"]} <= {"down", "none"}
    assert not any(processes.start_time(part["pid"]) for part in told["parts"] if part["pid"])


def test_two_sandboxes_do_not_disturb_each_other_and_one_frozen_part_is_told(folders: tuple[Path, Path]) -> None:
    one, two = folders
    with ThreadPoolExecutor(len(folders)) as pool:
        for up in pool.map(lambda folder: call(folder, "up", "--servers-only"), folders):
            assert up.returncode == 0, up.stderr
    ours, theirs = (read_parts(folder / ".b2stream" / "sandbox") for folder in folders)
    assert not {part.address for part in ours.values()} & {part.address for part in theirs.values() if part.address}
    frozen = ours["first"].process
    assert frozen is not None
    frozen.freeze()
    code, told = status(one)
    assert code == 1
    assert {part["name"] for part in told["parts"] if part["state"] == "silent"} == {"first"}
    assert status(two)[0] == 0
    frozen.thaw()
    assert status(one)[0] == 0
    assert call(one, "down").returncode == 0
    assert status(two)[0] == 0


def test_status_and_down_where_nothing_was_ever_started_say_so(tmp_path: Path) -> None:
    answer = call(tmp_path, "status")
    assert answer.returncode == 1
    assert "no sandbox" in answer.stdout
    assert call(tmp_path, "down").returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_up_that_is_killed_half_way_leaves_nothing_that_down_does_not_end(folders: tuple[Path, Path]) -> None:
    folder, _ = folders
    sandbox = folder / ".b2stream" / "sandbox"
    up = subprocess.Popen([*B2STREAM, "sandbox", "up", "--servers-only"], cwd=folder, stdout=subprocess.DEVNULL)

    def running() -> set[str]:
        return {name for name, part in read_parts(sandbox).items() if part.running}

    until(lambda: {"kafka", "first"} <= running(), lambda: f"Kafka and a zone; there are {running()}")
    up.kill()
    up.wait()
    alive = {name: part.pid for name, part in read_parts(sandbox).items() if part.running}
    assert "kafka" in alive
    assert call(folder, "down").returncode == 0
    assert not any(processes.start_time(pid) for pid in alive.values() if pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with a killed parent")
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_deployment_of_its_own_leaves_no_process_behind_however_it_ends(
    kafka_bootstrap: str, tmp_path: Path, ending: signal.Signals
) -> None:
    """Who is killed has a Kafka and a Handle server of its own too."""
    given = (
        "Given()"
        if ending == signal.SIGKILL
        else f"Given(kafka={kafka_bootstrap!r}, handle='', handle_prefix='21.T99999')"
    )
    code = (
        "import pathlib, time\nfrom b2stream.sandbox.deployment import Deployment\nfrom b2stream.sandbox.given import Given\n"
        f"with Deployment(pathlib.Path('d'), {given}): print('up', flush=True); time.sleep(3600)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=-1, stderr=-3, start_new_session=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"up\n"
    pids = [part.pid for part in read_parts(tmp_path / "d").values() if part.pid]
    assert len(pids) >= 2
    owner.send_signal(ending)
    owner.wait(PATIENCE_S)

    def left() -> list[int]:
        return [pid for pid in pids if processes.start_time(pid)]

    until(lambda: not left(), lambda: f"still running: {left()}")


def test_a_given_kafka_is_used_instead_of_one_of_its_own(kafka_bootstrap: str, tmp_path: Path) -> None:
    with Deployment(tmp_path, Given(kafka=kafka_bootstrap), community="given-kafka") as running:
        assert "kafka" not in running.servers
        running.prepare()
        names = AdminClient({"bootstrap.servers": kafka_bootstrap}).list_topics(timeout=PATIENCE_S).topics
        assert "given-kafka.measurements" in names
        part = read_parts(tmp_path)["kafka"]
        assert (part.pid, probes.ask(part).state) == (None, "up")


@pytest.mark.skipif(redis_program() is None, reason="no Redis for this machine")
def test_redis_answers_and_a_taken_port_is_told(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    try:
        address = server.start()
        part = Part("redis", "server", address)
        assert probes.ask(part).state == "up"
        with pytest.raises(Exception, match="in use"):
            RedisServer(tmp_path / "second", server.port).start()
        server.kill()
        assert probes.ask(part).state == "down"
        assert server.start() == address
    finally:
        server.kill()


def test_a_zone_comes_back_at_its_address_and_takes_orders_to_misbehave(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("secret-of-this-test")
    zone = SandboxZone(tmp_path / "zone", "cscZone", secret)
    try:
        address = zone.start()
        zone.kill()
        assert not zone.running
        assert zone.start() == address
        assert isinstance(zone.control({"do": "clear"}), dict)
    finally:
        zone.kill()
