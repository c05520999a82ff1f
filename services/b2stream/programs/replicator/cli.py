"""`b2stream replicator`: settings in, a running replicator out."""

import click

from b2stream.archive.centres import open_centre
from b2stream.archive.store import ObjectStore
from b2stream.contracts.topics import COMMITS, DEAD_LETTERS, REPLICAS
from b2stream.errors import ConfigurationError
from b2stream.kafka import Consumer, Producer
from b2stream.kafka.admin import Admin
from b2stream.kafka.agreement import agreed_topic
from b2stream.logs import configure
from b2stream.policies import Policies, policies_of
from b2stream.programs.replicator.events import Events
from b2stream.programs.replicator.replicator import Replicator
from b2stream.registry import framing_from
from b2stream.serving import Serving, serving
from b2stream.settings import Settings, load

_CLIENT = "b2stream-replicator"


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
    policies = policies_of(settings)
    with serving(settings, _CLIENT, (first, second)) as standing:
        topic_id = standing.until_kafka_answers(lambda admin: _check_topics(settings, admin))
        if topic_id is not None:
            _replicate(standing, topic_id, first, second, policies)


def _replicate(standing: Serving, topic_id: str, first: ObjectStore, second: ObjectStore, policies: Policies) -> None:
    settings = standing.settings
    events = Events(settings.general.community, settings.kafka.partitions, topic_id, framing_from(settings))
    consumer = Consumer(
        settings.kafka,
        events.commits_topic,
        client_id=_CLIENT,
        group=f"{settings.replicator.group}-{topic_id}",
    )
    producer = Producer(settings.kafka, _CLIENT)
    working = Replicator(
        consumer,
        producer,
        events,
        first,
        second,
        policies=policies,
        copies_in_flight=settings.replicator.copies_in_flight,
        grace_s=settings.replicator.grace_s,
        outage_ready_s=settings.replicator.outage_ready_s,
        health=standing.health,
        stopping=standing.stopping,
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
    return open_centre("first", settings.first), open_centre("second", settings.second)


def _check_topics(settings: Settings, admin: Admin) -> str:
    """Compare what the replicator relies on with the cluster; Kafka's id of the commits topic. Raises ConfigurationError."""
    community = settings.general.community
    for topic in (COMMITS, REPLICAS, DEAD_LETTERS):
        agreed_topic(admin, topic.full_name(community), settings.kafka.partitions)
    return admin.topic(COMMITS.full_name(community)).topic_id
