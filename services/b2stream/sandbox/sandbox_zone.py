"""An embedded iRODS zone as a process of its own; `sandbox/zone/` is what runs in it."""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from b2stream.errors import Fatal
from b2stream.sandbox import processes
from b2stream.sandbox.ports import LOOPBACK, free_port, somebody_listens
from b2stream.sandbox.server import Server
from b2stream.sandbox.zone.process import EmbeddedZone

START_TIMEOUT_S = 30.0
USER = "rods"


class ZoneNotStarted(Fatal):
    """The embedded iRODS zone did not start: read the end of its log here; a port in use is cured by another one."""

    reason = "zone_not_started"


class SandboxZone(Server):
    """Zone `zone_name` with its objects and catalogue in `directory`; the password of its user stands in a file."""

    def __init__(
        self,
        directory: Path,
        zone_name: str,
        password_file: Path,
        *,
        name: str = "zone",
        port: int | None = None,
        survives: bool = False,
    ) -> None:
        super().__init__(directory, survives=survives)
        self.name = name
        self.zone_name = zone_name
        self.password_file = password_file.absolute()
        self.port = port or free_port()

    def root_url(self, collection: str) -> str:
        """URL of a collection in the home of the zone's user, as settings take it."""
        return f"irods://{USER}@{LOOPBACK}:{self.port}/{self.zone_name}/home/{USER}/{collection}"

    def start(self) -> str:
        """Start it and return HOST:PORT. Raises ZoneNotStarted with the end of its log."""
        if somebody_listens(self.port):
            raise ZoneNotStarted(f"{LOOPBACK}:{self.port} is in use")
        command = [sys.executable, "-m", "b2stream.sandbox.zone", "--directory", str(self.directory)]
        command += ["--zone", self.zone_name, "--port", str(self.port)]
        command += ["--user", USER, "--password-file", str(self.password_file)]
        process = self._launch(command, {**os.environ, "PYTHONUNBUFFERED": "1"})
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.running:
            if self._announced().get("pid") == process.pid:
                return f"{LOOPBACK}:{self.port}"
            time.sleep(processes.POLL_S)
        self.kill()
        raise ZoneNotStarted(f"{self.log_file}:\n{processes.last_lines(self.log_file)}\n")

    def control(self, request: Mapping[str, object]) -> dict[str, object]:
        """Tell the zone to misbehave, as `b2stream.sandbox.zone.faults` describes, e.g. `{"do": "clear"}`."""
        zone = EmbeddedZone(self.directory, self.zone_name)
        zone.control_port = int(self._announced()["control_port"])
        return zone.control(request)

    def _announced(self) -> dict[str, Any]:
        """What the zone wrote when it was ready; the `pid` in it tells whether that was this time."""
        try:
            announced: dict[str, Any] = json.loads((self.directory / "zone.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return announced
