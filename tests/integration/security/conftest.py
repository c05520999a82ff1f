"""One broker with TLS and passwords for this folder, and the settings of a client that it lets in."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from b2stream.sandbox import processes
from b2stream.sandbox.kafka import KafkaBroker
from b2stream.sandbox.processes import Process
from b2stream.settings import Kafka, load
from tests.integration.security import secured
from tests.integration.security.certificates import Authority

PROGRAM = [sys.executable, "-c", "from b2stream.cli import main; main()"]


@dataclass
class Secured:
    """The broker's secure address, and the files of a client."""

    bootstrap: str
    ca_file: Path
    other_ca_file: Path
    certificate_file: Path
    key_file: Path
    password_file: Path

    def variables(self, **other: str) -> dict[str, str]:
        """The client's settings as variables of the environment; `user="other"` changes one."""
        settings = {
            "bootstrap": self.bootstrap,
            "partitions": "1",
            "security_protocol": "SASL_SSL",
            "ca_file": str(self.ca_file),
            "certificate_file": str(self.certificate_file),
            "key_file": str(self.key_file),
            "sasl_mechanism": "SCRAM-SHA-512",
            "user": secured.USER,
            "password_file": str(self.password_file),
            **other,
        }
        return {f"B2STREAM_KAFKA_{key.upper()}": value for key, value in settings.items()}

    def kafka(self, **other: str) -> Kafka:
        """The same as a section."""
        return load(environment=self.variables(**other)).settings.kafka


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A broker of this folder's own whose second door asks for TLS, a certificate and a password."""
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority("b2stream test CA")
    listener = secured.listener(folder / "broker-tls", authority, client_certificates=True)
    broker = KafkaBroker(folder / "kafka", secure=listener)
    client = authority.client("client")
    files = {
        "ca_file": authority.certificate,
        "other_ca_file": Authority("another CA").certificate,
        "certificate_file": client.certificate,
        "key_file": client.key,
        "password_file": secured.PASSWORD + "\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    broker.start()
    try:
        secured.add_user(broker)
        yield Secured(f"127.0.0.1:{listener.port}", **{name: folder / name for name in files})
    finally:
        broker.stop()


@dataclass
class Programs:
    """Programs of one test, as processes; ended with it."""

    folder: Path
    environment: dict[str, str]
    started: list[Process] = field(default_factory=list)

    def start(self, *words: str, **environment: str) -> Process:
        """Start `b2stream WORDS`; its log is a file of its own."""
        log_file = self.folder / f"{words[0]}-{len(self.started)}.log"
        process = processes.start(
            words[0], [*PROGRAM, *words], log_file, environment={**self.environment, **environment}
        )
        self.started.append(process)
        return process


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Callable[..., Programs]]:
    """Makes a set of programs that see these variables and nothing else of ours."""
    made: list[Programs] = []

    def make(variables: dict[str, Any]) -> Programs:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("B2STREAM_")}
        made.append(Programs(tmp_path, {**clean, "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1", **variables}))
        return made[-1]

    yield make
    for each in made:
        for process in each.started:
            process.kill()
            print(f"--- {process.name} said at the end:\n{process.last_log_lines(40)}")
