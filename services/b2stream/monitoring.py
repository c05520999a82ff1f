"""The pages that operators' machines read: /metrics (Prometheus), /healthz and /readyz, tied to progress.

Healthy: the program's own loop went round within `stale_after_s`. Ready: it says that it has what it needs to work, and nothing
troubles it. Not ready is not unhealthy: a program that waits for a centre is started again to no avail.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, generate_latest

from b2stream.errors import ConfigurationError

_log = logging.getLogger(__name__)

_NOT_READY_YET = "starting"


class Health:
    """What a program says of its own progress; `beat()` is called by its main loop."""

    def __init__(self, stale_after_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._stale_after_s = stale_after_s
        self._clock = clock
        self._beat_at = clock()
        self._not_ready: str | None = _NOT_READY_YET
        self._troubles: dict[str, str] = {}

    def beat(self) -> None:
        """The main loop went round."""
        self._beat_at = self._clock()

    def ready(self) -> None:
        """All that is needed answers."""
        self._not_ready = None

    def not_ready(self, why: str) -> None:
        """Something that is needed does not answer; `why` names it."""
        self._not_ready = why

    def troubled_by(self, troubles: Mapping[str, str]) -> None:
        """All that keeps the program from its work at this moment: a short name of each, and a sentence. What is new is logged."""
        for name in troubles.keys() - self._troubles.keys():
            _log.error("not ready: %s", troubles[name])
        for name in self._troubles.keys() - troubles.keys():
            _log.warning("no longer: %s", self._troubles[name])
        self._troubles = dict(troubles)

    @property
    def reasons(self) -> dict[str, str]:
        """Why it is not ready, by short name."""
        return ({} if self._not_ready is None else {"program": self._not_ready}) | self._troubles

    def healthz(self) -> tuple[bool, str]:
        """Whether the loop still goes round."""
        idle_s = self._clock() - self._beat_at
        return idle_s <= self._stale_after_s, f"last progress {idle_s:.1f} s ago"

    def readyz(self) -> tuple[bool, str]:
        """Whether the program can work."""
        reasons = self.reasons
        return not reasons, "; ".join(reasons.values()) or "ready"


class Pauses:
    """Reading that stands still on purpose: whether now, how long in all, and why. Used by one thread or event loop.

    Metrics `<prefix>_paused{reason}` and `<prefix>_paused_seconds_total{reason}`; `look()` adds what has passed since.
    """

    def __init__(self, prefix: str, reasons: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._now = Gauge(f"{prefix}_paused", "1 while reading stands still on purpose, by reason.", ["reason"])
        self._seconds = Counter(
            f"{prefix}_paused_seconds", "Seconds for which reading stood still on purpose, by reason.", ["reason"]
        )
        self._since_s: dict[str, float] = {}
        self._depth = dict.fromkeys(reasons, 0)
        for reason in reasons:  # there from the start: an alert must see a 0, not nothing
            self._now.labels(reason).set(0)
            self._seconds.labels(reason).inc(0)

    @contextmanager
    def because(self, reason: str) -> Iterator[None]:
        """Reading stands still for as long as this lasts."""
        self._depth[reason] += 1
        self._mark(reason)
        try:
            yield
        finally:
            self._depth[reason] -= 1
            self._mark(reason)

    def set(self, reason: str, is_paused: bool) -> None:
        """Reading stands still for this reason, or no longer does."""
        self._depth[reason] = int(is_paused)
        self._mark(reason)

    def look(self) -> None:
        """Count what has passed of the pauses that still last."""
        now_s = self._clock()
        for reason, since_s in self._since_s.items():
            self._seconds.labels(reason).inc(now_s - since_s)
            self._since_s[reason] = now_s

    def _mark(self, reason: str) -> None:
        is_paused = self._depth[reason] > 0
        if is_paused and reason not in self._since_s:
            self._since_s[reason] = self._clock()
            self._now.labels(reason).set(1)
        elif not is_paused and reason in self._since_s:
            self._seconds.labels(reason).inc(self._clock() - self._since_s.pop(reason))
            self._now.labels(reason).set(0)


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
                    said: dict[str, object] = {"ok": good, "why": why}
                    if page == "/readyz" and not good:
                        said["reasons"] = health.reasons
                    self._answer(200 if good else 503, "application/json", json.dumps(said).encode())
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
        serve = partial(self._server.serve_forever, poll_interval=0.05)  # as long as `close` takes, and so each stop
        threading.Thread(target=serve, name="monitoring", daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
