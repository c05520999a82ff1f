"""Attributes in iRODS: on an embedded zone always, on a real one where `B2STREAM_TEST_ZONE` names it."""

import pytest

from b2stream.archive.store import ObjectStore
from b2stream.sandbox.zone.process import EmbeddedZone
from tests.conformance.attributes import AttributesConformance
from tests.integration.archive.conftest import StoreAt


class TestEmbeddedZone(AttributesConformance):
    @pytest.fixture
    def store(self, zone: EmbeddedZone, store_at: StoreAt) -> ObjectStore:
        return store_at(zone)


class TestRealZone(AttributesConformance):
    @pytest.fixture
    def store(self, real_store: ObjectStore) -> ObjectStore:
        return real_store
