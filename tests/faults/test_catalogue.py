"""The table of faults tells the truth: each test that it names is there, and what is not covered says why."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.faults.catalogue import CATALOGUE, IN_MEMORY, INJECTED, REAL, Fault, is_act, table

TESTS = Path(__file__).parents[1]
FAULTS = [fault for faults in CATALOGUE.values() for fault in faults]


@cache
def functions_of(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_has_a_test_that_exists_or_a_reason(fault: Fault) -> None:
    assert fault.how in (REAL, INJECTED, IN_MEMORY)
    assert bool(fault.tests) != bool(fault.why_not)
    for test in fault.tests:
        file, _, function = test.partition("::")
        assert (TESTS / file).is_file(), test
        assert function in functions_of(TESTS / file), test


def test_each_fault_stands_in_the_printed_table_once() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert all(f" {fault.name}\n" in table() for fault in FAULTS)


def test_each_chain_of_acts_notes_what_it_did() -> None:
    """Else the table would say of each of them that it was not run."""
    for file in {test.partition("::")[0] for fault in FAULTS for test in fault.tests if is_act(test)}:
        assert "note(act)" in (TESTS / file).read_text(encoding="utf-8"), file


def test_what_a_chain_names_as_an_act_is_one_that_it_does() -> None:
    """A function that nobody calls would cover nothing."""
    for fault in FAULTS:
        for file, _, function in (test.partition("::") for test in fault.tests):
            if is_act(f"{file}::{function}"):
                assert (TESTS / file).read_text(encoding="utf-8").count(function) > 1, f"{file}: nobody does {function}"
