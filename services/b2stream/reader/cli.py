"""`b2stream follow`: commit events on the screen, as JSON lines, or as files in a folder."""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from b2stream.contracts.canonical import iso_utc
from b2stream.errors import B2streamError, Fatal, Retryable
from b2stream.logs import configure
from b2stream.reader.batch import Batch
from b2stream.reader.downloading import download
from b2stream.reader.fetching import Progress as Seen
from b2stream.reader.following import follow as follow_events
from b2stream.settings import load

_AGAIN_S = 5.0

log = logging.getLogger("b2stream.reader")


@click.command()
@click.option("--config", "file", type=click.Path(), help="TOML file; else $B2STREAM_CONFIG, else ./b2stream.toml.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line and event, all fields.")
@click.option("--from-beginning", is_flag=True, help="Begin with the oldest event instead of now.")
@click.option("--station", help="Only this station, e.g. SE-Htm.")
@click.option("--series", help="Only this series, e.g. EC_L99_F01.")
@click.option("--group", help="Go on where this group stopped; the first time it begins with the oldest event.")
@click.option("--replicas", is_flag=True, help="Follow the second copies instead of the first.")
@click.option(
    "--download",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Fetch each data object and its manifest into this folder, verified; what is there already is kept.",
)
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many events.")
@click.option("--timeout-s", type=click.FloatRange(min=0), help="Stop after so many seconds without an event.")
def follow(
    file: str | None,
    as_json: bool,
    from_beginning: bool,
    station: str | None,
    series: str | None,
    group: str | None,
    replicas: bool,
    directory: Path | None,
    count: int | None,
    timeout_s: float | None,
) -> int:
    """Print commit events as they come.

    Exit codes: 0 stopped by --count or --timeout-s; 1 an object was missing or did not verify (it is named, and the rest
    was followed), or Kafka did not answer at the start; 2 wrong usage; 4 wrong configuration; 130 interrupted.
    """
    settings = load(file).settings
    configure(
        settings.general.log_format, "warning" if settings.general.log_level == "info" else settings.general.log_level
    )
    batches = follow_events(
        settings,
        from_beginning=from_beginning,
        station=station,
        series=series,
        group=group,
        replicas=replicas,
        count=count,
        timeout_s=timeout_s,
    )
    failed = 0
    for batch in batches:
        path = None
        if directory is not None:
            try:
                path = _download(batch, directory)
            except Fatal:
                raise
            except B2streamError as error:
                failed += 1
                click.echo(f"b2stream: {error}", err=True)
        if not _printed(json.dumps(batch.to_json(), ensure_ascii=False) if as_json else _line(batch, path)):
            break
    if failed:
        click.echo(f"b2stream: {failed} of the data objects could not be had as they were committed", err=True)
    return 1 if failed else 0


def _printed(line: str) -> bool:
    """False once nobody reads any more, as behind `| head`."""
    try:
        click.echo(line)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its end
        return False
    return True


def _line(batch: Batch, path: Path | None) -> str:
    event = batch.event
    when_us = batch.replica.replicated_at_us if batch.replica else event.committed_at_us
    centre = batch.replica.centre if batch.replica else event.centre
    rows = f"{event.rows:,} rows" if event.rows else f"no rows ({event.input_format})"
    line = (
        f"{iso_utc(when_us)[:19]}Z  {centre}  {event.station}/{event.series}  {batch.name}  {rows}  "
        f"{event.size_bytes:,} bytes  sha256 {event.sha256[:12]}"
    )
    return f"{line}  -> {path}" if path else line


def _download(batch: Batch, directory: Path) -> Path:
    """Tried for as long as nobody answers: a centre that is away is no reason to leave a hole."""
    while True:
        try:
            with _bar(batch) as seen:
                return download(batch, directory, seen)
        except Retryable as error:
            log.warning("%s is tried again in %.0f s: %s", batch.about, _AGAIN_S, error)
            time.sleep(_AGAIN_S)


@contextmanager
def _bar(batch: Batch) -> Iterator[Seen]:
    """A bar on standard error while an object comes, if that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(batch.name, total=batch.event.size_bytes)
        yield lambda size_bytes: bar.advance(task, size_bytes)
