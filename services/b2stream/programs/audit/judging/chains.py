"""The chain of each series: its numbers run on without a gap, and each close names the digest of the one before it.

Numbers are filled by manifests, commit events, closes still in the log, dead letters and repeats. Two closes with one number are a fork
(a station that lost its journal begins at 0 again): it is noted, and is nothing wrong.

A close that its station signed with no key that it had then, or not at all, is a link only where the next one names its digest: that one is
the station's own word. So a station that went on with an ended key has no gap, and nobody else can fill one.

Closes that were lost with the log fill their numbers no more. Their station sends the batches again, and each new close names the
attempts that it supersedes, though not their numbers, which its journal alone knows. So numbers are no gap where as many attempts
without any other trace were superseded by later closes, and the log was lost in between: those closes came to another topic than
the close before the gap, or somebody recorded that a part of theirs was never read. Each attempt counts once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from b2stream.contracts.canonical import iso_utc
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.judging.findings import Finding, Kind

_SENT_AGAIN = """
SELECT s.by_number, s.by_topic,
EXISTS (SELECT 1 FROM skipped k WHERE k.topic_id = s.by_topic AND k.partition = s.by_partition) AS was_skipped
FROM superseded s WHERE s.station = :station AND s.series = :series AND s.by_number IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM link l WHERE l.attempt = s.attempt)
AND NOT EXISTS (SELECT 1 FROM close c WHERE c.attempt = s.attempt)
AND NOT EXISTS (SELECT 1 FROM letter l WHERE l.attempt = s.attempt)
AND NOT EXISTS (SELECT 1 FROM committed c WHERE c.attempt = s.attempt)
AND NOT EXISTS (SELECT 1 FROM manifest m WHERE m.attempt = s.attempt)
ORDER BY s.by_number
"""
_NAMED = """
SELECT 1 FROM link WHERE station = :station AND series = :series AND number = :number AND previous = :digest
UNION ALL SELECT 1 FROM manifest
WHERE station = :station AND series = :series AND number = :number AND previous = :digest AND trouble IS NULL AND forged IS NULL
"""
_LINKS = """
SELECT station, series, number, digest, previous, batch, stop_us, topic_id FROM manifest WHERE trouble IS NULL
UNION SELECT station, series, number, digest, previous, batch, stop_us, topic_id FROM link
UNION SELECT station, series, number, NULL, NULL, batch, stop_us, topic_id FROM committed
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
    _believe_what_is_named(index)
    for (station, name), rows in groupby(index.rows(_LINKS), key=lambda row: (row["station"], row["series"])):
        walk = _Walk(Series(station, name), dict.fromkeys(centres, True))
        for number, links in groupby(rows, key=lambda row: row["number"]):
            walk.step(index, number, list(links))
        yield walk.series


def _believe_what_is_named(index: Index) -> None:
    """Make links of claimed closes that the next close of their series names, from the end of each chain to its beginning."""
    for claimed in index.rows("SELECT * FROM claimed ORDER BY station, series, number DESC"):
        whose = {"station": claimed["station"], "series": claimed["series"]}
        if index.one(_NAMED, **whose, number=claimed["number"] + 1, digest=claimed["digest"]):
            index.put("link", [dict(claimed)], keep_first=True)


@dataclass(slots=True)
class _Walk:
    series: Series
    still_whole: dict[str, bool]
    expected: int = 0
    before: set[str] = field(default_factory=set)
    topics_before: set[str] = field(default_factory=set)  # Kafka's ids of those that the latest closes came to
    sent_again: list[Any] | None = None  # attempts that were superseded and left no other trace; None: not asked yet
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
        self.topics_before = {link["topic_id"] for link in links if link["topic_id"] is not None}

    def _gap(self, index: Index, path: str, number: int) -> None:
        last, missing = number - 1, number - self.expected
        self.before = set()
        if self.sent_again is None:
            whose = {"station": self.series.station, "series": self.series.name}
            self.sent_again = list(index.rows(_SENT_AGAIN, **whose))
        fitting = [each for each in self.sent_again if each["by_number"] >= number and self._log_was_lost(each)]
        if len(fitting) >= missing:
            for each in fitting[:missing]:  # those that no later gap could need before any other
                self.sent_again.remove(each)
            return
        which = f"number {last}" if last == self.expected else f"numbers {self.expected} to {last}"
        detail = f"{which}: no manifest, event or letter"
        self.series.findings.append(Finding(Kind.GAP, f"{path}#{self.expected}", detail=detail))
        self.still_whole = dict.fromkeys(self.still_whole, False)

    def _log_was_lost(self, sent_again: Any) -> bool:
        """Whether closes after the one before this number may have been lost with the log before the attempt was superseded."""
        return (
            bool(sent_again["was_skipped"]) or not self.topics_before or self.topics_before != {sent_again["by_topic"]}
        )

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
