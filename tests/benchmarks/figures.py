"""A figure of a benchmark: what was measured, beside its ceiling from the same run, against its aim."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`measured` is what the aim speaks of: ours to the ceiling or, where there is no ceiling, the value itself.

    `at_most` where smaller is better.
    """

    name: str
    value: str
    ceiling: str | None
    measured: float
    aim: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.measured <= self.aim if self.at_most else self.measured >= self.aim


def markdown(figures: Iterable[Figure]) -> str:
    """A table of figures."""
    lines = ["| what | b2stream | ceiling, same run | ratio | aim | met |", "|---|---|---|---|---|---|"]
    for each in figures:
        aim = f"{'≤' if each.at_most else '≥'} {each.aim:g}"
        met = "yes" if each.met else "**no**"
        ceiling, ratio = ("—", "—") if each.ceiling is None else (each.ceiling, f"{each.measured:.2f}")
        lines.append(f"| {each.name} | {each.value} | {ceiling} | {ratio} | {aim} | {met} |")
    return "\n".join(lines)
