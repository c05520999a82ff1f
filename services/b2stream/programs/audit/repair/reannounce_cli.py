"""`b2stream reannounce`: commit events from manifests."""

import json
import sys
from collections.abc import Callable

import click

from b2stream.kafka import Producer
from b2stream.logs import configure
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.centres import open_centres
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.log import Log
from b2stream.programs.audit.progress import Counting
from b2stream.programs.audit.repair.reannouncing import Terms, reannounce
from b2stream.programs.audit.unanswered import exit_where_nobody_answers
from b2stream.programs.audit.verify.checks import EXIT_FINDING
from b2stream.registry import framing_from
from b2stream.settings import Settings, load


@click.command("reannounce")
@click.option("--config", "file", type=click.Path(), help="TOML file; else $B2STREAM_CONFIG, else ./b2stream.toml.")
@click.option("--station", default="", help="Only this station's batches.")
@click.option("--everything", is_flag=True, help="Also batches that have a commit event.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(file: str | None, station: str, everything: bool, as_json: bool) -> None:
    """Make commit events again from the manifests at the first centre: after the log was lost, or where one is missing.

    A batch that does not verify, or of which the second centre has another manifest, is not announced, but named; what the first centre
    lacks and the second has, `b2stream repair` copies and announces. Exit codes: 0 all is announced, 1 something does not verify or
    differs, 3 Kafka or a centre does not answer, or refuses the credentials, 4 wrong configuration.
    """
    settings = load(file).settings
    configure(settings.general.log_format, "warning")
    with exit_where_nobody_answers():
        announced, troubles = run(settings, station, everything)
    if as_json:
        click.echo(json.dumps({"announced": announced, "troubles": troubles}, indent=2))
    else:
        for path, trouble in troubles.items():
            click.echo(f"✗ {path}: {trouble}")
        click.echo(f"{announced} commit event{'' if announced == 1 else 's'} published")
    sys.exit(EXIT_FINDING if troubles else 0)


def run(settings: Settings, station: str = "", everything: bool = False) -> tuple[int, dict[str, str]]:
    """Announce; how many were, and why others were not, by path. Raises Retryable, ConfigurationError."""
    framing = framing_from(settings)
    terms = Terms.of(settings, framing)
    stores = open_centres(settings)
    producer = Producer(settings.kafka, "b2stream-reannounce")
    announcer = Announcer(producer, framing, settings.general.community, settings.kafka.partitions)
    announced, troubles = 0, {}
    with Index() as index, Counting() as counting:
        is_wanted = _without_event(settings, index) if not everything else lambda path: True
        try:
            found = reannounce(
                stores[0],
                announcer,
                second=stores[1] if len(stores) > 1 else None,
                terms=terms,
                folder=station,
                is_wanted=is_wanted,
            )
            for each in found:
                counting.more("manifests", 1)
                if each.trouble:
                    troubles[each.manifest_path] = each.trouble
                else:
                    announced += 1
        finally:
            producer.close()
            for store in stores:
                store.close()
    return announced, troubles


def _without_event(settings: Settings, index: Index) -> Callable[[str], bool]:
    """Whether no commit event names a manifest, as the log is now."""
    log = Log(settings, framing_from(settings))
    log.fix_ends()
    log.read_commits(index)
    query = "SELECT 1 FROM committed WHERE manifest_path = :path"
    return lambda path: index.one(query, path=path) is None
