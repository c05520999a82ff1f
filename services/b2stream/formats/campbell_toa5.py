"""Campbell Scientific TOA5 logger tables, plain or packed, and their look-alikes of the logging script rECord (20 Hz, no time column).

Recognised by content: the first cell is TOA5. Four header lines: environment, names, units, processing.
The environment line: "TOA5", station name, logger model, serial number, operating system, program, signature, table name.
Station: an ICOS id (`CH-OE2`) at the front of the file's name, or else of the station name in the environment line; else none.
Series: table name and serial number, `meteo_2835`; the station name where there is no table name; parts that are empty are left out.
Time: the column TIMESTAMP, in the station's standard time, as the logger writes it (for averages the end of their interval).
Without that column, the name must hold start and rate, `…20Hz_20240404-1300…`: rECord names a file by the minute at which it was
opened, so row i was measured i/rate seconds AFTER that instant, in standard time. Neither column nor name: `no_time`.
Missing: "NAN", -9999, empty. Columns that are not numbers become labels.
Source: Campbell Scientific, CRBasic and LoggerNet manuals, "TOA5"; the header of rECord's files.
"""

import re

import numpy as np
from numpy.typing import NDArray

from b2stream.formats import instants, tables
from b2stream.formats.base import (
    STATION_ID,
    Label,
    NotReadable,
    Reading,
    SourceFile,
    Station,
    Variable,
)
from b2stream.formats.standard_time import standard_offset

STATION_FRONT = re.compile(rf"({STATION_ID})(?![A-Za-z0-9])", re.ASCII)
NAME_START = re.compile(r".*?(?<!\d)(\d{8})-(\d{4})(?!\d)", re.ASCII)
NAME_RATE = re.compile(r".*?(?<!\d)(\d{1,4})Hz(?![a-z])", re.ASCII)
HEADER_LINES = 4
LONGEST_SERIES = 100  # characters


class CampbellToa5:
    """Campbell TOA5."""

    name = "campbell-toa5"
    rank = 20

    def recognises(self, source: SourceFile) -> bool:
        return source.head.removeprefix(b"\xef\xbb\xbf").startswith((b'"TOA5"', b"TOA5,"))

    def read(self, source: SourceFile, station: Station) -> Reading:
        text, notes = tables.decode(source.content)
        lines, body = tables.split_lines(text, HEADER_LINES)
        if len(lines) < HEADER_LINES:
            raise NotReadable("truncated", f"{len(lines)} of {HEADER_LINES} header lines")
        environment, written_names, units = (tables.fields(line) for line in lines[:3])
        environment += [""] * (8 - len(environment))
        names = tables.unique_names(written_names)
        if len(units) != len(names):
            raise NotReadable("malformed_header", f"{len(names)} names and {len(units)} units")
        named = source.match_name(STATION_FRONT) or STATION_FRONT.match(environment[1])
        names_station = named[1] if named else None
        offset_us, notes["standard_time"] = standard_offset(names_station, station)
        table = tables.columns(body, len(names), HEADER_LINES + 1)
        skip = 1 if names[0].upper() == "TIMESTAMP" else 0
        if skip:
            notes["time"] = "from the column TIMESTAMP"
            instants_us = instants.from_iso(table[0], HEADER_LINES + 1)
            start_us, offsets_s = int(instants_us[0]), instants.offsets(instants_us)
        else:
            start_us, offsets_s, notes["time"] = time_from_name(source, len(table[0]))
        columns = [
            tables.variable_or_label(names[i], units[i], table[i], tables.MINUS_9999, i, HEADER_LINES + 1)
            for i in range(skip, len(names))
        ]
        notes["header"] = ", ".join(cell for cell in environment[1:] if cell)
        return Reading(
            station=names_station,
            series=series_of(environment),
            start_us=start_us - offset_us,
            offsets_s=offsets_s,
            variables=tuple(column for column in columns if isinstance(column, Variable)),
            labels=tuple(column for column in columns if isinstance(column, Label)),
            notes=notes,
        )


def series_of(environment: list[str]) -> str:
    """Table and serial number, as `meteo_2835`; of a table's name as much as the serial number leaves room for."""
    table, serial = map(tables.safe_series, (environment[7] or environment[1], environment[3]))
    parts = (table[: LONGEST_SERIES - 1 - len(serial)], serial)
    return "_".join(part for part in parts if part) or "toa5"


def time_from_name(source: SourceFile, rows: int) -> tuple[int, NDArray[np.float64], str]:
    """Start in microseconds (zone left aside), offsets in seconds, and the note, for a table without TIMESTAMP. Raises `no_time`."""
    start, rate = source.match_name(NAME_START), source.match_name(NAME_RATE)
    if start is None or rate is None or int(rate[1]) == 0:
        raise NotReadable(
            "no_time", "no column TIMESTAMP, and the name does not hold start and rate (yyyyMMdd-HHmm and <n>Hz)"
        )
    rate_hz = int(rate[1])
    start_us = int(instants.from_compact([start[1] + start[2]], 0)[0])
    offsets_s = np.arange(rows, dtype=np.float64) / rate_hz
    return (
        start_us,
        offsets_s,
        f"from the name: opened at {start[1]}-{start[2]} standard time; row i is i/{rate_hz} s after it",
    )
