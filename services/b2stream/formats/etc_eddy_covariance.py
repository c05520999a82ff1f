"""Raw eddy covariance half hours of ICOS ecosystem stations (ETC): a header line and plain numbers, comma separated, no time column.

Recognised by name: `DE-HoH_EC_201907301200_L99_F01.csv` (or `.zip`), also with a processing suffix, `…_v01.csv`.
Station: before `_EC_`. Series: `EC_L99_F01` by logger and file number; `EC` where the name has none (a version is no instrument).
Time: the name gives the END of the half hour in the station's standard time; row i was measured i/rate seconds after its start.
Rate: rows / 1800 s, taken as the usual acquisition rate next to it if within 1 % (loggers lose or double a few rows: the note
`rows_expected`). A file with another number of rows does not tell when each row was measured, so it is opaque, `truncated`.
Units: none, they stand in the station's metadata. A second header line without any number is read as units. Missing: -9999.
Source: Sabbatini and Papale, ICOS Ecosystem Instructions for Raw Data Format for CO2 Eddy Covariance Measurements, doi:10.18160/v5jt-9f66.
"""

import re

import numpy as np

from b2stream.formats import instants, tables
from b2stream.formats.base import STATION_ID, NotReadable, Reading, SourceFile, Station, Variable
from b2stream.formats.standard_time import standard_offset, utc_text

NAME = re.compile(
    rf"(?P<station>{STATION_ID})_EC_(?P<end>\d{{12}})(_(?P<logger>L\d\d_F\d\d))?(?![0-9A-Za-z])", re.ASCII
)
HALF_HOUR_S = 1800
USUAL_RATES_HZ = (1, 5, 10, 20, 25, 32, 50, 60, 100)
RATE_TOLERANCE = 0.01


class EtcEddyCovariance:
    """ETC eddy covariance CSV."""

    name = "etc-eddy-covariance"
    rank = 50

    def recognises(self, source: SourceFile) -> bool:
        return source.match_name(NAME) is not None

    def read(self, source: SourceFile, station: Station) -> Reading:
        found = source.match_name(NAME)
        if found is None:
            raise NotReadable("no_time", "the name does not give the half hour")
        offset_us, standard_time = standard_offset(found["station"], station)
        end_us = int(instants.from_compact([found["end"]], 0)[0]) - offset_us
        variables, notes = read_numbers(source.content)
        rows = len(variables[0].values)
        rate_hz, rate_note = rate_of(rows)
        start_us = end_us - HALF_HOUR_S * 1_000_000
        time = f"from the name: half hour that ends at {utc_text(end_us)}; row i is i/{rate_hz} s after its start"
        return Reading(
            station=found["station"],
            series=f"EC_{found['logger']}" if found["logger"] else "EC",
            start_us=start_us,
            offsets_s=np.arange(rows, dtype=np.float64) / rate_hz,
            variables=variables,
            notes={"time": time, "standard_time": standard_time, **notes, **rate_note},
        )


def read_numbers(content: bytes) -> tuple[tuple[Variable, ...], dict[str, str]]:
    """All columns of a table of numbers with a header line of names and maybe one of units. Raises NotReadable."""
    text, notes = tables.decode(content)
    (header,), body = tables.split_lines(text, 1)
    names = tables.fields(header)
    if any(is_number(name) for name in names):
        raise NotReadable("malformed_header", "line 1 has numbers where the names of the columns should be")
    units, first_line = [""] * len(names), 2
    second = tables.fields(body.partition("\n")[0])
    if len(second) == len(names) and any(second) and not any(is_number(cell) for cell in second):
        units, first_line, body = second, 3, body.partition("\n")[2]
    numbers = tables.without(tables.numbers_only(body, len(names), first_line), tables.MINUS_9999)
    by_column = np.ascontiguousarray(numbers.T)
    return tuple(map(Variable, tables.unique_names(names), units, by_column)), notes


def rate_of(rows: int) -> tuple[int, dict[str, str]]:
    """The acquisition rate in hertz of a half hour of so many rows, and a note if rows are lost or doubled. Raises `truncated`."""
    rate_hz = min(USUAL_RATES_HZ, key=lambda rate: abs(rows / (rate * HALF_HOUR_S) - 1))
    expected = rate_hz * HALF_HOUR_S
    if abs(rows / expected - 1) > RATE_TOLERANCE:
        raise NotReadable(
            "truncated", f"{rows} rows are no half hour at a usual rate; the next is {rate_hz} Hz with {expected}"
        )
    return rate_hz, {} if rows == expected else {"rows_expected": f"{expected} at {rate_hz} Hz, the file has {rows}"}


def is_number(cell: str) -> bool:
    """Whether a cell would be read as data: a number, or the word NaN."""
    return bool(cell) and tables.try_numbers([cell], ()) is not None
