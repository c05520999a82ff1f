"""`b2stream inspect FILE`: what a gateway would make of a file; no server is asked and nothing is written."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from b2stream.batches.examining import Examination
from b2stream.batches.identity import id24
from b2stream.batches.manifest import InLog, batch_of, build_manifest, paths_of
from b2stream.batches.paths import LONGEST_NAME_BYTES, is_safe_name
from b2stream.batches.permission import NotPermitted
from b2stream.commands.output import print_columns
from b2stream.contracts import schemas
from b2stream.contracts.canonical import iso_utc
from b2stream.contracts.framing import Framed
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import StationDescription
from b2stream.errors import ConfigurationError, Retryable
from b2stream.formats.base import Reading, Station
from b2stream.formats.registry import read_file
from b2stream.handles.kinds import data_levels
from b2stream.programs.gateway.closing import Prepared, draft, place, prepare
from b2stream.programs.gateway.permitted import refusal
from b2stream.programs.gateway.snapshot import take
from b2stream.programs.gateway.sources import sources_of
from b2stream.programs.gateway.watch import Seen, Signature, is_sources, is_temporary, printable
from b2stream.settings import Settings, load
from b2stream.stations.files import read_description

FIRST_ROWS = 5
LEVELS = "correct it: 0 raw, 1 near real time, 2 final or 3 elaborated"
LATER = ("close.attempt", "close.series_number", "close.previous", "close.key", "signature", "log")
"""What the manifest says beyond the file: chosen and signed when it is sent; where the messages lie in the log, when committed."""
LEFT_ALONE = "the gateway leaves this name alone: an unfinished transfer or a list of sources (`b2stream gateway --help` lists such names)"
NO_STATION = "not named in the file: give --station ID"
NO_OFFSET = "unknown: give --utc-offset-h HOURS; of an ID that begins with a country of one standard time, as SE-Htm, it is known"
_NOBODY = "unknown"  # stands in for a station that neither setting nor file names; nothing with it is shown


class CannotRead(click.ClickException):
    """The file cannot be read."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found; `station` is None where neither setting nor file names one: then there is no batch yet.

    `refused` is why the station's description does not allow it, where one was given.
    """

    station: str | None
    prepared: Prepared
    close: BatchClosed
    refused: NotPermitted | None = None


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--station", metavar="ID", help="The gateway's station; default: the setting, else the one the file names."
)
@click.option("--utc-offset-h", type=float, help="The station's standard time, hours ahead of UTC.")
@click.option("--description", type=click.Path(path_type=Path), help="The station's TOML: say whether it allows FILE.")
@click.option("--as-series", is_flag=True, help="Print the lines of a station's TOML that allow files like this one.")
@click.option("--config", "config_file", type=click.Path(), help="TOML file with the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with the whole manifest.")
def inspect(
    file: Path,
    as_json: bool,
    station: str | None,
    utc_offset_h: float | None,
    description: Path | None,
    as_series: bool,
    config_file: str | None,
) -> None:
    """Say what the gateway would make of FILE: format, series, times, rows, variables, batch, and the manifest as far as it is known.

    A name that the gateway leaves alone, as that of an unfinished transfer, is said first.

    Exit codes: 0 also for an opaque file (the reason is shown), for one that is left alone, and for one that the station's
    description does not allow; 1 if FILE cannot be read.
    """
    overrides = {("gateway", "station"): station, ("gateway", "utc_offset_h"): utc_offset_h}
    settings = load(config_file, overrides=overrides).settings
    found = look_at(file, settings, read_description(description) if description else None)
    if as_series:
        click.echo(series_snippet(found, data_levels(settings.registrar.kinds_file)))
    elif as_json:
        click.echo(json.dumps(document(found), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        show(found)


def look_at(file: Path, settings: Settings, description: StationDescription | None = None) -> Inspected:
    """Read a file as a gateway with these settings would; the first of its series, replacing nothing."""
    station = settings.gateway.station or (description.station if description else None)
    if station is not None and not is_safe_name(station, LONGEST_NAME_BYTES):
        raise ConfigurationError(f"gateway.station: {station!r} may have letters, digits and -._+,=@ only")
    try:
        if not file.is_file():
            raise CannotRead(f"{file} is no file")
        snapshot = take(Seen(printable(file.name), file, Signature.of(file.stat())))
        sources = sources_of(file)
    except (Retryable, OSError) as error:
        raise CannotRead(str(error)) from error
    offset_h, block_bytes = settings.gateway.utc_offset_h, settings.gateway.block_bytes
    if station is None and snapshot.content is not None:
        named = read_file(snapshot.name, snapshot.content, Station(None, offset_h)).names_station
        station = named if named and is_safe_name(named, LONGEST_NAME_BYTES) else None
    prepared = prepare(snapshot, Station(station or _NOBODY, offset_h), block_bytes)
    close = place(draft(prepared, "0" * 32, settings.gateway.window_s, sources=sources), None)
    known = {description.station: description} if description else {}
    refused = refusal(close, prepared, known, data_levels(settings.registrar.kinds_file))
    return Inspected(station, prepared, close, refused)


def document(found: Inspected) -> dict[str, Any]:
    """Everything as JSON values. Of the manifest only `attempt` and the place in log and series are not known before sending."""
    close, reading = found.close, found.prepared.reading.reading
    known = found.station is not None
    facts: dict[str, Any] = {
        "file": close.name,
        "left_alone": close.name is not None and (is_temporary(close.name) or is_sources(close.name)),
        "size_bytes": close.raw_size_bytes,
        "sha256": close.raw_sha256,
        "id24": id24(close.raw_sha256),
        "station": found.station,
        "series": close.series,
        "format": close.input_format,
        "opaque_reason": close.opaque_reason,
        "opaque_detail": close.opaque_detail,
        "start": None if close.start_us is None else iso_utc(close.start_us),
        "stop": None if close.stop_us is None else iso_utc(close.stop_us),
        "rows": close.rows,
        "blocks": close.count,
        "variables": [{"name": each.name, "unit": each.unit} for each in reading.variables] if reading else [],
        "labels": [each.name for each in reading.labels] if reading else [],
        "first_rows": first_rows(reading) if reading else [],
        "notes": close.notes,
        "sources": list(close.sources),
        "refused": {"reason": found.refused.reason, "detail": found.refused.detail} if found.refused else None,
        "batch": batch_of(close) if known else None,
        "path": paths_of(close).data_object if known else None,
        "manifest_path": paths_of(close).manifest if known else None,
        "manifest": _manifest(found) if known else None,
    }
    return facts


def series_snippet(found: Inspected, levels: Mapping[str, int]) -> str:
    """The series of a file as it stands in its station's description."""
    level = levels.get(found.close.input_format)
    lines = ["[[series]]", f"id = {_toml(found.close.series)}"]
    lines.append(f"data_level = {level}" if level is not None else f"data_level = 0  # {LEVELS}")
    reading = found.prepared.reading.reading
    if reading is not None and reading.variables:
        variables = (f"  {{name = {_toml(each.name)}, unit = {_toml(each.unit)}}}," for each in reading.variables)
        lines += ["variables = [", *variables, "]"]
    return "\n".join(lines)


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a basic string of TOML, but for the character DEL


def first_rows(reading: Reading) -> list[dict[str, Any]]:
    """The first rows by column name; a missing value is None."""
    assert reading.start_us is not None
    rows = []
    for row in range(min(FIRST_ROWS, reading.rows)):
        values: dict[str, Any] = {"time": iso_utc(reading.start_us + round(float(reading.offsets_s[row]) * 1e6))}
        for variable in reading.variables:
            value = float(variable.values[row])
            values[variable.name] = None if np.isnan(value) else value
        for label in reading.labels:
            values[label.name] = label.values[row]
        rows.append(values)
    return rows


def _manifest(found: Inspected) -> dict[str, Any]:
    close = found.close
    examination = Examination(close)
    schema = schemas.current("MeasurementBlock")
    for body in found.prepared.bodies():
        examination.take(Framed(schema, memoryview(body)))
    manifest: dict[str, Any] = json.loads(build_manifest(close, examination.result(), InLog("", 0, (), 0, 0)))
    for unknown in LATER:
        *outer, member = unknown.split(".")
        del (manifest[outer[0]] if outer else manifest)[member]
    return manifest


def show(found: Inspected) -> None:
    """Print it for a person: the long manifest first, so that the rest is what stands on the screen."""
    facts = document(found)
    if facts["left_alone"]:
        click.echo(f"{facts['file']}: {LEFT_ALONE}\n")
    if facts["manifest"] is not None:
        click.echo(f"{facts['manifest_path']}, but for members that are known later ({', '.join(LATER)}):")
        click.echo(json.dumps(facts["manifest"], indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    opaque = f"opaque: {facts['opaque_reason']} ({facts['opaque_detail']})"
    lines = {
        "file": f"{facts['file']}, {facts['size_bytes']} bytes" + (", left alone" if facts["left_alone"] else ""),
        "format": facts["format"] if facts["opaque_reason"] is None else opaque,
        "station": facts["station"] or NO_STATION,
        **({"standard time": NO_OFFSET} if facts["opaque_reason"] == "utc_offset_unknown" else {}),
        "series": facts["series"],
        "start": facts["start"] or "—",
        "stop": facts["stop"] or "—",
        "rows": f"{facts['rows']} in {facts['blocks']} blocks",
        **facts["notes"],
        **({"sources": ", ".join(facts["sources"])} if facts["sources"] else {}),
        **({"refused": f"{facts['refused']['reason']}: {facts['refused']['detail']}"} if facts["refused"] else {}),
        "batch": facts["batch"] or "—",
        "id24": facts["id24"],
        "path": facts["path"] or "—",
        "manifest": facts["manifest_path"] or "—",
    }
    print_columns(lines.items())
    if facts["variables"] or facts["labels"]:
        click.echo()
        print_columns(_columns(facts))


def _columns(facts: dict[str, Any]) -> Iterator[list[str]]:
    """A column of the file a line, with its first values: files have many columns, and terminals few."""
    yield ["variable", "unit", *(row["time"][11:] for row in facts["first_rows"])]
    units = {each["name"]: each["unit"] for each in facts["variables"]}
    for name in [*units, *facts["labels"]]:
        values = ("" if row[name] is None else str(row[name]) for row in facts["first_rows"])
        yield [name, units.get(name, ""), *values]
