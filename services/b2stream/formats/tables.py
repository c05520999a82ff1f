"""Text to columns, for all formats that are lines of delimited cells: decoding, header fields, rows, numbers.

Speed matters where a half hour has 432,000 numbers: there numpy's own text parser does it all (`numbers_only`, measured above
40 MB/s of text); mixed tables are smaller and go through the csv module.
"""

import csv
import io
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from b2stream.formats.base import CELLS_LIMIT, COLUMNS_LIMIT, Label, NotReadable, Variable

MIXED_CELLS_LIMIT = 8_000_000
"""Cells that go through the csv module are Python strings, about 75 bytes each; only numbers may come near CELLS_LIMIT."""

MISSING_WORDS = frozenset({"", "NAN"})
MINUS_9999 = (-9999.0,)
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
C1_CONTROLS = re.compile("[\x80-\x9f]")


def decode(content: bytes) -> tuple[str, dict[str, str]]:
    """The text with LF line ends, and a note on its encoding if that is not UTF-8. Each line must have its end.

    Instruments and exports end every line, so a last line without an end was cut, maybe in the middle of a number.
    Raises NotReadable `unknown_encoding` or `truncated`.
    """
    if b"\0" in content:
        raise NotReadable("unknown_encoding", f"a zero byte at {content.index(0)}")
    notes = {}
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = content.decode("latin-1")
        if C1_CONTROLS.search(text):
            raise NotReadable("unknown_encoding", f"neither UTF-8 nor Latin-1: {error}") from error
        notes["encoding"] = "Latin-1"
    if not text.endswith("\n"):
        raise NotReadable("truncated", "the last line has no line end")
    return text.replace("\r\n", "\n"), notes


def fields(line: str, delimiter: str = ",") -> list[str]:
    """The cells of one header line. Raises NotReadable `too_many_columns` or `malformed_header`."""
    if line.count(delimiter) >= COLUMNS_LIMIT:
        raise NotReadable("too_many_columns", f"{line.count(delimiter) + 1} columns")
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, strict=True), [])]
    except csv.Error as error:
        raise NotReadable("malformed_header", str(error)) from error


def split_lines(text: str, count: int) -> tuple[list[str], str]:
    """The first lines, as many as there are up to `count`, and the rest of the text without empty lines at its end."""
    *lines, rest = text.split("\n", count)
    return lines, rest.rstrip("\n") + "\n" if rest.strip() else ""


def numbers_only(body: str, width: int, first_line: int) -> NDArray[np.float64]:
    """All cells as numbers, shape (rows, width). Falls back to `columns` where a word stands for missing. Raises NotReadable."""
    _within_limit(body, width, CELLS_LIMIT)
    if not body:
        raise NotReadable("header_only", "no row after the header")
    try:
        numbers = np.loadtxt(io.StringIO(body), delimiter=",", comments=None, ndmin=2)
        if numbers.shape == (body.count("\n"), width):
            return numbers
    except ValueError:
        pass
    table = columns(body, width, first_line)
    return np.column_stack([as_numbers(column, (), index, first_line) for index, column in enumerate(table)])


def columns(body: str, width: int, first_line: int, delimiter: str = ",") -> list[tuple[str, ...]]:
    """The cells by column. Raises NotReadable `malformed_row` with the line, `header_only`, or `too_large`."""
    if not body:
        raise NotReadable("header_only", "no row after the header")
    _within_limit(body, width, MIXED_CELLS_LIMIT)
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if len(row) != width:
                detail = f"line {first_line + reader.line_num - 1}: {len(row)} columns instead of {width}"
                raise NotReadable("malformed_row", detail)
            rows.append(row)
    except csv.Error as error:
        raise NotReadable("malformed_row", f"line {first_line + reader.line_num - 1}: {error}") from error
    return list(zip(*rows, strict=True))


def as_numbers(column: Sequence[str], missing: Sequence[float], index: int, first_line: int) -> NDArray[np.float64]:
    """A column as numbers, NaN for empty cells, the word NaN in any case, and the values in `missing`. Raises `malformed_row`."""
    values = try_numbers(column, missing)
    if values is None:
        row = next(row for row, cell in enumerate(column) if try_numbers([cell], ()) is None)
        raise NotReadable(
            "malformed_row", f"line {first_line + row}, column {index + 1}: {column[row][:40]!r} is no number"
        )
    return values


def try_numbers(column: Sequence[str], missing: Sequence[float]) -> NDArray[np.float64] | None:
    """As `as_numbers`, but None if some cell is no number. Python's own extras, `1_000` and digits of other scripts, are none."""
    joined = "".join(column)
    if "_" in joined or not joined.isascii():
        return None
    try:
        values = np.fromiter(map(float, column), np.float64, len(column))
    except ValueError:
        cells = ("nan" if cell.strip().upper() in MISSING_WORDS else cell for cell in column)
        try:
            values = np.fromiter(map(float, cells), np.float64, len(column))
        except ValueError:
            return None
    return without(values, missing)


def without(values: NDArray[np.float64], missing: Sequence[float]) -> NDArray[np.float64]:
    """The values with NaN in place of the numbers that mean missing."""
    for number in missing:
        values[values == number] = np.nan
    return values


def variable_or_label(
    name: str, unit: str, column: Sequence[str], missing: Sequence[float], index: int, first_line: int
) -> Variable | Label:
    """Numbers if every cell is one or missing. A column where more than half are numbers has a damaged cell: `malformed_row`."""
    values = try_numbers(column, missing)
    if values is not None:
        return Variable(name, unit, values)
    numeric = sum(try_numbers([cell], ()) is not None for cell in column if cell.strip())
    if 2 * numeric > len(column):
        as_numbers(column, missing, index, first_line)
    return Label(name, list(column))


def unique_names(names: Sequence[str]) -> list[str]:
    """Names as the header writes them; one without a name is `column_<n>`, and a repeated one gets `.2`, `.3` appended."""
    seen: set[str] = set()
    unique = []
    for position, written in enumerate(names, 1):
        name, count = written or f"column_{position}", 1
        while name in seen:
            count += 1
            name = f"{written or f'column_{position}'}.{count}"
        seen.add(name)
        unique.append(name)
    return unique


def safe_series(text: str) -> str:
    """A series name out of what a header says: letters, digits, dot, hyphen and underscore, a letter or digit first, at most 80
    characters; empty where nothing is left.
    """
    return UNSAFE.sub("_", text).rstrip("._").lstrip("._-")[:80]


def _within_limit(body: str, width: int, limit: int) -> None:
    if body.count("\n") * width > limit:
        raise NotReadable("too_large", f"{body.count(chr(10))} rows of {width} columns")
