"""`b2stream archive-provenance`: a day's history, archived; from a timer, once a day."""

import contextlib
from datetime import UTC, datetime, timedelta

import click

from b2stream.archive.waiting import StoppableClock
from b2stream.kafka import Producer
from b2stream.logs import configure
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.centres import open_centres
from b2stream.programs.audit.gathering.log import Log
from b2stream.programs.audit.history.catching_up import DAYS, Archiving
from b2stream.programs.audit.history.daily import check_day
from b2stream.programs.audit.unanswered import exit_where_nobody_answers
from b2stream.registry import framing_from
from b2stream.settings import load
from b2stream.software import who_runs_this


@click.command("archive-provenance")
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="UTC; else yesterday, and what a centre lacks of the two weeks before.",
)
@click.option("--config", "file", type=click.Path(), help="TOML file; else $B2STREAM_CONFIG, else ./b2stream.toml.")
def command(day: datetime | None, file: str | None) -> None:
    """Archive what happened to objects on a day, one W3C PROV document per station, below .provenance/ at both centres.

    Each is told by an event, so that an audit misses what is taken away. Saying it again changes nothing. Where a centre does not
    answer, the other gets its documents all the same. Exit codes: 0 archived, 3 Kafka or a centre does not answer, or refuses the
    credentials, 4 wrong configuration.
    """
    settings = load(file).settings
    configure(settings.general.log_format, "warning")
    now = datetime.now(UTC)
    wanted = (day or now - timedelta(days=1)).date()
    check_day(wanted, now)
    stores = open_centres(settings)
    with contextlib.ExitStack() as closing, exit_where_nobody_answers():
        for store in stores:
            closing.callback(store.close)
        framing = framing_from(settings)
        log = Log(settings, framing)
        log.fix_ends()
        producer = Producer(settings.kafka, "b2stream-archive-provenance")
        closing.callback(producer.close)
        announcer = Announcer(producer, framing, settings.general.community, settings.kafka.partitions)
        archiving = Archiving(log, stores, announcer, StoppableClock(), who_runs_this())
        for done in archiving.run(wanted, 0 if day else DAYS):
            click.echo(f"{done.path} at {done.centre}{' (was there)' if done.was_there else ''}")
