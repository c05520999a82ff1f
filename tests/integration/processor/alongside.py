"""Tests that mostly wait, for a session to end or a server to come back: they run in the background, a few at a time.

All that were collected start with the first test of this folder, and each, when its turn comes, waits for how it ended.
"""

import inspect
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.processor.conftest import Deployment

AT_ONCE = 3

Scenario = Callable[..., None]


def alongside(scenario: Scenario) -> Scenario:
    """Make a test of `scenario(deployment, ...)`; its other arguments can only be parameters, not fixtures."""

    def test(background: Background, request: pytest.FixtureRequest, **_: Any) -> None:
        background.wait_for(request.node.nodeid)

    ours = list(inspect.signature(test).parameters.values())[:2]
    parameters = list(inspect.signature(scenario).parameters.values())[1:]
    test.__signature__ = inspect.Signature([*ours, *parameters])  # type: ignore[attr-defined]  # it is what pytest asks for
    test.__name__, test.__doc__, test.__module__ = scenario.__name__, scenario.__doc__, scenario.__module__
    test.scenario = scenario  # type: ignore[attr-defined]
    return test


def scenario_of(item: pytest.Item) -> Scenario | None:
    """What runs in the background for this test, if it is one of these."""
    return getattr(getattr(item, "function", None), "scenario", None)


class Background:
    """Runs the scenarios of these tests, each with a deployment of its own."""

    def __init__(self, items: Sequence[pytest.Item], new: "Callable[[Path], Deployment]", folder: Path) -> None:
        self._new = new
        self._pool = ThreadPoolExecutor(AT_ONCE, "alongside")
        self._endings: dict[str, Future[None]] = {}
        for number, item in enumerate(items):
            scenario = scenario_of(item)
            if scenario is not None:
                given = item.callspec.params if hasattr(item, "callspec") else {}
                self._endings[item.nodeid] = self._pool.submit(self._run, scenario, folder / str(number), given)

    def _run(self, scenario: Scenario, folder: Path, given: dict[str, object]) -> None:
        folder.mkdir()
        deployment = self._new(folder)
        try:
            scenario(deployment, **given)
        except BaseException as error:
            error.add_note(deployment.said())
            raise
        finally:
            deployment.close()

    def wait_for(self, test: str) -> None:
        """Wait for the end of a test's scenario; raises what it raised, with what its processors said."""
        self._endings[test].result()

    def close(self) -> None:
        """Start no more, and wait for those that run."""
        self._pool.shutdown(cancel_futures=True)
