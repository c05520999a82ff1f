"""Fixtures for the processor's tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.processor.harness import Deployment


@pytest.fixture
def deploy(tmp_path: Path) -> Callable[..., Deployment]:
    """A deployment in memory, with the settings that a test names."""

    def make(**settings: Any) -> Deployment:
        return Deployment(tmp_path / "spool", **settings)

    return make
