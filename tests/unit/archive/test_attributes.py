"""Attributes in memory."""

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.store import ObjectStore
from tests.conformance.attributes import AttributesConformance


class TestMemory(AttributesConformance):
    @pytest.fixture
    def store(self) -> ObjectStore:
        return MemoryStore()
