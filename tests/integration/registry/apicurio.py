"""A real schema registry for tests: Apicurio Registry from Maven Central (109 MB), on the sandbox's Java.

The archive is brought by jgo as the sandbox's jars are, kept in b2stream's cache folder, and used only with this checksum.
"""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from b2stream.sandbox.jars import cache_folder, jgo_context
from b2stream.sandbox.kafka.broker import java_program
from b2stream.sandbox.ports import free_port
from tests.waiting import until

VERSION = "3.0.9"
SHA256 = "2b28181501a20cbf6efcd77f9b7153908fc01f3d3a7c32024c0bd9e1b04c8a43"
RUNNER = f"apicurio-registry-app-{VERSION}-runner.jar"
START_S = 300.0


def installed() -> Path:
    """The folder with the unpacked registry; it appears only whole and checked."""
    folder = cache_folder() / f"apicurio-{VERSION}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            context = jgo_context(Path(temporary) / "repository")
            component = context.project("io.apicurio", "apicurio-registry-app").at_version(VERSION)
            archive = Path(component.artifact(classifier="all", packaging="tar.gz").resolve())
            with archive.open("rb") as file:
                assert hashlib.file_digest(file, "sha256").hexdigest() == SHA256
            unpacked = Path(temporary) / "unpacked"
            with tarfile.open(archive) as members:
                members.extractall(unpacked, filter="data")
            shutil.move(unpacked, folder)
    return folder


def kafka_storage(bootstrap: str) -> dict[str, str]:
    """The variables that make a registry keep its schemas in Kafka."""
    return {"APICURIO_STORAGE_KIND": "kafkasql", "APICURIO_KAFKASQL_BOOTSTRAP_SERVERS": bootstrap}


class Apicurio:
    """One registry with its database in a folder, or in topics of a broker; `kill` and `start` again keep what is registered."""

    def __init__(self, directory: Path, kafka: str | None = None) -> None:
        self._kafka = kafka
        self._directory = directory
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._log = (self._directory / "registry.log").open("ab")
        options = [
            "-Xms128m",
            "-Xmx512m",
            "-Dquarkus.http.host=127.0.0.1",
            f"-Dquarkus.http.port={self._port}",
        ]
        if self._kafka is None:
            options.append(f"-Dapicurio.datasource.url=jdbc:h2:file:{self._directory}/db")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("B2STREAM_")}
        if self._kafka is not None:
            environment |= kafka_storage(self._kafka)
        self._process = process = subprocess.Popen(
            [java_program(), *options, "-jar", RUNNER],
            cwd=installed(),
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        until(lambda: self._answers() or process.poll() is not None, self._last_words, START_S, poll_s=0.2)
        if process.poll() is not None:
            raise AssertionError(self._last_words())

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/subjects", timeout=2).close()
        except OSError:
            return False
        return True

    def _last_words(self) -> str:
        """Why it did not start: it is ended, and the end of its log is shown."""
        self.kill()
        end = (self._directory / "registry.log").read_text(errors="replace")[-2_000:]
        return f"the registry did not start:\n{end}"

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None
