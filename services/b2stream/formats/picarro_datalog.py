"""Picarro analysers' DataLog_User files: columns of 26 characters, a header line, CRLF; plain or packed.

Recognised by content: the header begins with DATE and has EPOCH_TIME.
Station: none, the file names only the instrument, so it is the gateway's. Series: `picarro-CFADS2283` by the serial number at the
front of the name `CFADS2283-20150831-171845Z-DataLog_User.dat`; `picarro` where the name was changed.
Time: EPOCH_TIME, seconds UTC with milliseconds. Columns that only repeat it are left out.
Units: CO2 and CH4 (and dry) ppm, CO ppm, H2O %: by the analyser's manual, the file gives none. No value means missing.
Source: Picarro G2000 series user's guide, "Data file format"; the width and the columns from the files themselves.
"""

import io
import re

import numpy as np
from numpy.typing import NDArray

from b2stream.formats import instants, tables
from b2stream.formats.base import (
    CELLS_LIMIT,
    COLUMNS_LIMIT,
    NotReadable,
    Reading,
    SourceFile,
    Station,
    Variable,
)

NAME = re.compile(r"(?P<instrument>[A-Za-z0-9]+)-\d{8}-\d{4,6}Z?-DataLog_User", re.ASCII)
CELL = 26  # characters
TIME_COLUMNS = ("DATE", "TIME", "FRAC_DAYS_SINCE_JAN1", "FRAC_HRS_SINCE_JAN1", "JULIAN_DAYS", "EPOCH_TIME")
UNITS = {"CH4": "ppm", "CH4_dry": "ppm", "CO2": "ppm", "CO2_dry": "ppm", "CO": "ppm", "H2O": "%", "h2o_reported": "%"}
SPACE, NEWLINE = 32, 10


class PicarroDatalog:
    """Picarro DataLog_User."""

    name = "picarro-datalog"
    rank = 30

    def recognises(self, source: SourceFile) -> bool:
        header = source.head.partition(b"\n")[0]
        return header.startswith(b"DATE ") and b"EPOCH_TIME" in header

    def read(self, source: SourceFile, station: Station) -> Reading:
        text, notes = tables.decode(source.content)
        header, _, body = text.partition("\n")
        names = header_names(header)
        numbers = fixed_width_numbers(body, names)
        epoch = numbers[names.index("EPOCH_TIME")]
        if not np.all(np.abs(epoch) < 1e11):  # also false for NaN
            row = int(np.flatnonzero(~(np.abs(epoch) < 1e11))[0])
            raise NotReadable("malformed_row", f"line {row + 2}: EPOCH_TIME is missing or out of range")
        instants_us = instants.from_epoch_seconds(epoch)
        found = source.match_name(NAME)
        left_out = [name for name in names if name in TIME_COLUMNS]
        return Reading(
            station=None,
            series=f"picarro-{tables.safe_series(found['instrument'])}" if found else "picarro",
            start_us=int(instants_us[0]),
            offsets_s=instants.offsets(instants_us),
            variables=tuple(
                Variable(name, UNITS.get(name, ""), values)
                for name, values in zip(names, numbers, strict=True)
                if name not in TIME_COLUMNS
            ),
            notes={"time": "from the column EPOCH_TIME, UTC", "left_out": ", ".join(left_out), **notes},
        )


def header_names(header: str) -> list[str]:
    """The names of the columns. Raises NotReadable."""
    if len(header) >= COLUMNS_LIMIT * CELL:
        raise NotReadable("too_many_columns", f"{len(header) // CELL} columns")
    names = [header[at : at + CELL].strip() for at in range(0, len(header), CELL)]
    if len(header) % CELL or not all(names) or len(set(names)) < len(names) or "EPOCH_TIME" not in names:
        raise NotReadable(
            "malformed_header", "the header is not made of named columns of 26 characters with EPOCH_TIME"
        )
    return names


def fixed_width_numbers(body: str, names: list[str]) -> NDArray[np.float64]:
    """All columns as numbers, shape (columns, rows), DATE and TIME as NaN. Raises NotReadable with the line that is wrong."""
    line_bytes = len(names) * CELL + 1
    if not body.strip("\n"):
        raise NotReadable("header_only", "no row after the header")
    if not body.isascii():
        raise NotReadable("malformed_row", "characters outside ASCII")
    lines = np.frombuffer(body.encode("ascii"), np.uint8)
    if lines.size % line_bytes or np.any(lines[line_bytes - 1 :: line_bytes] != NEWLINE):
        lengths = enumerate(body.split("\n"), 2)
        line, text = next((line, text) for line, text in lengths if len(text) != line_bytes - 1)
        raise NotReadable("malformed_row", f"line {line}: {len(text)} characters instead of {line_bytes - 1}")
    if lines.size // CELL > CELLS_LIMIT:
        raise NotReadable("too_large", f"{lines.size // line_bytes} rows of {len(names)} columns")
    grid = lines.reshape(-1, line_bytes)
    numeric = [index for index, name in enumerate(names) if name not in ("DATE", "TIME")]
    numbers = np.full((len(names), len(grid)), np.nan)
    if _one_word_per_cell(grid, len(names)):
        try:
            numbers[numeric] = np.loadtxt(io.StringIO(body), comments=None, usecols=numeric, ndmin=2).T
            return numbers
        except ValueError:
            pass
    for index in numeric:
        cells = [text[index * CELL : (index + 1) * CELL].strip() for text in body.rstrip("\n").split("\n")]
        numbers[index] = tables.as_numbers(cells, (), index, 2)
    return numbers


def _one_word_per_cell(grid: NDArray[np.uint8], cells: int) -> bool:
    """Whether each cell begins with a character and holds no second word, so that splitting at spaces finds the cells."""
    word = grid[:, :-1] != SPACE
    begins = word.copy()
    begins[:, 1:] &= ~word[:, :-1]
    return bool(np.all(begins[:, ::CELL])) and int(np.count_nonzero(begins)) == len(grid) * cells
