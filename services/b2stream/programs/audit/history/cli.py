"""`b2stream provenance`: from the instrument to the last fixity check, in one document."""

import json
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
from b2stream.programs.audit.gathering.walking import read_document
from b2stream.programs.audit.history.drawing import as_lines, as_svg
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
        manifest = _first_readable(stores, subject)
    finally:
        for store in stores:
            store.close()
    documents: list[dict[str, Any]] = [manifest.document["provenance"]]
    if subject.event is not None:
        replicas = [subject.replica] if subject.replica else []
        documents.append(history(subject.event, replicas, _events_of(subject, settings, framing)))
    return subject, joined(*documents, in_log(manifest.batch, manifest.log))


def _first_readable(stores: list[ObjectStore], subject: Subject) -> Manifest:
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
