"""The pages that operators' machines read: /metrics (Prometheus), /healthz and /readyz, tied to progress.

Healthy: the program's own loop went round within `stale_after_s`. Ready: it says that it has what it needs to work.
"""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from b2stream.errors import ConfigurationError

_NOT_READY_YET = "starting"


class Health:
    """What a program says of its own progress; `beat()` is called by its main loop."""

    def __init__(self, stale_after_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._stale_after_s = stale_after_s
        self._clock = clock
        self._beat_at = clock()
        self._not_ready: str | None = _NOT_READY_YET

    def beat(self) -> None:
        """The main loop went round."""
        self._beat_at = self._clock()

    def ready(self) -> None:
        """All that is needed answers."""
        self._not_ready = None

    def not_ready(self, why: str) -> None:
        """Something that is needed does not answer; `why` names it."""
        self._not_ready = why

    def healthz(self) -> tuple[bool, str]:
        """Whether the loop still goes round."""
        idle_s = self._clock() - self._beat_at
        return idle_s <= self._stale_after_s, f"last progress {idle_s:.1f} s ago"

    def readyz(self) -> tuple[bool, str]:
        """Whether the program can work."""
        return self._not_ready is None, self._not_ready or "ready"


class MonitoringServer:
    """Serves the three pages from a thread of its own. With port 0 the system chooses one; `port` says which.

    Raises ConfigurationError where it cannot listen there.
    """

    def __init__(self, host: str, port: int, health: Health) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = self.path.partition("?")[0]
                if page == "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest(REGISTRY))
                elif page in ("/healthz", "/readyz"):
                    good, why = health.healthz() if page == "/healthz" else health.readyz()
                    body = json.dumps({"ok": good, "why": why}).encode()
                    self._answer(200 if good else 503, "application/json", body)
                else:
                    self._answer(404, "text/plain", b"/metrics, /healthz, /readyz\n")

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
                """Probes come every few seconds; they are not worth a line each."""

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            detail = f"monitoring.host {host}, monitoring.port {port}: {error.strerror or error}"
            raise ConfigurationError(detail) from error
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="monitoring", daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
