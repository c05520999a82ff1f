"""The table of faults says what the runs said: nothing is called survived that did not run."""

from pathlib import Path

import pytest

from tests.faults import outcomes
from tests.faults.catalogue import REAL, Fault
from tests.faults.outcomes import Outcome

REPORT = """<testsuites><testsuite name="pytest">
<testcase classname="tests.faults.test_disks" name="test_one[a]"/>
<testcase classname="tests.faults.test_disks" name="test_one[b]"><failure message="no"/></testcase>
<testcase classname="tests.faults.test_disks" name="test_two"><skipped message="not here"/></testcase>
<testcase classname="tests.faults.test_disks" name="test_three"/>
<testcase classname="tests.faults.test_disks" name="test_four"><error message="at the start"/></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("tests", "outcome"),
    [
        (("test_three",), Outcome.SURVIVED),
        (("test_one",), Outcome.FAILED),
        (("test_four",), Outcome.FAILED),
        (("test_three", "test_two"), Outcome.SKIPPED),
        (("test_three", "test_five"), Outcome.NOT_RUN),
        (("_an_act_of_a_chain",), Outcome.FAILED),
        ((), Outcome.NOT_RUN),
    ],
)
def test_a_fault_is_survived_only_where_all_its_tests_passed(
    tmp_path: Path, tests: tuple[str, ...], outcome: Outcome
) -> None:
    (tmp_path / "report.xml").write_text(REPORT, encoding="utf-8")
    found = outcomes.read([tmp_path / "report.xml", tmp_path / "of-a-run-that-died.xml"])
    fault = Fault("a fault", REAL, tuple(f"faults/test_disks.py::{name}" for name in tests))
    assert outcomes.of_fault(fault, found) is outcome


def test_every_fault_has_its_line() -> None:
    lines = outcomes.table({}).splitlines()
    assert len(lines) > 100
    assert all("not run" in line for line in lines if line.startswith("  "))
