"""The table of faults says what the runs said: nothing is called survived that did not run."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.faults import outcomes
from tests.faults.catalogue import INJECTED, REAL, Fault
from tests.faults.outcomes import Outcome

REPORT = """<testsuites><testsuite name="pytest">
<testcase classname="tests.faults.test_disks" name="test_one[a]"/>
<testcase classname="tests.faults.test_disks" name="test_one[b]"><failure message="no"/></testcase>
<testcase classname="tests.faults.test_disks" name="test_two"><skipped message="not here"/></testcase>
<testcase classname="tests.faults.test_disks" name="test_three"/>
<testcase classname="tests.faults.test_disks" name="test_four"><error message="at the start"/></testcase>
<testcase classname="tests.faults.test_quiet" name="test_chain"><properties>
<property name="act" value="_one_that_was_done"/><property name="seed" value="_another"/></properties></testcase>
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


@pytest.mark.parametrize(
    ("tests", "otherwise", "outcome", "how"),
    [
        (("test_quiet.py::_one_that_was_done",), "", Outcome.SURVIVED, REAL),
        (("test_quiet.py::_another",), "", Outcome.NOT_RUN, REAL),
        (("test_quiet.py::_one_that_was_done", "test_disks.py::test_three"), INJECTED, Outcome.SURVIVED, REAL),
        (("test_quiet.py::_another", "test_disks.py::test_three"), "", Outcome.NOT_RUN, REAL),
        (("test_quiet.py::_another", "test_disks.py::test_three"), INJECTED, Outcome.SURVIVED, INJECTED),
        (("test_quiet.py::_another", "test_disks.py::test_two"), INJECTED, Outcome.SKIPPED, INJECTED),
        (("test_disks.py::_another", "test_disks.py::test_three"), INJECTED, Outcome.FAILED, REAL),
    ],
)
def test_an_act_is_survived_only_where_it_was_done_and_else_the_table_says_how_it_was_played(
    tmp_path: Path, tests: tuple[str, ...], otherwise: str, outcome: Outcome, how: str
) -> None:
    (tmp_path / "report.xml").write_text(REPORT, encoding="utf-8")
    found = outcomes.read([tmp_path / "report.xml"])
    fault = Fault("a fault", REAL, tuple(f"faults/{name}" for name in tests), otherwise=otherwise)
    assert outcomes.of_fault(fault, found) is outcome
    assert outcomes.how_of(fault, found) == how


def test_an_act_that_was_done_is_named_in_the_report(
    note: Callable[[Callable[..., object]], None], request: pytest.FixtureRequest
) -> None:
    note(partial(test_every_fault_has_its_line))
    assert request.node.user_properties == [(outcomes.ACT, "test_every_fault_has_its_line")]


def test_every_fault_has_its_line() -> None:
    lines = outcomes.table({}).splitlines()
    assert len(lines) > 100
    assert all("not run" in line for line in lines if line.startswith("  "))
