"""`b2stream gateway`: publish a station's files; `receipts` and `retry` work on the journal, beside a running gateway or without one."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from b2stream import logs
from b2stream.programs.gateway.ending import stop_on_signals
from b2stream.programs.gateway.journal.journal import Journal
from b2stream.programs.gateway.journal.listing import OUTCOMES, entries, print_entries
from b2stream.programs.gateway.once import EXIT_NOT_IN_TIME, EXIT_REFUSED, Shown, Wait, run_once
from b2stream.programs.gateway.publisher import Stopping
from b2stream.programs.gateway.running import check_settings, journal_path, opened, run
from b2stream.programs.gateway.watch import printable
from b2stream.settings import Settings, load

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _common(command: _Command) -> _Command:
    for option in (
        click.option("--config", "file", type=click.Path(), help="TOML file with the settings."),
        click.option("--journal", metavar="FILE", help="The journal; default: .b2stream/journal.sqlite in the folder."),
        click.option("--watch", metavar="DIR", help="The folder whose files are published."),
        click.option("--station", metavar="ID", help="Id of the station, e.g. SE-Htm."),
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@_common
@click.option("--kafka", metavar="HOST:PORT", help="Kafka's brokers, separated by commas.")
@click.option("--utc-offset-h", type=float, help="The station's standard time, hours ahead of UTC.")
@click.option("--settle-s", type=float, help="A file unchanged for so many seconds is complete.")
@click.option("--once", is_flag=True, help="Publish what is there, wait for it to arrive, and end.")
@click.option(
    "--wait",
    type=click.Choice([wait.value for wait in Wait]),
    default="committed",
    show_default=True,
    help="With --once: how far the files have to come.",
)
@click.option("--timeout", "timeout_s", type=float, help="With --once: longest wait, seconds; default: without end.")
@click.pass_context
def gateway(ctx: click.Context, /, once: bool, wait: str, timeout_s: float | None, **options: Any) -> None:
    """Publish the files of a folder, and go on with new ones until stopped.

    Folders below are left alone, and names of unfinished transfers: hidden ones, and those that end in
    .part, .partial, .filepart, .crdownload, .tmp or ~. A product may have the PIDs of what it was made from beside it, one a line
    in NAME.sources, there before the product itself is: they are signed, archived in its manifest, and never published as a file.

    Exit codes: 0 all good (or stopped by SIGTERM), 1 failed, 4 wrong configuration; with --once: 0 every file arrived as far as
    --wait says, 1 some file was refused or cannot be read, 3 not all arrived in time.
    """
    ctx.obj = options
    if ctx.invoked_subcommand is not None:
        return
    settings = _settings(options)
    logs.configure(settings.general.log_format, settings.general.log_level)
    check_settings(settings)
    stop = threading.Event()
    stop_on_signals(stop, settings.gateway.grace_s, EXIT_NOT_IN_TIME if once else 0)
    try:
        ctx.exit(_run_once(settings, stop, Wait(wait), timeout_s) if once else _run(settings, stop))
    except Stopping as stopped:
        click.echo(f"b2stream gateway: {stopped}", err=True)
        ctx.exit(EXIT_NOT_IN_TIME if once else 0)


@gateway.command()
@_common
@click.option("--all", "everything", is_flag=True, help="Older contents of each file too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def receipts(ctx: click.Context, /, everything: bool, as_json: bool, **options: Any) -> None:
    """List per file: sent, committed, replicated (every copy that its policy demands is there: safe to delete), or refused with the reason.

    Exit codes: 0 every file is committed, 1 some file is refused, 3 some file is not committed yet.
    """
    journal = _journal(ctx, options)
    found = entries(journal, everything=everything)
    if as_json:
        click.echo(json.dumps({"station": journal.station, "files": found}, indent=2, ensure_ascii=False))
    else:
        print_entries(found)
    states = {entry["state"] for entry in found}
    if "refused" in states:
        ctx.exit(EXIT_REFUSED)
    ctx.exit(0 if states <= {"committed", "replicated"} else EXIT_NOT_IN_TIME)


@gateway.command()
@_common
@click.argument("name", metavar="FILE")
@click.pass_context
def retry(ctx: click.Context, /, name: str, **options: Any) -> None:
    """Send a file again that was refused or did not arrive; a running gateway does it at once, else the next one."""
    journal = _journal(ctx, options)
    name = printable(Path(name).name)
    if journal.published(name) is None:
        raise click.ClickException(f"{name} was never sent (see `b2stream gateway receipts`)")
    attempt = journal.latest(name)
    outcome = "replicated" if attempt is None else attempt.outcome
    if outcome in ("committed", "replicated"):
        click.echo(f"{name} is {OUTCOMES[outcome]}: nothing to send again")
        return
    journal.ask_retry(name)
    click.echo(f"{name} will be sent again")


def _settings(options: dict[str, Any]) -> Settings:
    names = {"kafka": ("kafka", "bootstrap")}
    overrides = {names.get(key, ("gateway", key)): value for key, value in options.items() if key != "file"}
    return load(options.get("file"), overrides=overrides).settings


def _journal(ctx: click.Context, options: dict[str, Any]) -> Journal:
    given = {**(ctx.obj or {}), **{key: value for key, value in options.items() if value is not None}}
    path = journal_path(_settings(given))
    if not path.is_file():
        raise click.ClickException(f"there is no journal {path}: no gateway has worked on this folder yet")
    return Journal(path)


def _run(settings: Settings, stop: threading.Event) -> int:
    with opened(settings, stop) as (program, health):
        run(program, health, stop, settings.gateway.scan_s)
    return 0


def _run_once(settings: Settings, stop: threading.Event, wait: Wait, timeout_s: float | None) -> int:
    with opened(settings, stop, with_receipts=wait is not Wait.SENT) as (program, _), Shown(wait) as shown:
        report = run_once(program, stop, wait, timeout_s, shown)
        refused = [attempt for attempt in program.journal.current() if report.outcomes.get(attempt.name) == "refused"]
    click.echo(str(report))
    for attempt in refused:
        click.echo(f"refused: {attempt.name}: {attempt.refused_reason}: {attempt.refused_detail}")
    for name, why in report.unreadable.items():
        click.echo(f"cannot be read: {name}: {why}")
    return report.exit_code(wait)
