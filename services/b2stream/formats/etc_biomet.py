"""Raw biomet (meteorology and soil) files of ICOS ecosystem stations (ETC): CSV with TIMESTAMP, plain or zip.

Recognised by name: `CH-Dav_BM_20230328_L02_F03.zip` or `.csv`; the time part of the name may have minutes.
Station: before `_BM_`. Series: `BM_L02_F03` by logger and file number.
Time: the column TIMESTAMP, yyyyMMddHHmmss in the station's standard time, as the logger writes it.
Header: names, then maybe units and more lines, up to the first line that begins with 14 digits. Missing: -9999, NAN.
Columns that are not numbers become labels.
Source: Sabbatini et al., ICOS Ecosystem Instructions for the raw data formats, www.icos-etc.eu/icos/documents/instructions.
"""

import re

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

NAME = re.compile(rf"(?P<station>{STATION_ID})_BM_\d{{8,14}}_(?P<logger>L\d\d_F\d\d)(?![0-9A-Za-z])", re.ASCII)
DATA_LINE = re.compile(r'^"?\d{14}"?(,|$)', re.ASCII | re.MULTILINE)
HEADER_LINES_LIMIT = 10


class EtcBiomet:
    """ETC biomet CSV."""

    name = "etc-biomet"
    rank = 60

    def recognises(self, source: SourceFile) -> bool:
        return source.match_name(NAME) is not None

    def read(self, source: SourceFile, station: Station) -> Reading:
        found = source.match_name(NAME)
        if found is None:
            raise NotReadable("not_recognised", "the name is not that of a biomet file")
        offset_us, standard_time = standard_offset(found["station"], station)
        text, notes = tables.decode(source.content)
        names, units, body, first_line = split_header(text)
        table = tables.columns(body, len(names), first_line)
        instants_us = instants.from_compact(table[0], first_line) - offset_us
        columns = [
            tables.variable_or_label(names[i], units[i], table[i], tables.MINUS_9999, i, first_line)
            for i in range(1, len(names))
        ]
        return Reading(
            station=found["station"],
            series=f"BM_{found['logger']}",
            start_us=int(instants_us[0]),
            offsets_s=instants.offsets(instants_us),
            variables=tuple(column for column in columns if isinstance(column, Variable)),
            labels=tuple(column for column in columns if isinstance(column, Label)),
            notes={"time": "from the column TIMESTAMP", "standard_time": standard_time, **notes},
        )


def split_header(text: str) -> tuple[list[str], list[str], str, int]:
    """Names, units, the text of the rows, and the line number of the first row. Raises NotReadable."""
    data = DATA_LINE.search(text)
    header = text[: data.start()] if data else text
    lines = header.split("\n", HEADER_LINES_LIMIT)[:HEADER_LINES_LIMIT]
    names = tables.fields(lines[0])
    if names[:1] != ["TIMESTAMP"]:
        raise NotReadable("malformed_header", "line 1 does not begin with TIMESTAMP")
    units = tables.fields(lines[1]) if len(lines) > 2 else []
    if len(units) != len(names):
        units = [""] * len(names)
    body = text[data.start() :].rstrip("\n") + "\n" if data else ""
    if not data and header.count("\n") > HEADER_LINES_LIMIT:
        raise NotReadable("malformed_row", "no line begins with a TIMESTAMP of 14 digits")
    return tables.unique_names(names), units, body, header.count("\n") + 1
