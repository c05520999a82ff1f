"""How the parts of a gateway are put together from the settings, and how it runs until it is asked to stop."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from b2stream.batches.paths import LONGEST_NAME_BYTES, is_safe_name
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import StationDescription
from b2stream.errors import ConfigurationError, Retryable
from b2stream.formats.base import Station
from b2stream.handles.kinds import data_levels
from b2stream.kafka import Brokers, Producer, addresses, wait_until_answers
from b2stream.monitoring import Health, MonitoringServer
from b2stream.programs.gateway import metrics
from b2stream.programs.gateway.closing import Prepared
from b2stream.programs.gateway.cluster import CLIENT_ID, Cluster
from b2stream.programs.gateway.journal.forgetting import Forgetting
from b2stream.programs.gateway.journal.journal import Journal, JournalLock
from b2stream.programs.gateway.outstanding import Outstanding
from b2stream.programs.gateway.permitted import Permitted
from b2stream.programs.gateway.program import Gateway
from b2stream.programs.gateway.publisher import SAY_AGAIN_S, Publisher, Stopping
from b2stream.programs.gateway.receipts import Receipts
from b2stream.programs.gateway.signing import signer
from b2stream.programs.gateway.watch import Folder, check_folder
from b2stream.registry import framing_from
from b2stream.settings import Settings
from b2stream.stations.known import KnownStations

JOURNAL = Path(".b2stream") / "journal.sqlite"
_TRY_AGAIN_S = 2.0
_DESCRIPTION_S = 5.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Waiting:
    """Says why nothing goes on, once every half minute, and that it does again."""

    beat: Callable[[], None]
    clock: Callable[[], float] = time.monotonic
    _since: float | None = None
    _said_at: float = 0.0

    def because(self, error: Retryable) -> None:
        """Something that is needed does not answer."""
        self.beat()
        now = self.clock()
        if self._since is None:
            self._since = now
        elif now - self._said_at < SAY_AGAIN_S:
            return
        self._said_at = now
        log.warning("waiting: %s", error)

    def over(self) -> None:
        """It answers."""
        if self._since is not None:
            log.info("going on", extra={"facts": {"waited_s": round(self.clock() - self._since, 1)}})
        self._since = None


def check_settings(settings: Settings) -> None:
    """Raise ConfigurationError for what a gateway cannot do without."""
    station = settings.gateway.station
    if not station:
        raise ConfigurationError("gateway.station is not set: give --station ID")
    if not is_safe_name(station, LONGEST_NAME_BYTES):
        raise ConfigurationError(f"gateway.station: {station!r} may have letters, digits and -._+,=@ only")
    if not settings.gateway.watch:
        raise ConfigurationError("gateway.watch is not set: give --watch DIR")
    check_folder(Path(settings.gateway.watch))


def journal_path(settings: Settings) -> Path:
    """Where the journal lies. Raises ConfigurationError where neither journal nor folder is set."""
    if settings.gateway.journal:
        return Path(settings.gateway.journal)
    if not settings.gateway.watch:
        raise ConfigurationError("neither gateway.watch nor gateway.journal is set: give --watch DIR or --journal FILE")
    return Path(settings.gateway.watch) / JOURNAL


@contextmanager
def opened(
    settings: Settings, stop: threading.Event, *, with_receipts: bool = True
) -> Iterator[tuple[Gateway, Health]]:
    """A gateway with all its parts, once Kafka answers and its topics are as the contract says.

    Raises JournalInUse, JournalFailed, ConfigurationError; Stopping where it was asked to stop before Kafka answered.
    """
    check_settings(settings)
    path, sign = journal_path(settings), signer(settings.gateway.key_file)
    with ExitStack() as cleanup:
        health = Health()
        if settings.monitoring.port:
            server = MonitoringServer(settings.monitoring.host, settings.monitoring.port, health)
            cleanup.callback(server.close)
        lock = JournalLock(path)
        cleanup.callback(lock.release)
        journal = Journal(path, settings.gateway.station)
        cleanup.callback(journal.close_file)
        cluster = Cluster(settings)
        _until_answered(settings.kafka, lambda: cluster.check(with_receipts=with_receipts), stop, health)
        framing = framing_from(settings)
        publisher = _publisher(settings, cluster, framing, stop, health)
        cleanup.callback(publisher.close)
        receipts = None
        if with_receipts:
            station, community = settings.gateway.station, settings.general.community
            receipts = Receipts(journal, station, community, cluster.topic_id, cluster.consumer, framing)
            cleanup.callback(receipts.close)
        permitted = _permitted(settings, framing) if with_receipts else None
        if permitted is not None:
            permitted.begin()
        gateway = Gateway(
            station=Station(settings.gateway.station, settings.gateway.utc_offset_h),
            journal=journal,
            folder=Folder(Path(settings.gateway.watch), settings.gateway.settle_s),
            publisher=publisher,
            topic_id=cluster.measurements_id,
            receipts=receipts,
            outstanding=Outstanding(journal, cluster.facts, settings.gateway.shout_after_s),
            block_bytes=settings.gateway.block_bytes,
            window_s=settings.gateway.window_s,
            beat=health.beat,
            sign=sign,
            warn=_say_nothing if permitted is None else permitted.warn,
            forget=Forgetting(journal, settings.gateway.keep_receipts_days).now_and_then,
        )
        health.ready()
        yield gateway, health


def _publisher(
    settings: Settings, cluster: Cluster, framing: Framing, stop: threading.Event, health: Health
) -> Publisher:
    """Into the station's partition of the measurements."""
    return Publisher(
        lambda: Producer(settings.kafka, CLIENT_ID),
        cluster.topic,
        settings.gateway.station,
        settings.kafka.partitions,
        stop=stop,
        framing=framing,
        waiting=_reporter(health),
    )


def _permitted(settings: Settings, framing: Framing) -> Permitted:
    """By what the station's partition of the topic of stations (`topics.STATIONS`) says."""

    def load() -> Mapping[str, StationDescription]:
        return KnownStations.of(settings, framing, CLIENT_ID, settings.gateway.station).load(_DESCRIPTION_S)

    return Permitted(load, data_levels(settings.registrar.kinds_file))


def _say_nothing(close: BatchClosed, prepared: Prepared) -> None:
    """For a gateway that only sends."""


def run(gateway: Gateway, health: Health, stop: threading.Event, scan_s: float) -> None:
    """Go round until asked to stop."""
    waiting = Waiting(gateway.beat)
    while not stop.is_set():
        try:
            gateway.step()
            waiting.over()
            health.ready()
        except Stopping:
            return
        except Retryable as error:
            health.not_ready(str(error))
            waiting.because(error)
        stop.wait(scan_s)


def _until_answered(brokers: Brokers, check: Callable[[], None], stop: threading.Event, health: Health) -> None:
    waiting = Waiting(health.beat)
    while not stop.is_set():
        try:
            if not wait_until_answers(brokers, _TRY_AGAIN_S, give_up=stop.is_set):
                raise Retryable(f"Kafka at {addresses(brokers)} does not answer")
            check()
        except Retryable as error:
            health.not_ready(str(error))
            waiting.because(error)
        else:
            waiting.over()
            return
    raise Stopping("Kafka has not answered yet")


def _reporter(health: Health) -> Callable[[float], None]:
    def waiting(waited_s: float) -> None:
        health.beat()  # waiting for Kafka is what it should do; whether it can work is another question
        metrics.KAFKA_WAIT_S.set(waited_s)
        if waited_s == 0.0:
            health.ready()
        elif waited_s > SAY_AGAIN_S:
            health.not_ready(f"Kafka has not acknowledged for {waited_s:.0f} s")

    return waiting
