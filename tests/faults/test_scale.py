"""One factor scales every length, `FULL=1` takes it away, and no module has a length of its own beside it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import scale

FOLDER = Path(__file__).parent
SCALING = {"scaled_s", "deadline_s"}
LENGTHS = {"AWAY", "FROZEN", "DEAD", "SILENT", "SILENCE", "ANSWER", "TIMEOUT", "STALL", "STALLED", "HEALED", "DRAIN"}
"""A constant in seconds whose name has one of these words is an outage, T, a timeout or a deadline."""
SETTINGS = {"silence_s", "timeout_s"}
SCALED_ELSEWHERE = {
    "schedule.py LONGEST_AWAY_S": "full length; `_length` scales what it draws",
    "schedule.py LONGEST_FROZEN_S": "full length; `_length` scales what it draws",
    "soak.py DRAIN_BAR_S": "a bar: it is the same at full length",
    "test_planted.py timeout_s": "of a planted bug, which no outage strikes",
    "test_steps_that_fail.py STALL_S": "with the long one: no outage, the program's own steps",
    "test_steps_that_fail.py LONG_STALL_S": "longer than a session",
}


def test_lengths_are_shorter_by_one_factor_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(scale.FULL_VARIABLE, raising=False)
    assert [scale.scaled_s(full_s) for full_s in (0, 90, 900)] == [0, 90 / scale.SHORTER_BY, 900 / scale.SHORTER_BY]
    assert f"1/{scale.SHORTER_BY:g} " in scale.told()
    assert "no shorter than a session or a poll needs" in scale.told()


@pytest.mark.parametrize(
    ("given", "length_s"), [("1", 900.0), ("", 900 / scale.SHORTER_BY), ("0", 900 / scale.SHORTER_BY)]
)
def test_full_lengths_are_asked_for_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, given: str, length_s: float
) -> None:
    monkeypatch.setenv(scale.FULL_VARIABLE, given)
    assert scale.scaled_s(900) == length_s
    assert ("full lengths" in scale.told()) is (given == "1")


@pytest.mark.parametrize(("given", "length_s", "deadline_s"), [("", 11.0, 120.0), ("1", 60.0, 960.0)])
def test_a_floor_holds_for_shortened_lengths_and_deadlines_grow_with_full_ones(
    monkeypatch: pytest.MonkeyPatch, given: str, length_s: float, deadline_s: float
) -> None:
    monkeypatch.setenv(scale.FULL_VARIABLE, given)
    assert scale.scaled_s(60, at_least_s=11) == length_s
    assert scale.deadline_s(120) == deadline_s


@pytest.mark.parametrize(("given", "length_s"), [("", 15.0), ("1", 900.0)])
def test_a_length_that_is_shorter_still_counts_only_where_lengths_are_scaled(
    monkeypatch: pytest.MonkeyPatch, given: str, length_s: float
) -> None:
    monkeypatch.setenv(scale.FULL_VARIABLE, given)
    assert scale.scaled_s(900, short_s=15) == length_s


def test_a_broker_that_is_away_outlasts_a_consumers_session() -> None:
    assert 90 / scale.SHORTER_BY > 10


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("AWAY_S = 90.0", ["AWAY_S"]),
        ("FIRST_DEAD_S: float = 8 + 2", ["FIRST_DEAD_S"]),
        ("SHORT_S, SILENT_S = 1, 14", ["SILENT_S"]),
        ("def act():\n    given = {variable('first', 'timeout_s'): '10'}", ["timeout_s"]),
        ("AWAY_S = scaled_s(90.0)", []),
        ("AWAY_S = max(scale.scaled_s(90.0), 11.0)", []),
        ("PACE_S = 0.1", []),
        ("given = {variable('first', 'timeout_s'): str(ANSWER_S)}", []),
    ],
)
def test_a_length_of_its_own_is_noticed(source: str, found: list[str]) -> None:
    assert list(_lengths_of_its_own(ast.parse(source))) == found


def test_no_module_has_a_length_that_the_factor_does_not_reach() -> None:
    found = {
        f"{file.name} {name}"
        for file in FOLDER.rglob("*.py")
        if file.parent.name != "judge"  # it judges afterwards: no fault strikes it
        for name in _lengths_of_its_own(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert found == set(SCALED_ELSEWHERE), "pass it through scaled_s or deadline_s"


def _lengths_of_its_own(tree: ast.Module) -> Iterator[str]:
    """Constants in seconds that are lengths, and settings that are, with a bare number."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value and not _scales(statement.value):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
            yield from (name for name in names if name.endswith("_S") and LENGTHS & set(name.split("_")))
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                words = [word.value for word in ast.walk(key) if isinstance(word, ast.Constant)] if key else []
                if isinstance(value, ast.Constant):
                    yield from (str(word) for word in words if word in SETTINGS)


def _scales(value: ast.expr) -> bool:
    called = [node.func for node in ast.walk(value) if isinstance(node, ast.Call)]
    names = {func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in called}
    return bool(names & SCALING)
