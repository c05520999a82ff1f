"""What `verify` says: one line for each thing that was compared, and what came out."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

EXIT_GOOD, EXIT_FINDING, EXIT_UNREACHABLE = 0, 1, 3


class Outcome(StrEnum):
    """How a check ended."""

    GOOD = "good"
    BAD = "bad"
    UNREACHABLE = "unreachable"
    LEFT_OUT = "left out"  # there is nothing to compare with; never a finding


_MARKS = {Outcome.GOOD: "✓", Outcome.BAD: "✗", Outcome.UNREACHABLE: "?", Outcome.LEFT_OUT: "-"}


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison. `where` is a centre's name, or what else was asked."""

    where: str
    about: str
    outcome: Outcome
    detail: str = ""

    def line(self) -> str:
        """The check in one line."""
        left_out = "left out: " if self.outcome is Outcome.LEFT_OUT else ""
        return (
            f"{_MARKS[self.outcome]} {self.where}: {left_out}{self.about}{f' ({self.detail})' if self.detail else ''}"
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compared(where: str, about: str, found: object, expected: object) -> Check:
    """A check that two values are equal; where they are not, both are named."""
    if found == expected:
        return Check(where, about, Outcome.GOOD)
    return Check(where, about, Outcome.BAD, f"{found}, expected {expected}")


def exit_code(checks: Iterable[Check]) -> int:
    """1 where anything is bad, else 3 where anything did not answer, else 0."""
    outcomes = {check.outcome for check in checks}
    if Outcome.BAD in outcomes:
        return EXIT_FINDING
    return EXIT_UNREACHABLE if Outcome.UNREACHABLE in outcomes else EXIT_GOOD
