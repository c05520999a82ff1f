"""A stand per test, and the topics that it reads."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from b2stream.contracts.records import BatchClosed
from tests.unit.gateway.stands import Stand
from tests.unit.gateway.topics_in_memory import Topics


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    made.close()


@pytest.fixture
def topics() -> Topics:
    return Topics()


@pytest.fixture
def sent(stand: Stand) -> BatchClosed:
    """A file that was sent, and its close."""
    stand.write("a.bin", b"content")
    gateway = stand.start()
    gateway.step()
    return stand.log.closes()[0]
