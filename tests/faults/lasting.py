"""When a fault strikes, and how long it lasts."""

import time
from collections.abc import Callable

from tests.faults.chain import Chain
from tests.faults.load import StationFile
from tests.waiting import PATIENCE_S, until


def in_mid(chain: Chain, label: str, step: str, files: list[StationFile], act: Callable[[], object]) -> None:
    """Give files, and act as soon as a program passes a step with them."""
    passed = chain.passed(label, step)
    chain.give(files)
    until(lambda: chain.passed(label, step) > passed, lambda: f"{label} does nothing: {chain.describe()}")
    act()


def over(began_s: float, length_s: float) -> None:
    """The rest of a fault's length, from the `time.monotonic()` at which it began."""
    until(lambda: time.monotonic() - began_s >= length_s, "the end of the fault", length_s + PATIENCE_S)
