"""`b2stream replicator`: settings in, a running replicator out."""

import logging
import signal
import threading

import click

from b2stream.archive.location import open_store
from b2stream.archive.store import ObjectStore
from b2stream.contracts.topics import COMMITS, DEAD_LETTERS, REPLICAS
from b2stream.errors import ConfigurationError, Retryable
from b2stream.kafka import Consumer, Producer
from b2stream.kafka.admin import Admin
from b2stream.kafka.agreement import agreed_topic
from b2stream.logs import configure
from b2stream.monitoring import Health, MonitoringServer
from b2stream.policies import policies_of
from b2stream.programs.replicator.events import Events
from b2stream.programs.replicator.replicator import Replicator
from b2stream.registry import framing_from
from b2stream.settings import Centre, Settings, load

_ASK_AGAIN_S = 2.0

log = logging.getLogger("b2stream.replicator")


@click.command()
@click.option("--config", "file", type=click.Path(), help="TOML file; else $B2STREAM_CONFIG, else ./b2stream.toml.")
def replicator(file: str | None) -> None:
    """Copy committed batches to the second centre, verified, and announce each on <community>.replicas.

    Runs until SIGTERM or SIGINT; then copies in flight are finished or given up within replicator.grace_s. Exit codes: 0
    stopped, 1 fatal (the message tells the cure), 4 wrong configuration.
    """
    settings = load(file).settings
    configure(settings.general.log_format, settings.general.log_level)
    run(settings)


def run(settings: Settings) -> None:
    """Run a replicator in this thread, the main one, until a signal stops it. Raises Fatal."""
    first, second = _stores(settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    health, monitoring = Health(), settings.monitoring
    pages = MonitoringServer(monitoring.host, monitoring.port, health) if monitoring.port else None
    try:
        topic_id = _wait_for_topics(settings, stopping, health)
        if topic_id is not None:
            _replicate(settings, topic_id, first, second, stopping, health)
    finally:
        if pages:
            pages.close()


def _replicate(
    settings: Settings,
    topic_id: str,
    first: ObjectStore,
    second: ObjectStore,
    stopping: threading.Event,
    health: Health,
) -> None:
    events = Events(settings.general.community, settings.kafka.partitions, topic_id, framing_from(settings))
    consumer = Consumer(
        settings.kafka,
        events.commits_topic,
        client_id="b2stream-replicator",
        group=f"{settings.replicator.group}-{topic_id}",
    )
    producer = Producer(settings.kafka, "b2stream-replicator")
    working = Replicator(
        consumer,
        producer,
        events,
        first,
        second,
        policies=policies_of(settings),
        copies_in_flight=settings.replicator.copies_in_flight,
        grace_s=settings.replicator.grace_s,
        outage_ready_s=settings.replicator.outage_ready_s,
        health=health,
        stopping=stopping,
    )
    try:
        working.run()
    finally:
        consumer.close()
        producer.close(timeout_s=1.0)


def _stores(settings: Settings) -> tuple[ObjectStore, ObjectStore]:
    for role, centre in (("first", settings.first), ("second", settings.second)):
        if not centre.url or not centre.name:
            raise ConfigurationError(f"{role}.url and {role}.name: the replicator needs both centres")
    if settings.first.name == settings.second.name or settings.first.url == settings.second.url:
        raise ConfigurationError("first and second are one centre: a copy beside the original is no second copy")
    return _store("first", settings.first), _store("second", settings.second)


def _store(role: str, centre: Centre) -> ObjectStore:
    return open_store(
        centre.url,
        centre.name,
        role=role,
        password_file=centre.password_file,
        staging_root=centre.staging_root,
        timeout_s=centre.timeout_s,
    )


def _wait_for_topics(settings: Settings, stopping: threading.Event, health: Health) -> str | None:
    """Check the topics as soon as Kafka answers; the commits topic's id, or None where a signal came first."""
    admin = Admin(settings.kafka, "b2stream-replicator-admin")
    health.not_ready(f"waiting for Kafka at {settings.kafka.bootstrap}")
    while not stopping.is_set():
        health.beat()
        try:
            return _check_topics(settings, admin)
        except Retryable as error:
            log.warning("waiting for Kafka at %s: %s", settings.kafka.bootstrap, error)
            stopping.wait(_ASK_AGAIN_S)
    return None


def _check_topics(settings: Settings, admin: Admin) -> str:
    """Compare what the replicator relies on with the cluster; Kafka's id of the commits topic. Raises ConfigurationError."""
    community = settings.general.community
    for topic in (COMMITS, REPLICAS, DEAD_LETTERS):
        agreed_topic(admin, topic.full_name(community), settings.kafka.partitions)
    return admin.topic(COMMITS.full_name(community)).topic_id
