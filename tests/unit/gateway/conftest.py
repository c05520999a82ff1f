"""A stand per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.gateway.stands import Stand


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    made.close()
