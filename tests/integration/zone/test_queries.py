"""Queries as the unchanged client sends them: conditions, orders, aggregates, pages, several tables."""

import pytest
from irods.column import Between, In, Like, NotLike
from irods.exception import iRODSException
from irods.models import (
    Collection,
    CollectionAccess,
    CollectionMeta,
    CollectionUser,
    DataAccess,
    DataObject,
    DataObjectMeta,
    Quota,
    Resource,
    User,
    Zone,
)
from irods.query import Query
from irods.session import iRODSSession

from tests.integration.zone.objects import GOOD, checksum, refused, write


@pytest.fixture(scope="module")
def filled(shared_zone: object) -> str:
    """A collection with nine objects of 1 to 9 bytes and one subcollection."""
    with iRODSSession(host="127.0.0.1", port=shared_zone.port, user="rods", password="rods", zone="cscZone") as session:  # type: ignore[attr-defined]
        path = "/cscZone/home/rods/filled"
        session.collections.create(f"{path}/inner")
        for size in range(1, 10):
            write(session, f"{path}/object_{size}", b"x" * size, {"metadataIncluded": f"size;{size};bytes;"})
        write(session, f"{path}/OBJECT%5", b"")
    return path


def names(query: Query) -> list[str]:
    return [row[DataObject.name] for row in query]


def numbered(*sizes: int) -> list[str]:
    return [f"object_{size}" for size in sizes]


class Objects:
    """A fresh query for the objects' names each time: the client's queries share their conditions with their copies."""

    def __init__(self, session: iRODSSession, path: str) -> None:
        self._session = session
        self._path = path

    def __call__(self) -> Query:
        return self._session.query(DataObject.name).filter(Collection.name == self._path)


@pytest.fixture
def objects(session: iRODSSession, filled: str) -> Objects:
    return Objects(session, filled)


def test_conditions_on_text(objects: Objects) -> None:
    assert names(objects().filter(DataObject.name == "object_3")) == ["object_3"]
    assert names(objects().filter(Like(DataObject.name, "object%"))) == numbered(*range(1, 10))
    assert names(objects().filter(NotLike(DataObject.name, "object%"))) == ["OBJECT%5"]
    assert names(objects().filter(In(DataObject.name, ["object_1", "object_9", "none"]))) == numbered(1, 9)
    assert names(objects().filter(DataObject.name != "OBJECT%5")) == numbered(*range(1, 10))


def test_like_has_wildcards_that_names_contain(objects: Objects) -> None:
    assert names(objects().filter(Like(DataObject.name, "object_5"))) == ["object_5"]
    assert names(objects().filter(Like(DataObject.name, "______%5"))) == ["OBJECT%5", "object_5"]
    assert names(objects().filter(Like(DataObject.name, "OBJECT\\%5"))) == ["OBJECT%5"]


def test_like_is_case_sensitive_and_a_query_can_ask_not_to_be(session: iRODSSession, filled: str) -> None:
    query = Query(session, DataObject.name, case_sensitive=False).filter(Like(DataObject.name, "Object%5"))
    assert names(query) == ["OBJECT%5", "object_5"]


def test_conditions_on_numbers(objects: Objects) -> None:
    assert names(objects().filter(DataObject.size > 8)) == ["object_9"]
    assert names(objects().filter(DataObject.size >= 8, DataObject.size < 9)) == ["object_8"]
    assert names(objects().filter(Between(DataObject.size, (3, 5)))) == numbered(3, 4, 5)
    assert names(objects().filter(DataObject.replica_status == GOOD).filter(DataObject.size == 0)) == ["OBJECT%5"]


def test_orders(objects: Objects) -> None:
    assert names(objects().order_by(DataObject.size, "desc"))[:2] == numbered(9, 8)
    assert names(objects().order_by(DataObject.size))[:2] == ["OBJECT%5", "object_1"]


def test_aggregates(session: iRODSSession, filled: str) -> None:
    def one(query: Query) -> object:
        return query.filter(Collection.name == filled).one()[DataObject.size]

    assert one(session.query().sum(DataObject.size)) == 45
    assert one(session.query().max(DataObject.size)) == 9
    assert one(session.query().min(DataObject.size)) == 0
    assert session.query().count(DataObject.id).filter(Collection.name == filled).one()[DataObject.id] == 10


def test_limit_offset_and_first(objects: Objects) -> None:
    assert len(objects().limit(3).all()) == 3
    assert names(objects().offset(8)) == numbered(8, 9)
    assert objects().first()[DataObject.name] == "OBJECT%5"


def test_pages_give_every_row_once(objects: Objects) -> None:
    pages = list(objects().limit(4).get_batches())
    assert [len(page) for page in pages] == [4, 4, 2]
    assert sorted(row[DataObject.name] for page in pages for row in page) == ["OBJECT%5", *numbered(*range(1, 10))]


def test_a_full_last_page_is_followed_by_an_empty_one(objects: Objects) -> None:
    pages = list(objects().limit(5).get_batches())
    assert [len(page) for page in pages] == [5, 5, 0]


def test_two_paged_queries_do_not_mix(objects: Objects) -> None:
    one, other = objects().limit(4).get_batches(), objects().order_by(DataObject.name, "desc").limit(4).get_batches()
    firsts = [row[DataObject.name] for row in next(one)], [row[DataObject.name] for row in next(other)]
    seconds = [row[DataObject.name] for row in next(one)], [row[DataObject.name] for row in next(other)]
    assert firsts == (["OBJECT%5", *numbered(1, 2, 3)], numbered(9, 8, 7, 6))
    assert seconds == (numbered(4, 5, 6, 7), numbered(5, 4, 3, 2))


def test_by_triple_and_by_collection(objects: Objects) -> None:
    found = objects().filter(DataObjectMeta.name == "size", DataObjectMeta.value == "4")
    assert names(found) == ["object_4"]


def test_triples_of_many_objects_in_one_query(session: iRODSSession, filled: str) -> None:
    columns = (DataObject.name, DataObjectMeta.name, DataObjectMeta.value, DataObjectMeta.units)
    rows = [
        tuple(row[column] for column in columns) for row in session.query(*columns).filter(Collection.name == filled)
    ]
    assert rows == [(f"object_{size}", "size", str(size), "bytes") for size in range(1, 10)]


def test_subcollections_and_parents(session: iRODSSession, filled: str) -> None:
    assert [inner.name for inner in session.collections.get(filled).subcollections] == ["inner"]
    walked = [(found.path, len(objects)) for found, _, objects in session.collections.get(filled).walk()]
    assert walked == [(filled, 10), (f"{filled}/inner", 0)]


def test_users_zones_and_resources(session: iRODSSession) -> None:
    users = {(row[User.name], row[User.type]) for row in session.query(User)}
    assert users == {("rods", "rodsadmin"), ("bob", "rodsuser"), ("public", "rodsgroup")}
    assert session.query(Zone.name).one()[Zone.name] == "cscZone"
    assert session.query(Resource.name, Resource.type).one()[Resource.type] == "unixfilesystem"
    assert session.users.get("bob").zone == "cscZone"


def test_access_lists_by_query(session: iRODSSession, filled: str) -> None:
    rows = session.query(User.name, DataAccess.name).filter(DataObject.name == "object_1", Collection.name == filled)
    assert [(row[User.name], row[DataAccess.name]) for row in rows] == [("rods", "own")]
    rows = session.query(CollectionUser.name, CollectionAccess.name).filter(Collection.name == filled)
    assert [(row[CollectionUser.name], row[CollectionAccess.name]) for row in rows] == [("rods", "own")]


def test_an_unknown_column_and_unrelated_tables_are_refused(session: iRODSSession) -> None:
    with refused(-823000):
        session.query(Quota.limit).one()
    with refused(-825000):
        list(session.query(Zone.name, CollectionMeta.name))
    assert session.query(Zone.name).one()


def test_a_value_with_sql_in_it_is_only_a_value(session: iRODSSession, objects: Objects) -> None:
    assert names(objects().filter(DataObject.name == "x' OR '1'='1")) == []
    assert names(objects().filter(DataObject.name == "'); DROP TABLE r_data_main; --")) == []
    assert len(names(objects())) == 10


def test_genquery2_selects_filters_orders_and_limits(session: iRODSSession, filled: str) -> None:
    text = (
        f"select DATA_NAME, DATA_SIZE where COLL_NAME = '{filled}' and DATA_SIZE > '6' order by DATA_SIZE desc limit 2"
    )
    assert session.genquery2(text) == [["object_9", "9"], ["object_8", "8"]]
    assert session.genquery2(f"select count(DATA_ID) where COLL_NAME = '{filled}'") == [["10"]]
    assert session.genquery2(f"select DATA_NAME where COLL_NAME = '{filled}' and DATA_NAME = 'none'") == []
    with pytest.raises((iRODSException, KeyError)):
        session.genquery2("drop table r_data_main")


def test_genquery2_without_a_limit_gives_256_rows_silently(session: iRODSSession, filled: str) -> None:
    session.collections.create(f"{filled}/many")
    for number in range(257):
        session.data_objects.open(f"{filled}/many/{number}", "w").close()
    assert len(session.genquery2(f"select DATA_NAME where COLL_NAME = '{filled}/many'")) == 256
    listed = session.query(DataObject.name, DataObject.checksum).filter(Collection.name == f"{filled}/many")
    assert len(list(listed)) == 257
    assert checksum(b"") not in {row[DataObject.checksum] for row in listed}
