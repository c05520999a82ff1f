"""Two users: who sees, reads, writes and removes what, by iRODS's native access lists."""

from collections.abc import Callable

import irods.keywords as kw
import pytest
from irods.access import iRODSAccess
from irods.exception import CAT_NO_ACCESS_PERMISSION, CollectionDoesNotExist
from irods.meta import iRODSMeta
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from b2stream.sandbox.zone.process import EmbeddedZone
from tests.integration.zone.conftest import SessionMaker
from tests.integration.zone.objects import HELLO, read, refused, write


@pytest.fixture
def bob(shared_zone: EmbeddedZone, open_session: SessionMaker) -> iRODSSession:
    return open_session(shared_zone, user="bob")


def grant(session: iRODSSession, path: str, level: str, user: str = "bob", *, recursive: bool = False) -> None:
    session.acls.set(iRODSAccess(level, path, user, "cscZone"), recursive=recursive)


def levels(session: iRODSSession, path: str) -> dict[str, str]:
    target = session.data_objects.get(path) if session.data_objects.exists(path) else session.collections.get(path)
    return {entry.user_name: entry.access_name for entry in session.acls.get(target)}


def test_a_collection_without_read_permission_does_not_exist(bob: iRODSSession, home: str) -> None:
    with pytest.raises(CollectionDoesNotExist):
        bob.collections.get(home)
    assert not bob.collections.exists(home)


def test_what_may_not_be_read_is_in_no_query(session: iRODSSession, bob: iRODSSession, home: str) -> None:
    write(session, f"{home}/x")
    assert list(bob.query(DataObject.name).filter(Collection.name == home)) == []
    grant(session, home, "read", recursive=True)
    assert [row[DataObject.name] for row in bob.query(DataObject.name).filter(Collection.name == home)] == ["x"]


def test_everyone_has_a_home_of_their_own(bob: iRODSSession, session: iRODSSession) -> None:
    write(bob, "/cscZone/home/bob/x")
    assert read(bob, "/cscZone/home/bob/x") == HELLO
    assert levels(bob, "/cscZone/home/bob/x") == {"bob": "own"}
    with refused(-818000):
        read(session, "/cscZone/home/bob/x")
    bob.data_objects.unlink("/cscZone/home/bob/x", force=True)


def test_writing_without_permission_names_the_collection(bob: iRODSSession, home: str) -> None:
    with pytest.raises(CAT_NO_ACCESS_PERMISSION, match=f"no permission to update collection '{home}'"):
        write(bob, f"{home}/x")


def test_nothing_of_another_s_object_can_be_changed(session: iRODSSession, bob: iRODSSession, home: str) -> None:
    write(session, f"{home}/x")
    attempts: list[Callable[[], object]] = [
        lambda: write(bob, f"{home}/x"),
        lambda: read(bob, f"{home}/x"),
        lambda: bob.data_objects.unlink(f"{home}/x", force=True),
        lambda: bob.data_objects.move(f"{home}/x", "/cscZone/home/bob/x"),
        lambda: bob.collections.create(f"{home}/c"),
        lambda: bob.collections.remove(home, force=True),
        lambda: bob.metadata.add(DataObject, f"{home}/x", iRODSMeta("a", "1")),
        lambda: grant(bob, f"{home}/x", "own"),
    ]
    for attempt in attempts:
        with refused(-818000):
            attempt()
    assert read(session, f"{home}/x") == HELLO


def test_read_permission_allows_reading_and_nothing_else(session: iRODSSession, bob: iRODSSession, home: str) -> None:
    write(session, f"{home}/x")
    grant(session, home, "read")
    grant(session, f"{home}/x", "read")
    assert read(bob, f"{home}/x") == HELLO
    assert bob.data_objects.get(f"{home}/x").size == 12
    with refused(-818000):
        write(bob, f"{home}/x")
    with refused(-818000):
        write(bob, f"{home}/y")


def test_write_permission_allows_creating_and_overwriting_but_not_removing(
    session: iRODSSession, bob: iRODSSession, home: str
) -> None:
    write(session, f"{home}/x")
    grant(session, home, "write", recursive=True)
    write(bob, f"{home}/x", b"bob's")
    write(bob, f"{home}/y")
    assert levels(session, f"{home}/x") == {"rods": "own", "bob": "modify_object"}
    with refused(-818000):
        bob.data_objects.unlink(f"{home}/x", force=True)
    bob.data_objects.unlink(f"{home}/y", force=True)


def test_the_level_null_takes_access_away(session: iRODSSession, bob: iRODSSession, home: str) -> None:
    grant(session, home, "read")
    assert bob.collections.exists(home)
    grant(session, home, "null")
    assert not bob.collections.exists(home)


def test_without_inheritance_new_objects_have_their_creator_only(session: iRODSSession, home: str) -> None:
    grant(session, home, "read")
    write(session, f"{home}/x")
    assert levels(session, f"{home}/x") == {"rods": "own"}


def test_with_inheritance_new_objects_and_collections_get_the_collection_s_access(
    session: iRODSSession, bob: iRODSSession, home: str
) -> None:
    grant(session, home, "read")
    session.acls.set(iRODSAccess("inherit", home))
    session.collections.create(f"{home}/inner")
    write(session, f"{home}/inner/x")
    assert session.collections.get(f"{home}/inner").inheritance
    assert levels(session, f"{home}/inner") == {"rods": "own", "bob": "read_object"}
    assert read(bob, f"{home}/inner/x") == HELLO
    session.acls.set(iRODSAccess("noinherit", home))
    write(session, f"{home}/y")
    assert levels(session, f"{home}/y") == {"rods": "own"}


def test_an_administrator_can_change_access_to_what_belongs_to_others(session: iRODSSession, bob: iRODSSession) -> None:
    write(bob, "/cscZone/home/bob/y")
    with refused(-818000):
        grant(session, "/cscZone/home/bob/y", "read", "rods")
    session.acls.set(iRODSAccess("read", "/cscZone/home/bob/y", "rods", "cscZone"), admin=True)
    assert read(session, "/cscZone/home/bob/y") == HELLO


def test_access_for_an_unknown_user_is_refused(session: iRODSSession, home: str) -> None:
    with refused(-827000):
        grant(session, home, "read", "nobody")


def test_a_renamed_object_keeps_its_access(session: iRODSSession, bob: iRODSSession, home: str) -> None:
    write(session, f"{home}/x", keywords={kw.ACL_INCLUDED_KW: "read bob;"})
    session.data_objects.move(f"{home}/x", f"{home}/y")
    assert read(bob, f"{home}/y") == HELLO
