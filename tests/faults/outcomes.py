"""What became of each fault of the catalogue, from the reports that pytest's runs left behind."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree

from tests.faults.catalogue import CATALOGUE, Fault, is_act

ACT = "act"
"""The property of a test's report that names an act which was done and judged."""


class Outcome(StrEnum):
    """Of a test, or of all tests of a fault together; what is further up counts for the whole."""

    FAILED = "✗ failed"
    NOT_RUN = "- not run"
    SKIPPED = "- skipped"
    SURVIVED = "✓ survived"


_WORST_FIRST = list(Outcome)


def read(reports: Iterable[Path]) -> dict[str, Outcome]:
    """By `<file below tests>::<function>`, what became of a test with all its parameters, and of each act that it did.

    A run that left no report counts for nothing.
    """
    found: dict[str, Outcome] = {}
    for report in reports:
        if not report.exists():
            continue
        for case in ElementTree.parse(report).iter("testcase"):
            file = case.get("classname", "").removeprefix("tests.").replace(".", "/") + ".py"
            acts = [each.get("value", "") for each in case.iter("property") if each.get("name") == ACT]
            for function in (case.get("name", "").partition("[")[0], *acts):
                name = f"{file}::{function}"
                found[name] = worst([found.get(name, Outcome.SURVIVED), _of(case)])
    return found


def of_fault(fault: Fault, tests: dict[str, Outcome]) -> Outcome:
    """The worst of its tests that can be run here."""
    names = [name for name in fault.tests if not (_is_played(fault, tests) and is_act(name))]
    return worst(_of_name(name, tests) for name in names) if names else Outcome.NOT_RUN


def how_of(fault: Fault, tests: dict[str, Outcome]) -> str:
    """How it happened: otherwise than the catalogue says where its acts could not be done here."""
    return fault.otherwise if _is_played(fault, tests) else fault.how


def _is_played(fault: Fault, tests: dict[str, Outcome]) -> bool:
    """Whether another way is named and no act of it was done."""
    acts = [name for name in fault.tests if is_act(name)]
    return bool(fault.otherwise) and all(_of_name(name, tests) is Outcome.NOT_RUN for name in acts)


def _of_name(name: str, tests: dict[str, Outcome]) -> Outcome:
    """An act that nobody noted was not run, or it failed where its file did, for a chain goes on from act to act."""
    if name in tests or not is_act(name):
        return tests.get(name, Outcome.NOT_RUN)
    file = name.partition("::")[0]
    has_failed = any(outcome is Outcome.FAILED for test, outcome in tests.items() if test.startswith(f"{file}::"))
    return Outcome.FAILED if has_failed else Outcome.NOT_RUN


def table(tests: dict[str, Outcome]) -> str:
    """Every fault in a line."""
    lines = []
    for group, faults in CATALOGUE.items():
        lines.append(f"{group}:")
        lines += [f"  {of_fault(fault, tests):<11} {how_of(fault, tests):<9}  {fault.name}" for fault in faults]
    return "\n".join(lines)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The one that counts for all of them."""
    return min(outcomes, key=_WORST_FIRST.index)


def _of(case: ElementTree.Element) -> Outcome:
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"}:
        return Outcome.FAILED
    return Outcome.SKIPPED if "skipped" in kinds else Outcome.SURVIVED
