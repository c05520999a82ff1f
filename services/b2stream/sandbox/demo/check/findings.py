"""What is wrong, and where: each finding names the place so that someone can go there."""

import threading
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that is not as promised. `invariant` is one of the design's, e.g. I3."""

    invariant: str
    what: str
    station: str = ""
    file: str = ""
    centre: str = ""
    path: str = ""

    def __str__(self) -> str:
        place = " ".join(part for part in (self.station, self.file) if part)
        there = f" at {self.centre}" if self.centre else ""
        path = f" {self.path}" if self.path else ""
        return f"{self.invariant} {place or 'archive'}{there}{path}: {self.what}"


class Findings:
    """Collects what is wrong and counts what was compared: an invariant with nothing compared was not checked."""

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self.notes: list[str] = []
        self._counting = threading.Lock()  # both centres are read at once
        self.compared: Counter[tuple[str, str]] = Counter()  # by invariant and by what was compared

    def add(self, invariant: str, what: str, **place: str) -> None:
        """Note something that is wrong; `place` are station, file, centre and path as far as they are known."""
        self.found.append(Finding(invariant, what, **place))

    def count(self, invariant: str, what: str, number: int = 1) -> None:
        """Note that `number` comparisons were made for an invariant."""
        with self._counting:
            self.compared[invariant, what] += number
