"""The result: a table per series, a line per invariant that was really checked, and where something is wrong."""

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

from .centres import Found
from .findings import Findings
from .history import whole_until
from .sources import Matched

NAMES = {
    "I1": "no loss, no double",
    "I2": "no hole",
    "I3": "no invention",
    "I4": "immutability",
    "I5": "announce after durable",
    "I6": "PID truth",
    "I7": "two copies",
    "I9": "origin",
    "I10": "bounded",
}
NOT_ARCHIVED = "(not archived)"
MOST_FINDINGS_SHOWN = 40


@dataclass(frozen=True)
class Line:
    """One series in the table. Batches at a centre count only with exactly their source's bytes."""

    station: str
    series: str
    files: int
    rows: int
    size_bytes: int
    whole_until: str | None
    at_first: int
    at_second: int
    verified: int


def lines(matched: list[Matched], first: Found, second: Found) -> list[Line]:
    """The table's lines, one per series that has a source file."""
    by_series: dict[tuple[str, str], list[Matched]] = defaultdict(list)
    for each in matched:
        by_series[each.source.station, each.batch.series if each.batch else NOT_ARCHIVED].append(each)
    table = []
    for (station, series), members in sorted(by_series.items()):
        held = {
            one.centre.role: {
                batch.path for each in members if (batch := each.batches[one.centre.role]) and one.holds(batch)
            }
            for one in (first, second)
        }
        good = held["first"] & held["second"]
        batches = [each.batch for each in members if each.batch]
        table.append(
            Line(
                station,
                series,
                len(members),
                sum(batch.rows for batch in batches),
                sum(each.size_bytes for each in members),
                whole_until(batches, good),
                len(held["first"]),
                len(held["second"]),
                len(good),
            )
        )
    return table


def as_text(table: list[Line], findings: Findings, first_name: str, second_name: str) -> str:
    """For a person."""
    head = ("station", "series", "batches", "rows", "bytes", "whole until", f"at {first_name}", f"at {second_name}")
    cells = [(*head, "verified")]
    for line in table:
        until = (line.whole_until or "—")[:19].replace("T", " ")
        numbers = (f"{line.files:,}", f"{line.rows:,}", f"{line.size_bytes:,}")
        verified = f"{line.verified} ✓" if line.verified == line.files else f"{line.verified} ✗"
        cells.append((line.station, line.series, *numbers, until, f"{line.at_first}", f"{line.at_second}", verified))
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    text = []
    for row in cells:
        shown = [
            cell.ljust(width) if column in (0, 1, 5) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        text.append("  ".join(shown).rstrip())
    return "\n".join([*text, "", *_invariants(findings), *_wrong(findings), ""])


def as_json(table: list[Line], findings: Findings, good: bool) -> str:
    """For a machine."""
    compared: dict[str, dict[str, int]] = defaultdict(dict)
    for (invariant, what), number in sorted(findings.compared.items()):
        compared[invariant][what] = number
    document: dict[str, Any] = {
        "good": good,
        "series": [asdict(line) for line in table],
        "compared": compared,
        "findings": [asdict(one) for one in findings.found],
        "notes": findings.notes,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _invariants(findings: Findings) -> list[str]:
    text = []
    for invariant, name in NAMES.items():
        told = [f"{number:,} {what}" for (of, what), number in findings.compared.items() if of == invariant]
        wrong = sum(one.invariant == invariant for one in findings.found)
        if told:
            held = "holds " if not wrong else "BROKEN"
            text.append(f"{invariant}  {held} {name}: {'; '.join(told)}" + (f"; {wrong} wrong" if wrong else ""))
    return text


def _wrong(findings: Findings) -> list[str]:
    text = ["", *(f"note: {note}" for note in findings.notes)] if findings.notes else []
    if findings.found:
        text += ["", f"{len(findings.found)} findings:"]
        text += [f"  {one}" for one in findings.found[:MOST_FINDINGS_SHOWN]]
        if len(findings.found) > MOST_FINDINGS_SHOWN:
            text.append(f"  … and {len(findings.found) - MOST_FINDINGS_SHOWN} more (--json has all)")
    return text
