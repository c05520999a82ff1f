"""What became of each fault of the catalogue, from the reports that pytest's runs left behind."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree

from tests.faults.catalogue import CATALOGUE, Fault


class Outcome(StrEnum):
    """Of a test, or of all tests of a fault together; what is further up counts for the whole."""

    FAILED = "✗ failed"
    NOT_RUN = "- not run"
    SKIPPED = "- skipped"
    SURVIVED = "✓ survived"


_WORST_FIRST = list(Outcome)


def read(reports: Iterable[Path]) -> dict[str, Outcome]:
    """By `<file below tests>::<function>`, what became of a test with all its parameters. A run that left no report counts for nothing."""
    found: dict[str, Outcome] = {}
    for report in reports:
        if not report.exists():
            continue
        for case in ElementTree.parse(report).iter("testcase"):
            file = case.get("classname", "").removeprefix("tests.").replace(".", "/") + ".py"
            name = f"{file}::{case.get('name', '').partition('[')[0]}"
            found[name] = worst([found.get(name, Outcome.SURVIVED), _of(case)])
    return found


def of_fault(fault: Fault, tests: dict[str, Outcome]) -> Outcome:
    """The worst of its tests; of an act within a chain that of its file, for a chain goes on from act to act."""
    return worst(_of_name(name, tests) for name in fault.tests) if fault.tests else Outcome.NOT_RUN


def _of_name(name: str, tests: dict[str, Outcome]) -> Outcome:
    file, _, function = name.partition("::")
    if function.startswith("test_"):
        return tests.get(name, Outcome.NOT_RUN)
    of_file = [outcome for test, outcome in tests.items() if test.startswith(f"{file}::")]
    return worst(of_file) if of_file else Outcome.NOT_RUN


def table(tests: dict[str, Outcome]) -> str:
    """Every fault in a line."""
    lines = []
    for group, faults in CATALOGUE.items():
        lines.append(f"{group}:")
        lines += [f"  {of_fault(fault, tests):<11} {fault.how:<9}  {fault.name}" for fault in faults]
    return "\n".join(lines)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The one that counts for all of them."""
    return min(outcomes, key=_WORST_FIRST.index)


def _of(case: ElementTree.Element) -> Outcome:
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"}:
        return Outcome.FAILED
    return Outcome.SKIPPED if "skipped" in kinds else Outcome.SURVIVED
