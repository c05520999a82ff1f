"""Zones, sessions and fresh collections for the tests of the embedded zone."""

import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from irods.session import iRODSSession

from b2stream.sandbox.zone.process import EmbeddedZone

SessionMaker = Callable[..., iRODSSession]


@pytest.fixture(scope="module")
def shared_zone() -> Iterator[EmbeddedZone]:
    """One zone for the tests of a module that neither stop nor fill it."""
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedZone(Path(directory), "cscZone", second_users=["bob"]) as zone,
    ):
        yield zone


@pytest.fixture
def zone() -> Iterator[EmbeddedZone]:
    """A zone of the test's own, to kill, freeze or fill."""
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedZone(Path(directory), "cscZone", second_users=["bob"]) as zone,
    ):
        yield zone


@pytest.fixture
def open_session() -> Iterator[SessionMaker]:
    """Makes sessions of the unchanged python-irodsclient, and closes them after the test."""
    sessions: list[iRODSSession] = []

    def make(zone: EmbeddedZone, user: str = "rods", password: str = "rods", timeout_s: float = 30) -> iRODSSession:
        session = iRODSSession(host=zone.host, port=zone.port, user=user, password=password, zone=zone.zone_name)
        session.connection_timeout = timeout_s
        sessions.append(session)
        return session

    yield make
    for session in sessions:
        session.cleanup()


@pytest.fixture
def session(shared_zone: EmbeddedZone, open_session: SessionMaker) -> iRODSSession:
    """The administrator's session with the shared zone."""
    return open_session(shared_zone)


@pytest.fixture
def home(shared_zone: EmbeddedZone, session: iRODSSession) -> str:
    """A fresh collection in the shared zone."""
    path = f"{shared_zone.home}/{secrets.token_hex(4)}"
    session.collections.create(path)
    return path
