"""`b2stream provenance`: from the instrument to the last fixity check, in one document."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from b2stream.archive.store import ObjectStore
from b2stream.batches.history import history, in_log, joined
from b2stream.batches.manifest import Manifest, read_manifest
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import ObjectEvent
from b2stream.errors import Stuck
from b2stream.logs import configure
from b2stream.programs.audit.centres import open_centres
from b2stream.programs.audit.gathering.log import Log
from b2stream.programs.audit.gathering.walking import Progress, read_document
from b2stream.programs.audit.history.archived import archived_parts, day_of, told_once
from b2stream.programs.audit.history.drawing import as_lines, as_svg
from b2stream.programs.audit.progress import Counting
from b2stream.programs.audit.unanswered import exit_where_nobody_answers
from b2stream.programs.audit.verify.subjects import NotFound, Subject, find_subject
from b2stream.registry import framing_from
from b2stream.settings import Settings, load


@click.command()
@click.argument("what")
@click.option("--config", "file", type=click.Path(), help="TOML file; else $B2STREAM_CONFIG, else ./b2stream.toml.")
@click.option("--svg", type=click.Path(path_type=Path), help="Draw it into this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole document as W3C PROV-JSON.")
def provenance(what: str, file: str | None, svg: Path | None, as_json: bool) -> None:
    """Tell the history of a data object: who measured, submitted, committed, copied and checked it, when and with what.

    From its manifest, the log, and its station's daily provenance, which outlives the log (`b2stream archive-provenance`).
    WHAT is a PID, a path below the root of the archive, or a batch id (8 digits or more). Exit codes: 0 told, 1 there is no such
    object, 3 Kafka or a centre does not answer, or refuses the credentials, 4 wrong configuration.
    """
    settings = load(file).settings
    configure(settings.general.log_format, "warning")
    with exit_where_nobody_answers():
        subject, document = run(what, settings)
    if svg is not None:
        svg.write_text(as_svg(document, subject.path), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(subject.path)
        click.echo("\n".join(as_lines(document)))


def run(what: str, settings: Settings) -> tuple[Subject, dict[str, Any]]:
    """The data object and its whole provenance as PROV-JSON. Raises NotFound, Retryable."""
    framing = framing_from(settings)
    subject = find_subject(what, settings, framing)
    stores = open_centres(settings)
    try:
        with Counting() as counting:
            progress = partial(counting.more, "days of the station's provenance")
            return subject, whole_history(subject, stores, lambda: _events_of(subject, settings, framing), progress)
    finally:
        for store in stores:
            store.close()


def whole_history(
    subject: Subject,
    stores: Sequence[ObjectStore],
    events: Callable[[], Iterable[ObjectEvent]],
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """What manifest, days and log tell of a data object, as one document; `events` asks the log, where it knows the batch at all.

    What the log does not know (any more) is told by the days' documents. Raises NotFound, Retryable.
    """
    manifest = _first_readable(stores, subject)
    closed_on = day_of(manifest.log.closed_at_us)
    parts = archived_parts(stores, manifest.close.station, manifest.batch, closed_on, progress)
    if subject.event is not None:
        parts.append(history(subject.event, [subject.replica] if subject.replica else [], events()))
    told = [told_once(parts)] if parts else []
    return joined(manifest.document["provenance"], *told, in_log(manifest.batch, manifest.log))


def _first_readable(stores: Sequence[ObjectStore], subject: Subject) -> Manifest:
    troubles = []
    for store in stores:
        try:
            return read_manifest(read_document(store, subject.manifest_path))
        except Stuck as error:
            troubles.append(f"{store.centre}: {error.detail}")
    raise NotFound("; ".join(troubles))


def _events_of(subject: Subject, settings: Settings, framing: Framing) -> list[ObjectEvent]:
    log = Log(settings, framing)
    log.fix_ends()
    return [event for event in log.object_events() if event.path in (subject.path, subject.manifest_path)]
