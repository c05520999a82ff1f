"""One Handle.Net server on 127.0.0.1, with all its files in one directory."""

import http
import http.client
import importlib.util
import os
import ssl
import time
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Literal

from b2stream.errors import ConfigurationError, Fatal
from b2stream.sandbox import processes
from b2stream.sandbox.handle import jars
from b2stream.sandbox.jars import JarsUnavailable, Tell
from b2stream.sandbox.kafka.broker import java_program
from b2stream.sandbox.ports import LOOPBACK, free_port, host_in, port_in, somebody_listens
from b2stream.sandbox.server import Server
from b2stream.settings.passwords import read_password_file

PREFIX = "21.T99999"  # nobody's: the DONA Foundation never gives out a prefix of this form
NOTICE = "Handle.Net, CNRI's, under the Handle.Net Public License; here for trying and testing, on loopback alone"
START_TIMEOUT_S = 60.0
ANSWER_S = 3.0
JAVA_OPTIONS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class HandleNotStarted(Fatal):
    """The Handle server did not start: read the end of its log here; a port in use is cured by another one (`--handle-port`)."""

    reason = "handle_not_started"


class HandleServer(Server):
    """A Handle server for `prefixes`, the first of which has the user `300:<prefix>/USER01`; its password stands in a file.

    Records, key and certificate stay in the directory, so clients find a restarted server as it was.
    """

    name = "handle"

    def __init__(
        self,
        directory: Path,
        password_file: Path,
        *,
        prefixes: tuple[str, ...] = (PREFIX,),
        port: int | None = None,
        survives: bool = False,
    ) -> None:
        super().__init__(directory, survives=survives)
        self.password_file = password_file.absolute()
        self.prefixes = prefixes
        self.port = port or free_port()

    @property
    def url(self) -> str:
        """The address that clients are given."""
        return f"https://{LOOPBACK}:{self.port}"

    @property
    def ca_file(self) -> Path:
        """What clients must trust."""
        return self.directory / "serverCertificate.pem"

    @property
    def user(self) -> str:
        """Who may write under all its prefixes."""
        return f"300:{self.prefixes[0]}/USER01"

    def start(self, tell: Tell | None = None, *, timeout_s: float = START_TIMEOUT_S) -> str:
        """Start it, wait until it answers, and return its URL. Raises HandleNotStarted with the end of the log."""
        class_path = os.pathsep.join(map(str, jars.class_path(tell)))
        if somebody_listens(self.port):  # whose answer would be taken for this server's
            raise HandleNotStarted(f"{LOOPBACK}:{self.port} is in use")
        self._write_files()
        java = [java_program(), *JAVA_OPTIONS]
        if not self._loaded.exists():
            self._load(java, class_path)
        command = [
            *java,
            f"-Dnet.handle.configDir={self.directory / 'resolver'}",
            "-Dorg.eclipse.jetty.util.log.class=org.eclipse.jetty.util.log.JavaUtilLog",
            f"-Djava.util.logging.config.file={self.directory / 'logging.properties'}",
        ]
        process = self._launch([*command, "-cp", class_path, "net.handle.server.Main", str(self.directory)])
        deadline = time.monotonic() + timeout_s
        while process.running and time.monotonic() < deadline:
            if answers(self.url):
                return self.url
            time.sleep(processes.POLL_S)
        self.kill()
        raise HandleNotStarted(f"{self.log_file}:\n{processes.last_lines(self.log_file)}\n")

    @property
    def _loaded(self) -> Path:
        return self.directory / "loaded"

    def _write_files(self) -> None:
        from b2stream.sandbox.handle import files  # here, because not every machine has cryptography

        self.directory.mkdir(parents=True, exist_ok=True)
        files.write_key(self.directory)
        files.write_settings(self.directory, self.port, self.prefixes)
        if not self._loaded.exists():
            files.write_first_records(self.directory, self.prefixes, read_password_file(self.password_file))

    def _load(self, java: list[str], class_path: str) -> None:
        """Put the first records into the empty store. One that was killed half way is loaded again, over what it left."""
        command = [*java, "-cp", class_path, "net.handle.apps.tools.LoadHandlesIntoStorageFromJson"]
        command += ["-f", str(self.directory / "bootstrap.json"), "-h", str(self.directory)]
        loading = processes.start("handle-load", command, self.log_file)
        if not loading.wait(START_TIMEOUT_S) or loading.exit_code != 0:
            loading.kill()
            raise HandleNotStarted(f"loading, {self.log_file}:\n{loading.last_log_lines()}\n")
        (self.directory / "bootstrap.json").unlink()
        self._loaded.touch()


def why_not(tell: Tell | None = None) -> str | Literal[False]:
    """Why a Handle server cannot be had on this machine, False where it can; its jars are brought by the way.

    A jar that is not the locked one is no reason to go on without: JarRefused is raised.
    """
    if importlib.util.find_spec("cryptography") is None:
        return "it needs cryptography for its key (pip install 'b2stream[sandbox]')"
    try:
        jars.class_path(tell)
        java_program()
    except (JarsUnavailable, ConfigurationError) as error:
        return f"it is not to be had ({error.detail})"
    return False


def answers(url: str) -> bool:
    """Whether a Handle server answers at `https://host:port`, whoever signed its certificate: nothing secret is said."""
    connection = HTTPConnection(host_in(url), port_in(url), timeout=ANSWER_S)
    if url.startswith("https:"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = HTTPSConnection(host_in(url), port_in(url), timeout=ANSWER_S, context=context)
    try:
        connection.request("GET", "/api/site")
        return connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
