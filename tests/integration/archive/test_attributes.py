"""Attributes in iRODS: on an embedded zone always, on a real one where `B2STREAM_TEST_ZONE` names it."""

from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest

from b2stream.archive.location import open_store
from b2stream.archive.store import ObjectStore
from b2stream.sandbox.zone.process import EmbeddedZone
from tests.conformance.attributes import AttributesConformance
from tests.integration.archive.conftest import StoreAt, new_root


class TestEmbeddedZone(AttributesConformance):
    @pytest.fixture
    def store(self, zone: EmbeddedZone, store_at: StoreAt) -> ObjectStore:
        return store_at(zone)


class TestRealZone(AttributesConformance):
    @pytest.fixture
    def store(self, real_zone: str) -> Iterator[ObjectStore]:
        parts = urlsplit(real_zone)
        url = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{new_root()}"))
        store = open_store(url, "real", role="first")
        yield store
        store.close()
