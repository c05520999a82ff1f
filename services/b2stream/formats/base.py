"""What an input format offers: it recognises a file by name and content, and reads rows out of its bytes.

A format is an entry point of the group `b2stream.formats` that names a class with the interface `Format`; one new file and its
tests make a new format, also from another package. A format never changes a byte: the file goes into the archive verbatim, and
what is read here only describes it. A file that does not parse is archived all the same, as an opaque batch with the reason.
"""

import re
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

PARSE_LIMIT_BYTES = 256 << 20
"""A file that is larger, also once unpacked, is archived as opaque: parsing holds all of it in memory."""

COLUMNS_LIMIT = 10_000
CELLS_LIMIT = 40_000_000
"""Rows times columns: 320 MB of numbers, far above one day of a 20 Hz logger (about 21 million)."""

HEAD_BYTES = 64 << 10
STATION_ID = r"[A-Z]{2}-[A-Za-z0-9]{3}"
"""An ecosystem station: ISO country, hyphen, three characters, e.g. `SE-Htm`."""


class NotReadable(Exception):
    """The file is not what its format promises. `reason` is a code of `reasons.py`, e.g. `truncated`; `detail` names line and cause."""

    def __init__(self, reason: str, detail: str, *, names_station: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.names_station = names_station


@dataclass(frozen=True, slots=True)
class Station:
    """What a format may know of the gateway's station. `utc_offset_h` is its standard time, None where unknown."""

    station: str | None = None
    utc_offset_h: float | None = None


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as a format sees it: gzip and zip are already undone, so that every format reads its files packed as well."""

    name: str  # at the station, e.g. `CH-Dav_BM_20230328_L02_F03.zip`
    content: bytes  # unpacked
    entry: str | None = None  # the name inside the zip; of a gzip, the name without `.gz`; None when not packed

    @property
    def head(self) -> bytes:
        """The first 64 KiB, enough to recognise a format."""
        return self.content[:HEAD_BYTES]

    def match_name(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Match the name at the station or else the name inside the archive: a renamed zip still tells its entry's name."""
        return pattern.match(self.name) or (pattern.match(self.entry.rpartition("/")[2]) if self.entry else None)


@dataclass(frozen=True, slots=True)
class Variable:
    """A column of numbers; NaN where the file says missing. Unit as the file writes it or its format defines it, else empty."""

    name: str
    unit: str
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Label:
    """A column that is not numbers. A quality flag names the variables that it `judges` and the values that mean `bad`."""

    name: str
    values: list[str]
    judges: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says. Rows are in the order of the file; `offsets_s[i]` is row i's instant in seconds after `start_us`."""

    station: str | None  # as the file or its name says; None where it names none
    series: str
    start_us: int | None  # UTC, microseconds since 1970; None only where there are no rows
    offsets_s: NDArray[np.float64]
    variables: tuple[Variable, ...]
    labels: tuple[Label, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)  # for the manifest: how time was found, what was left out

    @property
    def rows(self) -> int:
        return len(self.offsets_s)


class Format(Protocol):
    """One input format. The lower its rank, the earlier it is asked; equal ranks go by name. Those of this package have 10 to 60."""

    name: str  # e.g. `campbell-toa5`; it stands in the manifest
    rank: int

    def recognises(self, source: SourceFile) -> bool:
        """Whether this file, by its name or the first bytes of its content, claims to be of this format. Quick."""
        ...

    def read(self, source: SourceFile, station: Station) -> Reading:
        """Read all rows. Raises NotReadable."""
        ...
