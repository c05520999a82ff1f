"""`b2stream scrub`: rolling fixity check, by hand, from a timer, or for ever."""

import getpass
import json
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator

import click
from prometheus_client import Counter, Gauge

from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import StoppableClock
from b2stream.errors import Retryable
from b2stream.kafka import Producer
from b2stream.logs import configure
from b2stream.monitoring import Health, MonitoringServer
from b2stream.policies import policies_of
from b2stream.programs.audit import walking
from b2stream.programs.audit.centres import open_centres
from b2stream.programs.audit.checks import EXIT_FINDING, EXIT_UNREACHABLE
from b2stream.programs.audit.index import Index
from b2stream.programs.audit.log import Log
from b2stream.programs.audit.progress import Counting
from b2stream.programs.audit.reannouncing import Announcer
from b2stream.programs.audit.scrubbing import Checked, Pace, Scrub
from b2stream.registry import framing_from
from b2stream.settings import Settings, load

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

    Each outcome is an event on <community>.events. Exit codes: 0 all is as committed, 1 something is not, 3 Kafka or a centre
    does not answer, 4 wrong configuration. SIGTERM ends it after the object at hand.
    """
    settings = load(file).settings
    configure(settings.general.log_format, settings.general.log_level)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    count, troubles = 0, []
    try:
        for checked in run(settings, rate_mb_s, centre, station, limit, stopping):
            count += 1
            if checked.trouble:
                troubles.append(checked)
    except Retryable as error:
        if not stopping.is_set():
            click.echo(f"b2stream: {error}", err=True)
            sys.exit(EXIT_UNREACHABLE)
    if as_json:
        rows = [{"centre": each.centre, "path": each.path, "trouble": each.trouble} for each in troubles]
        click.echo(json.dumps({"checked": count, "troubles": rows}, indent=2))
    else:
        click.echo(f"{count} objects were read again, {len(troubles)} are not what was committed")
    sys.exit(EXIT_FINDING if troubles else 0)


def run(
    settings: Settings,
    rate_mb_s: float,
    centre: str = "",
    station: str = "",
    limit: int | None = None,
    stopping: threading.Event | None = None,
) -> Iterator[Checked]:
    """One pass over the centres; each object as it was read. Raises Retryable, ConfigurationError."""
    framing, clock = framing_from(settings), StoppableClock(stopping)
    policy = policies_of(settings).label
    stores = open_centres(settings, centre)
    producer = Producer(settings.kafka, "b2stream-scrub")
    announcer = Announcer(producer, framing, settings.general.community, settings.kafka.partitions)
    health = Health()
    pages = (
        MonitoringServer(settings.monitoring.host, settings.monitoring.port, health)
        if settings.monitoring.port
        else None
    )
    MISMATCHES.set(0)
    try:
        with Index() as index, Counting() as counting:
            topics_log = Log(settings, framing)
            topics_log.fix_ends()
            topics_log.read_commits(index)
            health.ready()
            for store in stores:
                walking.list_centre(index, store, 1, station)
                index.derive()
                scrubbing = Scrub(store, index, announcer, Pace(rate_mb_s * _MB, clock), _who(), policy)
                for number, checked in enumerate(scrubbing.run(), start=1):
                    _count(checked, store)
                    counting.more("objects", 1)
                    health.beat()
                    yield checked
                    if clock.stopping.is_set():
                        return
                    if number == limit:
                        break
    finally:
        producer.close()
        if pages is not None:
            pages.close()
        for store in stores:
            store.close()


def _count(checked: Checked, store: ObjectStore) -> None:
    CHECKED_OBJECTS.labels(store.centre, "fail" if checked.trouble else "success").inc()
    CHECKED_BYTES.labels(store.centre).inc(checked.size_bytes)
    if checked.trouble:
        MISMATCHES.inc()
        log.error("%s at %s: %s", checked.path, checked.centre, checked.trouble)


def _who() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"
