"""GenQuery's conditions become SQL with bound values, whatever is in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2stream.sandbox.zone.catalogue import Catalogue
from b2stream.sandbox.zone.columns import BY_NAME, COLUMNS, LINKS, TABLES
from b2stream.sandbox.zone.genquery import NO_DISTINCT, UPPER_CASE_WHERE, Query, run
from b2stream.sandbox.zone.numbers import Code, Refusal
from b2stream.sandbox.zone.people import User, find_user, found_user, found_zone

COLL_NAME, USER_NAME, ZONE_NAME = BY_NAME["COLL_NAME"], BY_NAME["USER_NAME"], BY_NAME["ZONE_NAME"]
HOME = "/cscZone/home/rods"


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    catalogue = Catalogue(tmp_path_factory.mktemp("zone") / "catalogue.sqlite")
    with catalogue.change() as db:
        found_zone(db, "cscZone", "demoResc", "/vault")
        found_user(db, "cscZone", "rods", "rods", administrator=True)
        found_user(db, "cscZone", "bob", "bob", administrator=False)
    return catalogue


def user(catalogue: Catalogue, name: str = "rods") -> User:
    found = find_user(catalogue.reader(), name, "cscZone")
    assert found is not None
    return found


def collections(catalogue: Catalogue, condition: str, options: int = 0) -> list[object]:
    query = Query([(COLL_NAME, 1)], [(COLL_NAME, condition)], options=options)
    return [row[0] for row in run(catalogue.reader(), user(catalogue), query)]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (f"= '{HOME}'", [HOME]),
        (f"='{HOME}'", [HOME]),
        (f"in ('{HOME}','/none')", [HOME]),
        (f"= '/none' || = '{HOME}'", [HOME]),
        ("like '/cscZone/home/%' || = '/'", ["/", "/cscZone/home/bob", HOME]),
        ("LIKE '/cscZone/home/r_ds'", [HOME]),
        ("like '/CSCZONE%'", []),
        ("between '/cscZone/home/ro' '/cscZone/home/rp'", [HOME]),
        ("> '/cscZone/trash/home/bob'", ["/cscZone/trash/home/rods"]),
    ],
)
def test_conditions_select(catalogue: Catalogue, condition: str, found: list[str]) -> None:
    assert collections(catalogue, condition) == found


def test_upper_case_where_ignores_case(catalogue: Catalogue) -> None:
    assert collections(catalogue, f"= '{HOME.upper()}'", UPPER_CASE_WHERE) == [HOME]


@pytest.mark.parametrize("condition", ["", "'x'", "= x", "= '", "is null", "between 'a'", "; drop table r_zone_main"])
def test_what_is_no_condition_is_refused(catalogue: Catalogue, condition: str) -> None:
    with pytest.raises(Refusal) as caught:
        collections(catalogue, condition)
    assert caught.value.code == Code.CAT_INVALID_ARGUMENT


@given(value=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_no_value_is_ever_taken_for_sql(catalogue: Catalogue, value: str) -> None:
    assert collections(catalogue, f"= '/none{value}'") == []


def test_an_ordinary_user_sees_only_what_may_be_read(catalogue: Catalogue) -> None:
    rows = run(catalogue.reader(), user(catalogue, "bob"), Query([(COLL_NAME, 1)], [(COLL_NAME, "like '%/home/%'")]))
    assert rows == [("/cscZone/home/bob",), ("/cscZone/trash/home/bob",)]


def test_rows_are_distinct_unless_asked_otherwise(catalogue: Catalogue) -> None:
    owners = [(BY_NAME["COLL_OWNER_NAME"], 1)]
    db, rods = catalogue.reader(), user(catalogue)
    assert run(db, rods, Query(owners, [])) == [("bob",), ("rods",)]
    assert len(run(db, rods, Query(owners, [], options=NO_DISTINCT))) > 2


def test_tables_without_a_link_are_refused(catalogue: Catalogue) -> None:
    with pytest.raises(Refusal) as caught:
        run(catalogue.reader(), user(catalogue), Query([(COLL_NAME, 1), (ZONE_NAME, 1)], []))
    assert caught.value.code == Code.CAT_FAILED_TO_LINK_TABLES


def test_every_column_can_be_asked_for_and_every_link_holds(catalogue: Catalogue) -> None:
    db, rods = catalogue.reader(), user(catalogue)
    for number in COLUMNS:
        run(db, rods, Query([(number, 1)], []))
    for one, other, condition in LINKS:
        db.execute(f"SELECT 1 FROM {TABLES[one]} AS {one} JOIN {TABLES[other]} AS {other} ON {condition}")
    linked = {alias for link in LINKS for alias in link[:2]}
    assert {column.table for column in COLUMNS.values()} <= linked | {"zone"}
