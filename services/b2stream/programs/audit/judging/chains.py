"""The chain of each series: its numbers run on without a gap, and each close names the digest of the one before it.

Numbers are filled by manifests, commit events, closes still in the log, dead letters and repeats. A station whose closes were lost with
the log sends its batches again under new numbers, and the new close names the attempts that it supersedes: so many missing
numbers are no gap. Two closes with one number are a fork
(a station that lost its journal begins at 0 again): it is noted, and is nothing wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from b2stream.contracts.canonical import iso_utc
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.judging.findings import Finding, Kind

_SENT_AGAIN = """
SELECT count(*) AS n FROM superseded s WHERE s.station = :station AND s.series = :series
AND NOT EXISTS (SELECT 1 FROM close c WHERE c.attempt = s.attempt)
AND NOT EXISTS (SELECT 1 FROM letter l WHERE l.attempt = s.attempt)
AND NOT EXISTS (SELECT 1 FROM committed c WHERE c.attempt = s.attempt)
AND NOT EXISTS (SELECT 1 FROM manifest m WHERE m.attempt = s.attempt)
"""
_LINKS = """
SELECT station, series, number, digest, previous, batch, stop_us FROM manifest WHERE trouble IS NULL
UNION SELECT station, series, number, digest, previous, batch, stop_us FROM link
UNION SELECT station, series, number, NULL, NULL, batch, stop_us FROM committed
ORDER BY station, series, number
"""


@dataclass(slots=True)
class Series:
    """What became of one series: until when it is whole at each centre (ISO 8601; None: nothing dated is), and its forks."""

    station: str
    name: str
    batches: int = 0
    whole_until: dict[str, str | None] = field(default_factory=dict)
    whole_batches: dict[str, int] = field(default_factory=dict)
    forks: list[int] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "station": self.station,
            "series": self.name,
            "batches": self.batches,
            "whole_until": self.whole_until,
            "whole_batches": self.whole_batches,
            "forks": self.forks,
        }


def follow_chains(index: Index, centres: list[str]) -> Iterator[Series]:
    """Every series, in order; memory holds one number of one series at a time."""
    for (station, name), rows in groupby(index.rows(_LINKS), key=lambda row: (row["station"], row["series"])):
        walk = _Walk(Series(station, name), dict.fromkeys(centres, True))
        for number, links in groupby(rows, key=lambda row: row["number"]):
            walk.step(index, number, list(links))
        yield walk.series


@dataclass(slots=True)
class _Walk:
    series: Series
    still_whole: dict[str, bool]
    expected: int = 0
    before: set[str] = field(default_factory=set)
    sent_again: int | None = None  # attempts that were superseded and left no other trace; None: not asked yet
    stops_us: dict[str, int] = field(default_factory=dict)

    def step(self, index: Index, number: int, links: list[Any]) -> None:
        path = f"{self.series.station}/{self.series.name}"
        if number > self.expected:
            self._gap(index, path, number)
        closes = {link["digest"]: link for link in links if link["digest"] is not None}
        batches = {link["batch"] for link in links}
        self.series.batches += len(batches)
        if len(closes) > 1:
            self.series.forks.append(number)
        for digest, link in closes.items():
            is_right = link["previous"] is None if number == 0 else not self.before or link["previous"] in self.before
            if not is_right:
                detail = f"number {number} names another previous close ({digest[:12]} names {link['previous']})"
                self.series.findings.append(Finding(Kind.BROKEN_CHAIN, path, "", link["batch"], detail))
        self._note_whole(index, batches, max((link["stop_us"] or 0 for link in links), default=0))
        self.expected, self.before = number + 1, set(closes)

    def _gap(self, index: Index, path: str, number: int) -> None:
        last, missing = number - 1, number - self.expected
        self.before = set()
        if self.sent_again is None:
            row = index.one(_SENT_AGAIN, station=self.series.station, series=self.series.name)
            self.sent_again = int(row["n"]) if row else 0
        if missing <= self.sent_again:
            self.sent_again -= missing
            return
        which = f"number {last}" if last == self.expected else f"numbers {self.expected} to {last}"
        detail = f"{which}: no manifest, event or letter"
        self.series.findings.append(Finding(Kind.GAP, f"{path}#{self.expected}", detail=detail))
        self.still_whole = dict.fromkeys(self.still_whole, False)

    def _note_whole(self, index: Index, batches: set[str], stop_us: int) -> None:
        for centre in self.still_whole:
            query = "SELECT 1 FROM whole WHERE batch = :batch AND centre = :centre"
            if not all(index.one(query, batch=batch, centre=centre) for batch in batches):
                self.still_whole[centre] = False
            if self.still_whole[centre]:
                self.series.whole_batches[centre] = self.series.whole_batches.get(centre, 0) + len(batches)
                self.stops_us[centre] = max(self.stops_us.get(centre, 0), stop_us)
            latest_us = self.stops_us.get(centre, 0)
            self.series.whole_until[centre] = iso_utc(latest_us) if latest_us else None
