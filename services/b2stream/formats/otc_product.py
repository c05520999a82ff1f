"""Ocean lines' exports for the ICOS Ocean Thematic Centre (OTC), as QuinCe writes them: CSV with ISO times, values and their judgements.

Recognised by content: the header begins with `Date/Time,` and has Longitude.
Station: the ship's code at the front of a name that begins with an expocode (`26NA20050107…` is ship 26NA on 2005-01-07); else none.
Series: `otc`. Time: Date/Time, ISO 8601 UTC with milliseconds; repeated time stamps occur and are kept.
Each value's columns `… QC Flag`, `… QC Comment` and `… Type` become labels under the value's name without its unit. WOCE flag 4 is
bad (2 good, 3 questionable). Unit: in brackets after the name. Missing: NaN, empty.
Source: QuinCe, github.com/BjerknesClimateDataCentre/QuinCe (export); WOCE flags: SOCAT quality control cookbook.
"""

import re

from b2stream.formats import instants, tables
from b2stream.formats.base import Label, NotReadable, Reading, SourceFile, Station, Variable
from b2stream.formats.standard_time import require_station

EXPOCODE = re.compile(r"(?P<ship>[0-9A-Z]{4})(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)", re.ASCII)
UNIT = re.compile(r"(?P<name>.*?)\s*\[(?P<unit>[^][]*)\]\Z")
JUDGEMENTS = (" QC Flag", " QC Comment", " Type")
BAD_FLAGS = ("4",)
FIRST_LINE = 2


class OtcProduct:
    """OTC CSV."""

    name = "otc-product"
    rank = 40

    def recognises(self, source: SourceFile) -> bool:
        head = source.head.removeprefix(b"\xef\xbb\xbf")
        return head.startswith((b"Date/Time,", b'"Date/Time",')) and b"Longitude" in head.partition(b"\n")[0]

    def read(self, source: SourceFile, station: Station) -> Reading:
        found = source.match_name(EXPOCODE)
        names_station = found["ship"] if found else None
        require_station(names_station, station)
        text, notes = tables.decode(source.content)
        (header,), body = tables.split_lines(text, 1)
        titles = tables.fields(header)
        if len(set(titles)) < len(titles):
            raise NotReadable("malformed_header", "a column occurs twice")
        table = dict(zip(titles, tables.columns(body, len(titles), FIRST_LINE), strict=True))
        instants_us = instants.from_iso([cell.strip().removesuffix("Z") for cell in table["Date/Time"]], FIRST_LINE)
        values = [title for title in titles[1:] if not _judged(title, titles)]
        names = dict(zip(values, tables.unique_names([_name_and_unit(title)[0] for title in values]), strict=True))
        return Reading(
            station=names_station,
            series="otc",
            start_us=int(instants_us[0]),
            offsets_s=instants.offsets(instants_us),
            variables=tuple(
                Variable(
                    names[title],
                    _name_and_unit(title)[1],
                    tables.as_numbers(table[title], (), titles.index(title), FIRST_LINE),
                )
                for title in values
            ),
            labels=tuple(
                _label(title, titles, names, list(table[title])) for title in titles[1:] if title not in names
            ),
            notes={"time": "from the column Date/Time, UTC", **notes},
        )


def _judged(title: str, titles: list[str]) -> str | None:
    """The value that a column judges or describes, by its title; None for a value."""
    for judgement in JUDGEMENTS:
        value = title.removesuffix(judgement)
        if value != title and value in titles:
            return value
    return None


def _label(title: str, titles: list[str], names: dict[str, str], cells: list[str]) -> Label:
    value = _judged(title, titles) or ""
    name = names.get(value, value)
    if title.endswith(JUDGEMENTS[0]):
        return Label(name + JUDGEMENTS[0], cells, judges=(name,), bad=BAD_FLAGS)
    return Label(name + title.removeprefix(value), cells)


def _name_and_unit(title: str) -> tuple[str, str]:
    found = UNIT.match(title)
    return (found["name"], found["unit"]) if found and found["name"] else (title, "")
