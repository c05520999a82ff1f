"""`b2stream archive-provenance`: a day's history, archived; from a timer, once a day."""

import contextlib
from datetime import UTC, datetime, timedelta

import click

from b2stream.archive.placing import Writer
from b2stream.archive.waiting import StoppableClock
from b2stream.logs import configure
from b2stream.programs.audit.centres import open_centres
from b2stream.programs.audit.daily import archive, check_day, documents
from b2stream.programs.audit.log import Log
from b2stream.programs.audit.unanswered import exit_where_nobody_answers
from b2stream.registry import framing_from
from b2stream.settings import load


@click.command("archive-provenance")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="UTC; else yesterday.")
@click.option("--config", "file", type=click.Path(), help="TOML file; else $B2STREAM_CONFIG, else ./b2stream.toml.")
def command(day: datetime | None, file: str | None) -> None:
    """Archive what happened to objects on a day, one W3C PROV document per station, below .provenance/ at both centres.

    Saying it again changes nothing. Exit codes: 0 archived, 3 Kafka or a centre does not answer, or refuses the
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
        log = Log(settings, framing_from(settings))
        log.fix_ends()
        writer, clock = Writer(), StoppableClock()
        for station, document in sorted(documents(log, wanted).items()):
            for store in stores:
                done = archive(document, station, wanted, store, writer, clock)
                click.echo(f"{done.path} at {done.centre}{' (was there)' if done.was_there else ''}")
