"""What others meet while an object is being written, and who wins when several start at once."""

from collections.abc import Iterator
from functools import partial

import irods.keywords as kw
import pytest
from irods.meta import iRODSMeta
from irods.models import DataObject
from irods.session import iRODSSession

from b2stream.sandbox.zone.process import EmbeddedZone
from tests.integration.zone.conftest import SessionMaker
from tests.integration.zone.objects import GOOD, HELLO, INTERMEDIATE, race, read, refused, replica, write


@pytest.fixture
def locked(shared_zone: EmbeddedZone, open_session: SessionMaker, home: str) -> Iterator[str]:
    """The path of an object that another live session has open for writing."""
    path = f"{home}/locked"
    handle = open_session(shared_zone).data_objects.open(path, "w")
    handle.write(HELLO)
    handle.flush()
    yield path
    handle.close()


def test_an_object_being_written_is_intermediate_of_size_0(session: iRODSSession, locked: str) -> None:
    assert replica(session, locked) == (INTERMEDIATE, 0, None)


def test_a_second_writer_and_a_reader_are_refused(session: iRODSSession, locked: str) -> None:
    with refused(-1803000):
        write(session, locked)
    with refused(-1803000):
        read(session, locked)


def test_its_checksum_is_refused(session: iRODSSession, locked: str) -> None:
    with refused(-1803000):
        session.data_objects.chksum(locked)


def test_its_removal_is_refused_and_so_is_its_collection_s(session: iRODSSession, locked: str, home: str) -> None:
    with refused(-406000):
        session.data_objects.unlink(locked, force=True)
    with refused(-821000):
        session.collections.remove(home, force=True)


def test_it_takes_triples(session: iRODSSession, locked: str) -> None:
    session.metadata.add(DataObject, locked, iRODSMeta("a", "1"))


def test_without_the_writer_s_token_nobody_joins(session: iRODSSession, locked: str) -> None:
    options = {kw.RESC_HIER_STR_KW: "demoResc", kw.REPLICA_TOKEN_KW: "made-up"}
    with refused(-405000):
        session.data_objects.open(locked, "a", **options)


def test_after_the_writer_closes_the_object_is_open_to_all(
    shared_zone: EmbeddedZone, open_session: SessionMaker, session: iRODSSession, home: str
) -> None:
    handle = open_session(shared_zone).data_objects.open(f"{home}/x", "w")
    handle.write(HELLO)
    handle.close()
    assert read(session, f"{home}/x") == HELLO
    write(session, f"{home}/x", b"new")


def test_an_object_that_is_being_read_can_be_overwritten(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x")
    with session.data_objects.open(f"{home}/x", "r"):
        write(session, f"{home}/x", b"new")
    assert read(session, f"{home}/x") == b"new"


def test_appending_and_patching_keep_the_rest(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x")
    with session.data_objects.open(f"{home}/x", "a") as handle:
        handle.write(b"more")
    with session.data_objects.open(f"{home}/x", "r+") as handle:
        handle.seek(6)
        handle.write(b"there")
    assert read(session, f"{home}/x") == b"hello there\nmore"
    assert replica(session, f"{home}/x")[:2] == (GOOD, 16)


def test_opened_to_patch_and_not_written_it_is_what_it_was(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x", keywords={kw.REG_CHKSUM_KW: ""})
    before = replica(session, f"{home}/x")
    session.data_objects.open(f"{home}/x", "r+").close()
    assert replica(session, f"{home}/x") == before


# What a loser is told depends on how far the winner is: creating, writing, or done being found.
LOST = {-809000, -405000, -1803000}


def test_of_racing_creators_exactly_one_wins_and_the_object_is_good(
    shared_zone: EmbeddedZone, open_session: SessionMaker, session: iRODSSession, home: str
) -> None:
    sessions = [open_session(shared_zone) for _ in range(4)]
    for racer in sessions:
        assert racer.collections.exists(home)
    for attempt in range(20):
        path = f"{home}/new{attempt}"
        handles: list[object] = []
        outcomes = race([partial(keep_open, racer, path, handles) for racer in sessions])
        assert outcomes.count(0) == 1
        assert {code for code in outcomes if code} <= LOST
        close_all(handles)
        assert replica(session, path)[0] == GOOD


def test_of_racing_overwriters_exactly_one_wins(
    shared_zone: EmbeddedZone, open_session: SessionMaker, session: iRODSSession, home: str
) -> None:
    sessions = [open_session(shared_zone) for _ in range(4)]
    write(session, f"{home}/x")
    for _ in range(20):
        handles: list[object] = []
        outcomes = race([partial(keep_open, racer, f"{home}/x", handles) for racer in sessions])
        assert outcomes.count(0) == 1
        assert {code for code in outcomes if code} <= {-154000, -1803000}
        close_all(handles)
        assert replica(session, f"{home}/x")[0] == GOOD


def keep_open(session: iRODSSession, path: str, handles: list[object]) -> None:
    handles.append(session.data_objects.open(path, "w"))


def close_all(handles: list[object]) -> None:
    for handle in handles:
        handle.close()  # type: ignore[attr-defined]
