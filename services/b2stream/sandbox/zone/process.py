"""Start and stop an embedded zone as a process of its own: what the sandbox and the tests use."""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from b2stream.sandbox.processes import freeze_group


class EmbeddedZone:
    """One zone in a directory. Its objects and catalogue outlive it; a second `start` takes the same port again."""

    def __init__(
        self,
        directory: Path,
        zone_name: str,
        *,
        user: str = "rods",
        password: str = "rods",  # noqa: S107 (a sandbox's, reachable from this machine only)
        second_users: Sequence[str] = (),
        port: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        self.directory = directory
        self.zone_name = zone_name
        self.user = user
        self.password = password
        self.second_users = tuple(second_users)
        self.host = host
        self.port = port
        self.control_port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> str:
        """The first user's home collection."""
        return f"/{self.zone_name}/home/{self.user}"

    @property
    def pid(self) -> int:
        """The process's id; 0 when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def start(self, timeout_s: float = 30) -> int:
        """Start it and wait until it answers; returns the port. Raises RuntimeError with what it said otherwise."""
        if self.pid:
            return self.port
        self.directory.mkdir(parents=True, exist_ok=True)
        password_file = self.directory / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password + "\n", encoding="utf-8")
        log = self.directory / "zone.log"
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "b2stream.sandbox.zone", "--directory", str(self.directory),
                    "--zone", self.zone_name, "--port", str(self.port), "--user", self.user,
                    "--password-file", str(password_file),
                    *(argument for name in self.second_users for argument in ("--second-user", name)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C is for whoever started it, who then stops it in good order
            )  # fmt: skip
        line = self._first_line(timeout_s)
        if not line:
            self.kill()
            raise RuntimeError(f"the zone {self.zone_name} did not start; {log} says why")
        ready = json.loads(line)
        self.port, self.control_port = int(ready["port"]), int(ready["control_port"])
        return self.port

    def _first_line(self, timeout_s: float) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(max(deadline - time.monotonic(), 0)):
                return b""
        return self._process.stdout.readline()

    def stop(self, timeout_s: float = 20) -> None:
        """Stop it in good order: what is being written becomes stale. Killed after the timeout."""
        self.thaw()
        self._signal(signal.SIGTERM)
        self._wait(timeout_s)

    def kill(self) -> None:
        """Kill it on the spot: what is being written stays intermediate, across the next start too."""
        self._signal(signal.SIGKILL)
        self._wait(20)

    def freeze(self) -> None:
        """Let it stand still, connections and all, as a machine that hangs. Raises what `freeze_group` does."""
        if self.pid:
            freeze_group(self.pid)  # it leads one: it was started with a session of its own

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self._signal(signal.SIGCONT)

    def control(self, request: Mapping[str, object], timeout_s: float = 10) -> dict[str, object]:
        """Send one line to the control port, e.g. `{"do": "clear"}` (see `b2stream.sandbox.zone.faults`)."""
        with socket.create_connection((self.host, self.control_port), timeout_s) as connection:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer: dict[str, object] = json.loads(answers.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer

    def _signal(self, number: int) -> None:
        if self.pid:
            os.kill(self.pid, number)

    def _wait(self, timeout_s: float) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
