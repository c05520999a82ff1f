"""The table of the benchmarks: a ratio stands there only where there is a ceiling to have one to."""

from pathlib import Path

import pytest

from tests.benchmarks.figures import Figure, markdown

DAYS = sorted((Path(__file__).parents[2] / "docs" / "benchmarks").glob("20*.md"))


def test_a_figure_with_a_ceiling_has_a_ratio() -> None:
    row = markdown([Figure("objects", "301 objects/s", "bare 373", 0.764, 0.9)]).splitlines()[-1]
    assert row == "| objects | 301 objects/s | bare 373 | 0.76 | ≥ 0.9 | **no** |"


@pytest.mark.parametrize(("seconds", "met"), [(0.194, "yes"), (0.3, "yes"), (0.4, "**no**")])
def test_a_figure_without_a_ceiling_has_none_and_is_judged_all_the_same(seconds: float, met: str) -> None:
    row = markdown([Figure("idle", f"{seconds} s", None, seconds, 0.3, at_most=True)]).splitlines()[-1]
    assert row == f"| idle | {seconds} s | — | — | ≤ 0.3 | {met} |"


def test_the_newest_record_says_it_like_that() -> None:
    rows = [line.split(" | ") for line in DAYS[-1].read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    without_ceiling = [row[3].removesuffix(" |") for row in rows if row[2] == "—"]
    assert without_ceiling
    assert set(without_ceiling) == {"—"}
