"""The rows of a batch as numpy arrays, the same that the station published."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from b2stream.batches.manifest import Manifest
from b2stream.batches.summary import Column, instants_us, numbered
from b2stream.contracts.blocks import Block, Floats
from b2stream.contracts.records import CONTAINER_AVRO, CONTAINER_FILE
from b2stream.errors import DamagedObject, Fatal
from b2stream.reader.batch import Batch
from b2stream.reader.container import read_container
from b2stream.reader.fetching import manifest as manifest_of
from b2stream.reader.fetching import open_batch
from b2stream.reader.formats import read_file

_STANDARD_TIME = re.compile(r"UTC([+-]\d+(?:\.\d+)?) h")

_Key = tuple[Column, int]


class RowsDiffer(Fatal):
    """The input format installed here reads other rows than the station's gateway did: install the version that the manifest names."""

    reason = "rows_differ"


@dataclass(frozen=True, slots=True)
class Flag:
    """A quality flag: the variables that it judges, and the values that mean bad."""

    judges: tuple[str, ...]
    bad: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one batch, in the order in which they were published; all columns have the same length.

    `instants` are UTC as datetime64[us]. `variables` are float64, NaN where a reading is missing. `labels` are text, among
    them quality flags; `flags` says what those judge. An opaque batch has no rows, and says why.
    """

    station: str
    series: str
    instants: NDArray[np.datetime64]
    variables: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)
    flags: dict[str, Flag] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    opaque_reason: str | None = None

    def __len__(self) -> int:
        return len(self.instants)


def rows(batch: Batch) -> Rows:
    """Fetch, verify and decode a batch. An opaque one costs its manifest only.

    Raises MissingObject and DamagedObject (nothing of it is given), RowsDiffer, ConfigurationError (the input format is
    not installed here), Retryable.
    """
    manifest = manifest_of(batch)
    close = manifest.close
    if close.rows == 0:
        empty = np.empty(0, dtype="datetime64[us]")
        reason = close.opaque_reason or "no_rows"
        return Rows(close.station, close.series, empty, notes=dict(close.notes), opaque_reason=reason)
    with open_batch(batch) as content:
        data = content.read()
    if close.container_format == CONTAINER_AVRO:
        parts: Sequence[Block] = list(read_container(data, batch.about))
    elif close.container_format == CONTAINER_FILE:
        parts = [_read_file(batch, manifest, data)]
    else:
        raise DamagedObject(f"{batch.about} has container format {close.container_format}: install a newer b2stream")
    found = _assembled(close.station, close.series, parts, dict(close.notes))
    _compare(batch, manifest, found)
    return found


def _read_file(batch: Batch, manifest: Manifest, data: bytes) -> Block:
    close = manifest.close
    standard_time = _STANDARD_TIME.match(close.notes.get("standard_time", ""))
    offset_h = float(standard_time[1]) if standard_time else None
    return read_file(close.input_format, close.name or close.stem, data, close.station, offset_h, batch.about)


def _assembled(station: str, series: str, parts: Sequence[Block], notes: dict[str, str]) -> Rows:
    """Columns of all blocks joined; a column that a block does not have is missing there."""
    length = sum(part.rows for part in parts)
    instants = np.empty(length, dtype=np.int64)
    variables: dict[_Key, Floats] = {}
    labels: dict[_Key, list[str]] = {}
    flags: dict[_Key, Flag] = {}
    at = 0
    for part in parts:
        end = at + part.rows
        if part.rows:
            instants[at:end] = instants_us(part)
        keys = numbered((variable.name, variable.unit) for variable in part.variables)
        for key, variable in zip(keys, part.variables, strict=True):
            if key not in variables:
                variables[key] = np.full(length, np.nan)
            variables[key][at:end] = variable.values
        keys = numbered((label.name, "") for label in part.labels)
        for key, label in zip(keys, part.labels, strict=True):
            if key not in labels:
                labels[key] = [""] * length
            labels[key][at:end] = label.values
            if label.judges or label.bad:
                flags[key] = Flag(label.judges, label.bad)
        at = end
    names = _unique([name for (name, _), _ in (*variables, *labels)])
    of_variable = dict(zip(variables, names, strict=False))
    of_label = dict(zip(labels, names[len(variables) :], strict=True))
    return Rows(
        station,
        series,
        instants.view("datetime64[us]"),
        {of_variable[key]: values for key, values in variables.items()},
        {name: unit for ((_, unit), _), name in of_variable.items()},
        {of_label[key]: values for key, values in labels.items()},
        {of_label[key]: flag for key, flag in flags.items()},
        notes,
    )


def _compare(batch: Batch, manifest: Manifest, found: Rows) -> None:
    """The manifest knows rows, first and last instant, and how many readings each variable has."""
    close = manifest.close
    instants = found.instants.view(np.int64)
    pairs = [
        ("rows", len(found), close.rows),
        ("first instant", int(instants.min()), close.start_us),
        ("last instant", int(instants.max()), close.stop_us),
        ("number of variables", len(found.variables), len(manifest.document["variables"])),
    ]
    for (name, values), promised in zip(found.variables.items(), manifest.document["variables"], strict=False):
        pairs.append((f"readings of {name}", int(np.count_nonzero(np.isfinite(values))), promised["readings"]))
    for what, here, there in pairs:
        if here != there:
            raise RowsDiffer(f"{batch.about}: {what} {here} here, {there} in the manifest")


def _unique(names: list[str]) -> list[str]:
    """The names with ` (2)`, ` (3)` behind those that were there before."""
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name} ({number})"
        taken.add(candidate)
        unique.append(candidate)
    return unique
