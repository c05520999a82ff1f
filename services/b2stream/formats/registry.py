"""Finds the input formats and asks them. Whatever happens inside a format, a file gets a result: rows, or opaque with a reason.

Order: by rank, then name. Formats known by content come first, because content knows better than a name: atc-product 10,
campbell-toa5 20, picarro-datalog 30, otc-product 40; then those known by name: etc-eddy-covariance 50, etc-biomet 60; a format of another
package without a rank has 100. The first that claims the file and reads it wins; if none can, the first one's reason stands.
"""

import functools
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

from b2stream.formats import instants
from b2stream.formats.base import (
    COLUMNS_LIMIT,
    PARSE_LIMIT_BYTES,
    Format,
    Label,
    NotReadable,
    Reading,
    SourceFile,
    Station,
    Variable,
)
from b2stream.formats.standard_time import require_station
from b2stream.formats.unpack import unpack

ENTRY_POINT_GROUP = "b2stream.formats"
OPAQUE = "opaque"
OPAQUE_SERIES = "files"
DEFAULT_RANK = 100
SERIES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z", re.ASCII)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FileReading:
    """What the gateway makes of a file: rows, or (`reading` is None) an opaque batch with `reason`, a code of `reasons.py`."""

    format: str  # the format's name, or `opaque`
    reading: Reading | None
    reason: str | None = None
    detail: str = ""  # of an opaque file: which format failed, in which line, why
    names_station: str | None = None  # the station that the file or its name gives, also where it is the wrong one

    @property
    def opaque(self) -> bool:
        return self.reading is None

    @property
    def series(self) -> str:
        return self.reading.series if self.reading else OPAQUE_SERIES

    @property
    def rows(self) -> int:
        return self.reading.rows if self.reading else 0


def load_formats() -> tuple[Format, ...]:
    """All installed formats in the order in which they are asked. One that cannot be loaded is logged and left out."""
    loaded: list[Format] = []
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            loaded.append(entry_point.load()())
        except Exception:
            log.exception("input format %s (%s) cannot be loaded and is left out", entry_point.name, entry_point.value)
    return tuple(sorted(loaded, key=lambda known: (_rank(known), known.name)))


def format_named(name: str) -> Format | None:
    """The installed format of this name, as manifests have it; None where there is none. Others are not loaded."""
    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        loaded: Format = entry_point.load()()
        return loaded
    return None


@functools.cache
def known_formats() -> tuple[Format, ...]:
    """As `load_formats`, looked up once in the life of the process."""
    return load_formats()


def read_file(
    name: str, content: bytes | Path, station: Station, formats: Sequence[Format] | None = None
) -> FileReading:
    """Read a file of this name; never raises on what it holds. Of a path, OSError may come from reading it.

    `formats` defaults to all that are installed. Without a station in `station` none is wrong: so the station of a file is found.
    """
    size_bytes = content.stat().st_size if isinstance(content, Path) else len(content)
    if size_bytes > PARSE_LIMIT_BYTES:
        return FileReading(OPAQUE, None, "too_large", f"{size_bytes} bytes")
    if isinstance(content, Path):
        content = content.read_bytes()
    if not content:
        return FileReading(OPAQUE, None, "empty", "0 bytes")
    try:
        source = unpack(name, content)
    except NotReadable as unreadable:
        return FileReading(OPAQUE, None, unreadable.reason, unreadable.detail)
    return _ask(source, station, known_formats() if formats is None else formats)


def _ask(source: SourceFile, station: Station, formats: Sequence[Format]) -> FileReading:
    failures: list[FileReading] = []
    for candidate in formats:
        try:
            if not candidate.recognises(source):
                continue
            reading = _checked(candidate.read(source, station), source, station)
            return FileReading(candidate.name, reading, names_station=reading.station)
        except NotReadable as unreadable:
            detail = f"{candidate.name}: {unreadable.detail}"
            failures.append(FileReading(OPAQUE, None, unreadable.reason, detail, unreadable.names_station))
        except Exception as error:
            log.exception("input format %s failed on %r", candidate.name, source.name)
            detail = f"{candidate.name}: {type(error).__name__}: {error}"
            failures.append(FileReading(OPAQUE, None, "format_error", detail))
    return failures[0] if failures else FileReading(OPAQUE, None, "not_recognised", "no input format claims this file")


def _checked(reading: Reading, source: SourceFile, station: Station) -> Reading:
    """The reading with remarks added and infinite values made missing. Raises NotReadable for what no format may return."""
    require_station(reading.station, station)
    if reading.rows == 0:
        raise NotReadable("header_only", "no row", names_station=reading.station)
    columns: list[Variable | Label] = [*reading.variables, *reading.labels]
    if len(columns) > COLUMNS_LIMIT:
        raise NotReadable("too_many_columns", f"{len(columns)} columns")
    names = [column.name for column in columns]
    if (
        reading.start_us is None
        or not SERIES.match(reading.series)
        or len(set(names)) < len(names)
        or any(len(column.values) != reading.rows for column in columns)
        or not np.all(np.isfinite(reading.offsets_s))
    ):
        raise NotReadable(
            "format_error", "series, start, names or lengths of the columns are not as the interface asks"
        )
    notes = {**reading.notes, **instants.remarks(reading.offsets_s)}
    if source.entry is not None:
        notes["unpacked"] = source.entry
    infinite = sum(int(np.count_nonzero(np.isinf(variable.values))) for variable in reading.variables)
    if not infinite:
        return replace(reading, notes=notes)
    notes["infinite_values"] = f"{infinite} values"
    return replace(reading, notes=notes, variables=tuple(map(_finite, reading.variables)))


def _finite(variable: Variable) -> Variable:
    return replace(variable, values=np.where(np.isinf(variable.values), np.nan, variable.values))


def _rank(known: Format) -> int:
    return int(getattr(known, "rank", DEFAULT_RANK))
