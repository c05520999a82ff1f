"""The conformance suite in memory, and on our REST client against recorded answers."""

from collections.abc import Iterator

import pytest

from b2stream.handles.memory import MemoryHandles
from b2stream.handles.rest import Login, RestHandles
from b2stream.handles.service import HandleService
from tests.conformance.handles import HandlesConformance
from tests.unit.handles.stub import PASSWORD, PREFIX, USER, StubHandleServer


class _ATestPrefix(HandlesConformance):
    @pytest.fixture
    def prefix(self) -> str:
        return PREFIX


class TestMemory(_ATestPrefix):
    @pytest.fixture
    def service(self) -> HandleService:
        return MemoryHandles()


class TestRecordedAnswers(_ATestPrefix):
    @pytest.fixture
    def service(self) -> Iterator[HandleService]:
        with StubHandleServer() as server:
            service = RestHandles(server.url, Login(USER, PASSWORD), timeout_s=30)
            yield service
            service.close()
