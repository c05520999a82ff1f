"""`b2stream registrar`: settings in, a running registrar out."""

import threading

import click

from b2stream.archive.centres import open_centre
from b2stream.archive.store import ObjectStore
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.topics import DEAD_LETTERS, EVENTS
from b2stream.errors import ConfigurationError
from b2stream.handles.describing import Describing
from b2stream.handles.kinds import read_kinds
from b2stream.handles.opening import open_handles, prefixes_from
from b2stream.handles.service import HandleService
from b2stream.kafka import Consumer, Producer
from b2stream.kafka.admin import Admin
from b2stream.kafka.agreement import agreed_topic
from b2stream.logs import configure
from b2stream.monitoring import Health
from b2stream.programs.registrar import metrics
from b2stream.programs.registrar.events import Events, topics_read
from b2stream.programs.registrar.reading import ReadTogether
from b2stream.programs.registrar.registering import Registering
from b2stream.registry import framing_from
from b2stream.serving import Serving, serving
from b2stream.settings import Settings, load
from b2stream.work.loop import Loop, Reader, event_id
from b2stream.work.reporting import Words
from b2stream.work.workers import Publisher

_CLIENT = "b2stream-registrar"


@click.command()
@click.option("--config", "file", type=click.Path(), help="TOML file; else $B2STREAM_CONFIG, else ./b2stream.toml.")
def registrar(file: str | None) -> None:
    """Register the PID of each committed data object, and describe it at both centres by attributes (AVUs).

    Runs until SIGTERM or SIGINT; then registrations in flight are finished or given up within registrar.grace_s. Exit codes: 0
    stopped, 1 fatal (the message tells the cure), 4 wrong configuration.
    """
    settings = load(file).settings
    configure(settings.general.log_format, settings.general.log_level)
    run(settings)


def run(settings: Settings) -> None:
    """Run a registrar in this thread, the main one, until a signal stops it. Raises Fatal."""
    service, stores = open_handles(settings.handle), _stores(settings)
    prefixes_from(settings)
    try:
        with serving(settings, _CLIENT, [store for store in stores if store is not None]) as standing:
            topic_ids = standing.until_kafka_answers(lambda admin: _check_topics(settings, admin))
            if topic_ids is not None:
                _register(standing, topic_ids, service, stores)
    finally:
        service.close()


def new_loop(
    settings: Settings,
    readers: list[Reader],
    publisher: Publisher,
    events: Events,
    service: HandleService,
    stores: tuple[ObjectStore, ObjectStore | None],
    stopping: threading.Event,
    health: Health,
) -> Loop:
    """The loop that works off commit and replica events; `readers` are of the topics of `topics_read`, in that order."""
    prefixes = prefixes_from(settings)
    reading = ReadTogether(readers, settings.kafka.partitions)
    describing = Describing(settings.general.community, prefixes, read_kinds(settings.registrar.kinds_file))
    first, second = stores
    return Loop(
        reading,
        publisher,
        Registering(service, first, second, events, reading, prefixes, describing),
        words=Words(
            program="registrar",
            a_try="a registration",
            event="event",
            nobody_answers="the Handle server or a centre does not answer",
            all_refused="the Handle server or a centre refuses every record",
            back="the Handle server takes records again",
            where="the Handle server",
        ),
        meters=metrics.METERS,
        threads=settings.registrar.registrations_in_flight,
        grace_s=settings.registrar.grace_s,
        outage_ready_s=settings.registrar.outage_ready_s,
        health=health,
        stopping=stopping,
        key_of=batch_of,
    )


def batch_of(message: LogMessage) -> str:
    """The batch that an event speaks of, from its id: commit and replica event of one batch are not worked on at once."""
    return event_id(message).partition("/")[0]


def _register(
    standing: Serving,
    topic_ids: dict[str, str],
    service: HandleService,
    stores: tuple[ObjectStore, ObjectStore | None],
) -> None:
    settings = standing.settings
    group = settings.registrar.group
    consumers = [
        Consumer(settings.kafka, topic, client_id=_CLIENT, group=f"{group}-{topic_id}")
        for topic, topic_id in topic_ids.items()
    ]
    producer = Producer(settings.kafka, _CLIENT)
    events = Events(settings.general.community, settings.kafka.partitions, topic_ids, framing_from(settings))
    readers: list[Reader] = list(consumers)
    try:
        new_loop(settings, readers, producer, events, service, stores, standing.stopping, standing.health).run()
    finally:
        for consumer in consumers:
            consumer.close()
        producer.close(timeout_s=1.0)


def _stores(settings: Settings) -> tuple[ObjectStore, ObjectStore | None]:
    if not settings.first.url or not settings.first.name:
        raise ConfigurationError("first.url and first.name: the registrar describes objects at the first centre")
    second = open_centre("second", settings.second) if settings.second.url else None
    return open_centre("first", settings.first), second


def _check_topics(settings: Settings, admin: Admin) -> dict[str, str]:
    """Compare what the registrar relies on with the cluster; ids of the topics that are read. Raises ConfigurationError."""
    community = settings.general.community
    written = [topic.full_name(community) for topic in (DEAD_LETTERS, EVENTS)]
    for name in [*topics_read(community), *written]:
        agreed_topic(admin, name, settings.kafka.partitions)
    return {name: admin.topic(name).topic_id for name in topics_read(community)}
