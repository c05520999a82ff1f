"""A figure of a benchmark: what was measured, beside its ceiling from the same run, against its aim."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`ratio` is what the aim speaks of: ours to the ceiling, or the value itself; `at_most` where smaller is better."""

    name: str
    value: str
    ceiling: str
    ratio: float
    aim: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.ratio <= self.aim if self.at_most else self.ratio >= self.aim


def markdown(figures: Iterable[Figure]) -> str:
    """A table of figures."""
    lines = ["| what | b2stream | ceiling, same run | ratio | aim | met |", "|---|---|---|---|---|---|"]
    for each in figures:
        aim = f"{'≤' if each.at_most else '≥'} {each.aim:g}"
        met = "yes" if each.met else "**no**"
        lines.append(f"| {each.name} | {each.value} | {each.ceiling} | {each.ratio:.2f} | {aim} | {met} |")
    return "\n".join(lines)
