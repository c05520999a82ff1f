"""Rows of a source file, counted in the plainest way: lines below the header. Not how the pipeline reads a file.

Only for the formats named here, as the manifest names them; for others nobody but a plan can know the number.
"""

import codecs
import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable

_INSTANT = re.compile(r'^"?[0-9]{14}"?(,|$)', re.MULTILINE)


def count(input_format: str, content: bytes) -> int | None:
    """Rows in a file's bytes (also packed by gzip or zip); None where nothing here can count them."""
    counter = _COUNTERS.get(input_format)
    if counter is None:
        return None
    try:
        text = _unpacked(content).removeprefix(codecs.BOM_UTF8).decode("latin-1")
        return counter(text.replace("\r\n", "\n").rstrip("\n"))
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, csv.Error):
        return None


def _unpacked(content: bytes) -> bytes:
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content)
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.read(next(one for one in archive.infolist() if not one.is_dir()))
    return content


def _lines_below(header_lines: int) -> Callable[[str], int]:
    return lambda text: len(text.split("\n")) - header_lines


def _records_below(header_lines: int) -> Callable[[str], int]:
    return lambda text: sum(1 for _ in csv.reader(io.StringIO(text, newline=""))) - header_lines


def _below_names_and_units(text: str) -> int:
    """Eddy covariance: a line of names, maybe one of units, then numbers only."""
    lines = text.split("\n")
    second = [cell.strip().strip('"') for cell in lines[1].split(",")] if len(lines) > 1 else []
    second_is_units = any(second) and not any(_is_number(cell) for cell in second)
    return len(lines) - 1 - second_is_units


def _below_the_first_instant(text: str) -> int:
    """Biomet: names, maybe units and more lines, then records from the first that begins with a time of 14 digits."""
    found = _INSTANT.search(text)
    return 0 if found is None else sum(1 for _ in csv.reader(io.StringIO(text[found.start() :], newline="")))


def _not_comments(text: str) -> int:
    return sum(not line.startswith("#") for line in text.split("\n"))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


_COUNTERS: dict[str, Callable[[str], int]] = {
    "etc-eddy-covariance": _below_names_and_units,
    "etc-biomet": _below_the_first_instant,
    "campbell-toa5": _records_below(4),
    "picarro-datalog": _lines_below(1),
    "atc-product": _not_comments,
    "otc-product": _records_below(1),
}
