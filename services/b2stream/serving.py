"""What stands around the work of a program that serves until a signal: signals, pages, the centres' greeting, the wait for Kafka."""

import logging
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from b2stream.archive.centres import greet
from b2stream.archive.store import ObjectStore
from b2stream.errors import Fatal, Retryable
from b2stream.kafka.admin import Admin
from b2stream.monitoring import Health, MonitoringServer
from b2stream.settings import Settings

Answer = TypeVar("Answer")

_log = logging.getLogger(__name__)


@dataclass
class Serving:
    """How a program stands: whether it is to stop, and what its pages say."""

    settings: Settings
    client: str  # name of the program at the brokers
    stopping: threading.Event = field(default_factory=threading.Event)
    health: Health = field(default_factory=Health)
    ask_again_s: float = 2.0
    _refusals: list[Fatal] = field(default_factory=list)

    def until_kafka_answers(self, ask: Callable[[Admin], Answer]) -> Answer | None:
        """Ask until Kafka answers; None where a signal came first. Raises what is fatal, e.g. a topic that is not as agreed."""
        bootstrap = self.settings.kafka.bootstrap
        admin = Admin(self.settings.kafka, f"{self.client}-admin")
        self.health.not_ready(f"waiting for Kafka at {bootstrap}")
        while not self.stopping.is_set():
            self.health.beat()
            try:
                return ask(admin)
            except Retryable as error:
                _log.warning("waiting for Kafka at %s: %s", bootstrap, error)
                self.stopping.wait(self.ask_again_s)
        return None

    def refused(self, error: Fatal) -> None:
        """A server will never let the program in: it stops, and `serving` raises this."""
        self._refusals.append(error)
        self.health.not_ready(str(error))
        self.stopping.set()

    def raise_refusal(self) -> None:
        """Raises what `refused` was told first."""
        if self._refusals:
            raise self._refusals[0]


@contextmanager
def serving(settings: Settings, client: str, centres: Iterable[ObjectStore]) -> Iterator[Serving]:
    """Run a program in this thread, the main one, until SIGTERM, SIGINT or a refusal. Raises Fatal."""
    standing = Serving(settings, client)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: standing.stopping.set())
    monitoring = settings.monitoring
    pages = MonitoringServer(monitoring.host, monitoring.port, standing.health) if monitoring.port else None
    try:
        greet(centres, standing.refused)
        yield standing
        standing.raise_refusal()
    finally:
        if pages:
            pages.close()
