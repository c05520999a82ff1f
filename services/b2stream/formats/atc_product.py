"""Time series products of the ICOS Atmosphere Thematic Centre (ATC): `# KEY: value` header, semicolons; plain or packed.

Recognised by content: it begins with `#` and its header has a line TOTAL LINES or a line `#Site;…`.
Station: STATION CODE of the header, `GAT`; the rows' column Site must not differ. Series: species, sampling height in metres and
instrument, `CO2_341_489`; a height or instrument that changes within the file is written `mixed`.
Time: columns Year to Minute (and Second), UTC whatever TIME ZONE in the header says (that is the site's); the START of the average.
HEADER LINES and TOTAL LINES are checked: fewer lines are `truncated`, more are `line_count`.
Missing: -999.990, -999.99, -9.99. Flag judges the species and its Stdev: N, K and H are bad; U, O and R are good.
Source: Hazan et al. 2016, doi:10.5194/amt-9-4719-2016 (flags); the header of the files ("Times are UTC").
"""

import re

import numpy as np
from numpy.typing import NDArray

from b2stream.formats import instants, tables
from b2stream.formats.base import Label, NotReadable, Reading, SourceFile, Station, Variable
from b2stream.formats.standard_time import require_station

HEADER_ENTRY = re.compile(r"#\s*([A-Z][A-Z/ ]*):\s*(.*)")
MISSING = (-999.99, -9.99)
BAD_FLAGS = ("N", "K", "H")
TIME_COLUMNS = ("Year", "Month", "Day", "Hour", "Minute", "Second")
LEFT_OUT = ("Site", *TIME_COLUMNS, "DecimalDate")
LABELS = ("Flag", "InstrumentId", "QualityId", "InternalFlag", "AutoDescriptiveFlag", "ManualDescriptiveFlag")


class AtcProduct:
    """ATC `#`-header CSV."""

    name = "atc-product"
    rank = 10

    def recognises(self, source: SourceFile) -> bool:
        head = source.head.removeprefix(b"\xef\xbb\xbf")
        return head.startswith(b"#") and (b"\n# TOTAL LINES:" in head or b"\n#Site;" in head)

    def read(self, source: SourceFile, station: Station) -> Reading:
        text, notes = tables.decode(source.content)
        header, names, body, first_line = split_header(text)
        code = header.get("STATION CODE") or body.partition(";")[0] or None
        require_station(code, station)
        cells = dict(zip(names, tables.columns(body, len(names), first_line, ";"), strict=True))
        if any(site != code for site in cells["Site"]):
            raise NotReadable("malformed_row", f"the column Site names another station than {code}", names_station=code)
        instants_us = instants_of(cells, first_line)
        species = header.get("PARAMETER", "").strip()
        measured = [name for name in names if species and name.lower().startswith(species.lower())]
        judged = tuple(name for name in (species.lower(), "Stdev") if name in names)
        variables = tuple(
            Variable(
                name,
                _unit(name, measured, header),
                tables.as_numbers(cells[name], MISSING, names.index(name), first_line),
            )
            for name in names
            if name not in LEFT_OUT and name not in LABELS
        )
        labels = tuple(
            Label(name, list(cells[name]), *((judged, BAD_FLAGS) if name == "Flag" else ()))
            for name in LABELS
            if name in cells
        )
        notes["time"] = "from the columns Year to Minute, UTC, start of the average"
        notes["left_out"] = ", ".join(name for name in LEFT_OUT if name in cells)
        notes["header"] = "; ".join(
            f"{key}: {header[key]}" for key in ("TITLE", "TIME INTERVAL", "MEASUREMENT SCALE") if key in header
        )
        return Reading(
            code,
            series_of(species, cells),
            int(instants_us[0]),
            instants.offsets(instants_us),
            variables,
            labels,
            notes,
        )


def split_header(text: str) -> tuple[dict[str, str], list[str], str, int]:
    """Header entries, column names, the text of the rows, and the line number of the first. Checks the promised line counts."""
    body_at = 0
    lines = []
    while text.startswith("#", body_at):
        end = text.index("\n", body_at)
        lines.append(text[body_at:end])
        body_at = end + 1
    header = {found[1].strip(): found[2].strip() for line in lines if (found := HEADER_ENTRY.match(line))}
    _check_count("header", header.get("HEADER LINES"), len(lines))
    _check_count("whole file", header.get("TOTAL LINES"), text.count("\n"))
    names = tables.fields(lines[-1].removeprefix("#"), ";")
    if "Site" not in names or len(set(names)) < len(names):
        raise NotReadable(
            "truncated" if text.count("\n") == len(lines) else "malformed_header", "no line `#Site;…` ends the header"
        )
    return header, names, text[body_at:], len(lines) + 1


def instants_of(cells: dict[str, tuple[str, ...]], first_line: int) -> NDArray[np.int64]:
    """Microseconds UTC by row. Raises NotReadable."""
    if any(name not in cells for name in TIME_COLUMNS[:5]):
        raise NotReadable("malformed_header", "the columns Year, Month, Day, Hour and Minute are needed")
    parts = [cells[name] for name in TIME_COLUMNS if name in cells]
    compact = ["".join(part.zfill(2) for part in row) for row in zip(*parts, strict=True)]
    return instants.from_compact(compact, first_line)


def series_of(species: str, cells: dict[str, tuple[str, ...]]) -> str:
    """`CO2_341_489`: species, height without a trailing `.0`, instrument."""
    parts = [species or "ATC"]
    for name in ("SamplingHeight", "InstrumentId"):
        different = {cell.strip().removesuffix(".0") for cell in cells.get(name, ())}
        parts += ["mixed"] if len(different) > 1 else [cell for cell in different if cell]
    return tables.safe_series("_".join(parts)) or "ATC"


def _unit(name: str, measured: list[str], header: dict[str, str]) -> str:
    if name in measured or name == "Stdev":
        return header.get("MEASUREMENT UNIT", "")
    return "m" if name == "SamplingHeight" else ""


def _check_count(what: str, promised: str | None, found: int) -> None:
    if promised is None or not re.fullmatch(r"\d{1,12}", promised):
        return
    if int(promised) != found:
        reason = "truncated" if found < int(promised) else "line_count"
        raise NotReadable(reason, f"{what}: {found} lines instead of {promised}")
