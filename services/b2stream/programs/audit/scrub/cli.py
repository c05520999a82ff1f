"""`b2stream scrub`: rolling fixity check, by hand, from a timer, or for ever."""

import contextlib
import json
import logging
import signal
import sys
import threading
from collections.abc import Iterator

import click
from prometheus_client import Counter, Gauge

from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import StoppableClock
from b2stream.errors import B2streamError
from b2stream.kafka import Producer
from b2stream.logs import configure
from b2stream.monitoring import Health, MonitoringServer
from b2stream.policies import policies_of
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.centres import open_centres
from b2stream.programs.audit.gathering import walking
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.log import Log
from b2stream.programs.audit.progress import Counting
from b2stream.programs.audit.scrub.scrubbing import Checked, Pace, Scrub, oldest_first, side_by_side
from b2stream.programs.audit.unanswered import UNANSWERED
from b2stream.programs.audit.verify.checks import EXIT_FINDING, EXIT_UNREACHABLE
from b2stream.registry import framing_from
from b2stream.settings import Settings, load
from b2stream.software import who_runs_this

CHECKED_OBJECTS = Counter(
    "b2stream_scrub_checked_objects_total", "Objects read again by their centre, by outcome.", ["centre", "outcome"]
)
CHECKED_BYTES = Counter("b2stream_scrub_checked_bytes_total", "Bytes read again by their centre.", ["centre"])
MISMATCHES = Gauge("b2stream_scrub_mismatched_objects", "Objects of the running pass that are not what was committed.")

_MB = 1_000_000
log = logging.getLogger("b2stream.scrub")


@click.command()
@click.option("--config", "file", type=click.Path(), help="TOML file; else $B2STREAM_CONFIG, else ./b2stream.toml.")
@click.option(
    "--rate-mb-s",
    type=click.FloatRange(min=0.001),
    default=20.0,
    show_default=True,
    help="Megabytes read per second and centre, on the whole.",
)
@click.option("--centre", default="", help="Only this centre; else both.")
@click.option("--station", default="", help="Only this station's objects.")
@click.option("--limit", type=click.IntRange(min=1), help="Look at so many objects of each centre, and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def scrub(file: str | None, rate_mb_s: float, centre: str, station: str, limit: int | None, as_json: bool) -> None:
    """Let the centres read what they store again and compare it with what was committed; the oldest check first.

    Both centres read at the same time, each at this rate; where one does not answer, the other goes on. Each outcome is an event on
    <community>.events. Exit codes: 0 all is as committed, 1 something is not, 3 Kafka or a centre does not answer, or refuses the
    credentials, 4 wrong configuration. SIGTERM ends it after the objects at hand.
    """
    settings = load(file).settings
    configure(settings.general.log_format, settings.general.log_level)
    stopping, asked_to_stop = threading.Event(), threading.Event()

    def stop(*_: object) -> None:
        asked_to_stop.set()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    count, troubles, is_whole = 0, [], True
    try:
        for checked in run(settings, rate_mb_s, centre, station, limit, stopping):
            count += 1
            if checked.trouble:
                troubles.append(checked)
    except UNANSWERED as error:
        if not asked_to_stop.is_set():
            click.echo(f"b2stream: {error}", err=True)
            is_whole = False
    if as_json:
        rows = [{"centre": each.centre, "path": each.path, "trouble": each.trouble} for each in troubles]
        click.echo(json.dumps({"checked": count, "troubles": rows}, indent=2))
    else:
        click.echo(f"{count} objects were read again, {len(troubles)} are not what was committed")
    sys.exit(EXIT_FINDING if troubles else 0 if is_whole else EXIT_UNREACHABLE)


def run(
    settings: Settings,
    rate_mb_s: float,
    centre: str = "",
    station: str = "",
    limit: int | None = None,
    stopping: threading.Event | None = None,
) -> Iterator[Checked]:
    """One pass over the centres, all at once; each object as it was read. Raises Retryable, Refused, ConfigurationError.

    `stopping` ends it after the objects at hand; it is set when the pass is over.
    """
    policy, framing, clock = policies_of(settings).label, framing_from(settings), StoppableClock(stopping)
    with contextlib.ExitStack() as closing:
        stores = open_centres(settings, centre)
        for store in stores:
            closing.callback(store.close)
        health = Health()
        if settings.monitoring.port:
            pages = MonitoringServer(settings.monitoring.host, settings.monitoring.port, health)
            closing.callback(pages.close)
        producer = Producer(settings.kafka, "b2stream-scrub")
        closing.callback(producer.close)
        announcer = Announcer(producer, framing, settings.general.community, settings.kafka.partitions)
        MISMATCHES.set(0)
        index, counting = closing.enter_context(Index()), closing.enter_context(Counting())
        topics_log = Log(settings, framing)
        topics_log.fix_ends()
        topics_log.read_commits(index)
        health.ready()
        listed, unlisted = _listed(index, stores, station)
        scrubs = [
            Scrub(
                store,
                oldest_first(index, store.centre),
                announcer,
                Pace(rate_mb_s * _MB, clock),
                who_runs_this(),
                policy,
                stopping=clock.stopping,
            )
            for store in listed
        ]
        total = sum(len(scrub.objects[:limit]) for scrub in scrubs)
        for checked in side_by_side(scrubs, limit, clock.stopping):
            _count(checked)
            counting.more("objects", 1, total)
            health.beat()
            yield checked
        if unlisted:
            raise unlisted[0]


def _listed(index: Index, stores: list[ObjectStore], station: str) -> tuple[list[ObjectStore], list[B2streamError]]:
    """The centres whose objects are known now, and what the others said instead: those that answer are looked at all the same."""
    listed: list[ObjectStore] = []
    unlisted: list[B2streamError] = []
    for store in stores:
        try:
            walking.list_centre(index, store, 1, station)
        except UNANSWERED as error:
            unlisted.append(error)
        else:
            listed.append(store)
    index.derive()
    return listed, unlisted


def _count(checked: Checked) -> None:
    CHECKED_OBJECTS.labels(checked.centre, checked.outcome).inc()
    CHECKED_BYTES.labels(checked.centre).inc(checked.size_bytes)
    if checked.trouble:
        MISMATCHES.inc()
        log.error("%s at %s: %s", checked.path, checked.centre, checked.trouble)
