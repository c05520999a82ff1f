"""Stores with a root of their own in the shared zone."""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from b2stream.archive.location import open_store
from b2stream.archive.store import ObjectStore
from b2stream.sandbox.zone.process import EmbeddedZone

StoreAt = Callable[..., ObjectStore]


@pytest.fixture
def zone(zones: tuple[EmbeddedZone, EmbeddedZone]) -> EmbeddedZone:
    return zones[0]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without the developer's own ~/.irods."""
    return {"HOME": str(tmp_path), "B2STREAM_FIRST_PASSWORD": "rods"}


def new_root() -> str:
    return f"b2stream-{secrets.token_hex(6)}"


@pytest.fixture
def store_at(environment: dict[str, str]) -> Iterator[StoreAt]:
    """Opens stores at a zone, each with a new root unless one is given, and closes them."""
    opened: list[ObjectStore] = []

    def open_at(zone: EmbeddedZone, *, root: str = "", timeout_s: float = 20.0) -> ObjectStore:
        url = f"irods://{zone.user}@{zone.host}:{zone.port}{zone.home}/{root or new_root()}"
        store = open_store(url, "csc", role="first", timeout_s=timeout_s, environment=environment)
        opened.append(store)
        return store

    yield open_at
    for store in opened:
        store.close()


@pytest.fixture
def real_zone() -> str:
    url = os.environ.get("B2STREAM_TEST_ZONE")
    if not url:
        pytest.skip("B2STREAM_TEST_ZONE=irods://user@host:1247/zone/home/user/path names no real zone")
    return url


@pytest.fixture
def real_store(real_zone: str) -> Iterator[ObjectStore]:
    """A store with a new root in the zone that `B2STREAM_TEST_ZONE` names."""
    parts = urlsplit(real_zone)
    store = open_store(urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{new_root()}")), "real", role="first")
    yield store
    store.close()
