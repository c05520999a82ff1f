"""A test that runs in the background can fail: what it raises is what its turn raises, and others go on."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.processor.alongside import Background, alongside, scenario_of


class Deployed:
    """Stands for a deployment."""

    closed = False

    def said(self) -> str:
        return "the processor's last words"

    def close(self) -> None:
        self.closed = True


def item(name: str, test: Any, **given: object) -> Any:
    return SimpleNamespace(nodeid=name, function=test, callspec=SimpleNamespace(params=given))


def test_its_failure_is_told_with_what_the_processors_said_and_its_processors_are_ended(tmp_path: Path) -> None:
    deployed: list[Deployed] = []

    def new(folder: Path) -> Any:
        deployed.append(Deployed())
        return deployed[-1]

    @alongside
    def passes(deployment: Any, step: str) -> None:
        assert step == "append"

    @alongside
    def fails(deployment: Any) -> None:
        raise AssertionError("a batch is missing")

    background = Background([item("passes", passes, step="append"), item("fails", fails)], new, tmp_path)
    background.wait_for("passes")
    with pytest.raises(AssertionError, match="a batch is missing") as found:
        background.wait_for("fails")
    assert "the processor's last words" in found.value.__notes__
    background.close()
    assert [each.closed for each in deployed] == [True, True]


def test_those_that_wait_for_each_other_run_at_the_same_time(tmp_path: Path) -> None:
    met = threading.Barrier(2, timeout=30.0)

    @alongside
    def meets(deployment: Any) -> None:
        met.wait()

    background = Background([item("one", meets), item("two", meets)], lambda folder: Deployed(), tmp_path)  # type: ignore[arg-type,return-value]
    background.wait_for("one")
    background.wait_for("two")
    background.close()


def test_a_test_of_the_foreground_is_none_of_these() -> None:
    assert scenario_of(item("this", test_a_test_of_the_foreground_is_none_of_these)) is None
