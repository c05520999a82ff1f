"""`b2stream audit`: settings in, a report out; exit 0 where nothing is wrong."""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from b2stream.contracts.framing import Framing
from b2stream.handles.opening import open_handles
from b2stream.logs import configure
from b2stream.programs.audit.auditing import GRACE_S, Auditor, Plan, Report
from b2stream.programs.audit.centres import open_centres
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.log import Log
from b2stream.programs.audit.gathering.origins import deployed_check
from b2stream.programs.audit.gathering.walking import SignatureCheck
from b2stream.programs.audit.progress import Counting
from b2stream.programs.audit.report import lines
from b2stream.programs.audit.unanswered import exit_where_nobody_answers
from b2stream.programs.audit.verify.checks import EXIT_FINDING
from b2stream.registry import framing_from
from b2stream.settings import Settings, load


@click.command()
@click.option("--config", "file", type=click.Path(), help="TOML file; else $B2STREAM_CONFIG, else ./b2stream.toml.")
@click.option("--station", default="", help="Only this station's objects.")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="Only what was committed from then on, UTC."
)
@click.option("--centre", default="", help="Only this centre; else both.")
@click.option("--recompute", is_flag=True, help="Let the centres read every object again and compare its checksum.")
@click.option("--grace-s", default=GRACE_S, show_default=True, help="What is younger may still be on its way, seconds.")
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="File that keeps what was seen, so that an audit that was stopped goes on. What it let a centre read counts for a day.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def audit(
    file: str | None,
    station: str,
    since: datetime | None,
    centre: str,
    recompute: bool,
    grace_s: float,
    state: Path | None,
    as_json: bool,
) -> None:
    """Compare centres, commit log and series chains; name exactly what is missing, extra, altered or broken. Changes nothing.

    Exit codes: 0 nothing is wrong, 1 a finding, 3 Kafka, a centre or the Handle server does not answer, or refuses the
    credentials, 4 wrong configuration.
    """
    settings = load(file).settings
    configure(settings.general.log_format, "warning")
    since_us = 0 if since is None else int(since.replace(tzinfo=UTC).timestamp() * 1e6)
    plan = Plan(folder=station, since_us=since_us, recompute=recompute, grace_s=grace_s)
    with exit_where_nobody_answers():
        report = run(settings, plan, centre, state)
    click.echo(json.dumps(report.to_json(), indent=2) if as_json else "\n".join(lines(report)))
    sys.exit(EXIT_FINDING if report.findings else 0)


def run(settings: Settings, plan: Plan, centre: str = "", state: Path | None = None) -> Report:
    """Audit the centres of the settings. Raises Retryable where nobody answers, Refused, ConfigurationError."""
    with audited(settings, plan, centre, state) as (report, _):
        return report


def with_witnesses(plan: Plan, settings: Settings, framing: Framing) -> Plan:
    """The plan with the stations' keys as they are published now, and with the Handle server where there is one."""

    def check_of_now() -> SignatureCheck:
        return deployed_check(settings, framing)

    handles = open_handles(settings.handle) if settings.handle.url and settings.first.prefix else None
    return replace(plan, check_signature=check_of_now(), check_of_now=check_of_now, handles=plan.handles or handles)


@contextlib.contextmanager
def audited(
    settings: Settings, plan: Plan, centre: str = "", state: Path | None = None
) -> Iterator[tuple[Report, Index]]:
    """Audit, and give the report with everything that was seen. Raises as `run` does."""
    stores = open_centres(settings, centre)
    try:
        with tempfile.TemporaryDirectory(prefix="b2stream-audit-") as folder:
            path = state or Path(folder) / "index"
            with Index(path) as index:
                with Counting() as counting:
                    framing = framing_from(settings)
                    plan = with_witnesses(plan, settings, framing)
                    log = Log(settings, framing, plan.check_signature)
                    report = Auditor(settings, stores, log, index, plan, counting.more).run()
                yield report, index
            path.unlink()  # it was finished: the next one begins anew
    finally:
        for store in stores:
            store.close()
