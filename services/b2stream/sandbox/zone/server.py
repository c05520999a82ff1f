"""The zone's server: one process, a thread for each connection, 127.0.0.1 only."""

import contextlib
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from b2stream.sandbox.zone.catalogue import Catalogue
from b2stream.sandbox.zone.connection import Connection
from b2stream.sandbox.zone.faults import ControlServer, Faults
from b2stream.sandbox.zone.people import found_user, found_zone
from b2stream.sandbox.zone.state import Zone
from b2stream.sandbox.zone.vault import Vault

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a zone is started with. `users` maps names to passwords; the first is the administrator."""

    directory: Path
    zone: str
    users: Mapping[str, str]
    port: int = 0
    resource: str = "demoResc"


class ZoneServer:
    """Listens from construction on; `serve` answers until `stop`."""

    def __init__(self, settings: Settings) -> None:
        directory = settings.directory.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        self._zone = _found(settings, directory)
        self._listener = socket.create_server((HOST, settings.port), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        self._control = ControlServer(self._zone.faults)
        self.control_port = self._control.port
        self._lock = threading.Lock()
        self._connections: dict[Connection, threading.Thread] = {}
        self._stopping = threading.Event()

    def serve(self) -> None:
        """Answer clients until `stop` is called from another thread or a signal handler."""
        threading.Thread(target=self._control.serve_forever, name="control", daemon=True).start()
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                break
            connection = Connection(self._zone, client)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            with self._lock:
                self._connections[connection] = thread
            thread.start()
        self._finish()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        finally:
            with self._lock:
                self._connections.pop(connection, None)

    def stop(self) -> None:
        """Take no more clients and let go of the present ones; what they were writing becomes stale."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)

    def _finish(self) -> None:
        # The control port ends with the process: nothing waits for it.
        self._listener.close()
        self._zone.faults.clear()
        with self._lock:
            remaining = dict(self._connections)
        for connection in remaining:
            connection.disconnect()
        for thread in remaining.values():
            thread.join(timeout=10)
        self._zone.catalogue.close()


def _found(settings: Settings, directory: Path) -> Zone:
    """Open the catalogue and write into it what is missing."""
    catalogue = Catalogue(directory / "catalogue.sqlite")
    vault = Vault(directory / "vault")
    with catalogue.change() as db:
        found_zone(db, settings.zone, settings.resource, str(vault.directory))
        for number, (name, password) in enumerate(settings.users.items()):
            found_user(db, settings.zone, name, password, administrator=number == 0)
        (resource_id,) = db.execute(
            "SELECT resc_id FROM r_resc_main WHERE resc_name = ?", (settings.resource,)
        ).fetchone()
    return Zone(settings.zone, settings.resource, int(resource_id), catalogue, vault, Faults())
