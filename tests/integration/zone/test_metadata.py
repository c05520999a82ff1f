"""AVUs: single, atomic, and with the put itself, with the limits and error codes that were measured."""

import xml.etree.ElementTree as ElementTree

import irods.keywords as kw
import pytest
from irods.message import Bad_AVU_Field
from irods.meta import AVUOperation, iRODSMeta
from irods.models import Collection, DataObject, DataObjectMeta
from irods.session import iRODSSession

from tests.integration.zone.objects import GOOD, HELLO, INTERMEDIATE, checksum, refused, replica, write

Triple = tuple[str, str, str | None]


@pytest.fixture
def path(session: iRODSSession, home: str) -> str:
    write(session, f"{home}/x")
    return f"{home}/x"


def triples(session: iRODSSession, path: str) -> list[Triple]:
    return sorted((meta.name, meta.value, meta.units) for meta in session.data_objects.get(path).metadata.items())


def add(session: iRODSSession, path: str, name: str, value: str, units: str | None = None) -> None:
    session.metadata.add(DataObject, path, iRODSMeta(name, value, units))


def apply(session: iRODSSession, path: str, *operations: tuple[str, str, str]) -> None:
    steps = [AVUOperation(operation=what, avu=iRODSMeta(name, value)) for what, name, value in operations]
    session.metadata.apply_atomic_operations(DataObject, path, *steps)


def test_an_added_triple_is_read_back(session: iRODSSession, path: str) -> None:
    add(session, path, "depth", "5", "cm")
    assert triples(session, path) == [("depth", "5", "cm")]


def test_adding_an_existing_triple_is_refused(session: iRODSSession, path: str) -> None:
    add(session, path, "a", "1")
    with refused(-809000):
        add(session, path, "a", "1")


def test_set_replaces_all_values_of_an_attribute(session: iRODSSession, path: str) -> None:
    add(session, path, "a", "1")
    add(session, path, "a", "2")
    add(session, path, "b", "3")
    session.metadata.set(DataObject, path, iRODSMeta("a", "only"))
    assert triples(session, path) == [("a", "only", None), ("b", "3", None)]


def test_a_removed_triple_is_gone(session: iRODSSession, path: str) -> None:
    add(session, path, "a", "1")
    session.metadata.remove(DataObject, path, iRODSMeta("a", "1"))
    assert triples(session, path) == []


def test_an_atomic_set_is_applied_whole(session: iRODSSession, path: str) -> None:
    add(session, path, "old", "1")
    apply(session, path, ("remove", "old", "1"), ("add", "a", "1"), ("add", "b", "2"))
    assert triples(session, path) == [("a", "1", None), ("b", "2", None)]


def test_identical_atomic_adds_and_removals_of_nothing_are_no_errors(session: iRODSSession, path: str) -> None:
    apply(session, path, ("add", "a", "1"))
    apply(session, path, ("add", "a", "1"), ("remove", "never", "there"))
    assert triples(session, path) == [("a", "1", None)]


@pytest.mark.parametrize(("value", "code"), [("", -130000), ("x" * 2701, -167000)])
def test_one_bad_value_refuses_the_whole_atomic_set(session: iRODSSession, path: str, value: str, code: int) -> None:
    with refused(code):
        apply(session, path, ("add", "a", "1"), ("add", "b", value))
    assert triples(session, path) == []


def test_2700_characters_fit_and_2701_do_not(session: iRODSSession, path: str) -> None:
    add(session, path, "a", "x" * 2700)
    with refused(-806000):
        add(session, path, "b", "x" * 2701)
    assert [name for name, _, _ in triples(session, path)] == ["a"]


def test_an_empty_value_is_refused_by_the_client(session: iRODSSession, path: str) -> None:
    with pytest.raises(Bad_AVU_Field):
        add(session, path, "a", "")


def test_adding_to_a_missing_object_is_refused(session: iRODSSession, home: str) -> None:
    with refused(-817000):
        add(session, f"{home}/missing", "a", "1")
    with refused(-130000):
        apply(session, f"{home}/missing", ("add", "a", "1"))


@pytest.mark.parametrize("value", ["å ü 測定", "🌲", 'it\'s "quoted"', "<&>", "two\nlines", "`", "%_~;\\"])
def test_unusual_characters_come_back_as_they_went(session: iRODSSession, path: str, value: str) -> None:
    add(session, path, "a", value, "µm")
    assert triples(session, path) == [("a", value, "µm")]


def test_a_carriage_return_and_newline_come_back_as_newline(session: iRODSSession, path: str) -> None:
    add(session, path, "a", "two\r\nlines")
    assert triples(session, path) == [("a", "two\nlines", None)]


def test_a_control_character_is_taken_and_poisons_every_later_read(session: iRODSSession, path: str) -> None:
    add(session, path, "a", "bell\x01")
    with pytest.raises(ElementTree.ParseError):
        triples(session, path)


def test_collections_carry_triples_too(session: iRODSSession, home: str) -> None:
    session.metadata.add(Collection, home, iRODSMeta("a", "1"))
    found = session.collections.get(home).metadata.items()
    assert [(meta.name, meta.value) for meta in found] == [("a", "1")]


def test_equal_triples_of_two_objects_are_kept_apart(session: iRODSSession, home: str, path: str) -> None:
    write(session, f"{home}/y")
    add(session, path, "a", "1")
    add(session, f"{home}/y", "a", "1")
    session.metadata.remove(DataObject, path, iRODSMeta("a", "1"))
    assert triples(session, path) == []
    assert triples(session, f"{home}/y") == [("a", "1", None)]


def test_objects_are_found_by_two_attributes_at_once(session: iRODSSession, home: str, path: str) -> None:
    write(session, f"{home}/y")
    for name, value in (("station", "SE-Htm"), ("series", "EC")):
        add(session, path, name, value)
    add(session, f"{home}/y", "station", "SE-Htm")
    query = session.query(DataObject.name).filter(Collection.name == home)
    for name, value in (("station", "SE-Htm"), ("series", "EC")):
        query = query.filter(DataObjectMeta.name == name, DataObjectMeta.value == value)
    assert [row[DataObject.name] for row in query] == ["x"]


def test_triples_and_access_come_with_the_put_itself(session: iRODSSession, home: str) -> None:
    keywords = {
        kw.REG_CHKSUM_KW: "",
        kw.METADATA_INCLUDED_KW: "a1;v1;u1;a2;v\\;2;;",
        kw.ACL_INCLUDED_KW: "read bob;",
    }
    write(session, f"{home}/x", keywords=keywords)
    assert triples(session, f"{home}/x") == [("a1", "v1", "u1"), ("a2", "v;2", None)]
    assert replica(session, f"{home}/x") == (GOOD, 12, checksum(HELLO))
    entries = {
        (entry.user_name, entry.access_name) for entry in session.acls.get(session.data_objects.get(f"{home}/x"))
    }
    assert entries == {("rods", "own"), ("bob", "read_object")}


@pytest.mark.parametrize(("included", "code"), [("a;v", -158000), ("a;;u;", -130000)])
def test_a_malformed_value_in_the_put_fails_at_close_and_leaves_an_orphan(
    session: iRODSSession, home: str, included: str, code: int
) -> None:
    with refused(code):
        write(session, f"{home}/x", keywords={kw.METADATA_INCLUDED_KW: included})
    session.cleanup()
    assert replica(session, f"{home}/x")[0] == INTERMEDIATE
    with refused(-1803000):
        write(session, f"{home}/x")
    # An administrator can mark it stale; until a restart it can then be removed, but not overwritten.
    session.data_objects.modDataObjMeta({"objPath": f"{home}/x", "replNum": 0}, {"replStatus": "0", kw.ADMIN_KW: ""})
    with refused(-154000):
        write(session, f"{home}/x")
    session.data_objects.unlink(f"{home}/x", force=True)
    write(session, f"{home}/x")
    assert replica(session, f"{home}/x") == (GOOD, 12, None)
