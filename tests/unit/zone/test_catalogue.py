"""The catalogue: committed before it is answered, undone when refused, found again after reopening."""

import sqlite3
import threading
from pathlib import Path

import pytest

from b2stream.sandbox.zone.catalogue import Catalogue, next_id, now
from b2stream.sandbox.zone.numbers import Code, Refusal
from b2stream.sandbox.zone.people import find_user, found_user, found_zone, password_of, read_passwords


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "catalogue.sqlite")


def count(db: sqlite3.Connection) -> int:
    (number,) = db.execute("SELECT count(*) FROM r_zone_main").fetchone()
    return int(number)


def insert(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO r_zone_main (zone_id, zone_name) VALUES (?, 'aZone')", (next_id(db),))


def test_a_change_is_visible_to_readers_once_it_ends(catalogue: Catalogue) -> None:
    with catalogue.change() as db:
        insert(db)
        assert count(catalogue.reader()) == 0
    assert count(catalogue.reader()) == 1


def test_a_refused_change_never_was(catalogue: Catalogue) -> None:
    def refuse() -> None:
        with catalogue.change() as db:
            insert(db)
            raise Refusal(Code.CAT_NO_ROWS_FOUND)

    with pytest.raises(Refusal):
        refuse()
    assert count(catalogue.reader()) == 0


def test_ids_are_never_given_twice(catalogue: Catalogue) -> None:
    ids: list[int] = []

    def take() -> None:
        for _ in range(50):
            with catalogue.change() as db:
                ids.append(next_id(db))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 200


def test_times_have_eleven_digits() -> None:
    assert len(now()) == 11
    assert now().isdigit()


def test_a_zone_founded_twice_is_founded_once(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    for password in ("first", "second"):
        catalogue = Catalogue(path)
        with catalogue.change() as db:
            found_zone(db, "cscZone", "demoResc", "/vault")
            found_user(db, "cscZone", "rods", password, administrator=True)
            found_user(db, "cscZone", "alice", "hers", administrator=False)
        catalogue.release_reader()
        catalogue.close()
    db = Catalogue(path).reader()
    assert count(db) == 1
    rods, alice = find_user(db, "rods", "cscZone"), find_user(db, "alice", "cscZone")
    assert rods is not None
    assert alice is not None
    assert (rods.administrator, alice.administrator) == (True, False)
    assert (password_of(db, rods), password_of(db, alice)) == ("second", "hers")
    homes = db.execute("SELECT coll_name FROM r_coll_main WHERE coll_name LIKE '%/alice' ORDER BY 1").fetchall()
    assert homes == [("/cscZone/home/alice",), ("/cscZone/trash/home/alice",)]


def test_nobody_is_called_like_the_group(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "catalogue.sqlite")
    with catalogue.change() as db:
        found_zone(db, "cscZone", "demoResc", "/vault")
        assert find_user(db, "public", "cscZone") is None


def test_a_password_file_has_the_first_user_s_first_and_others_by_name() -> None:
    assert read_passwords("secret\nalice:hers:with colon\n\n", "rods") == {"rods": "secret", "alice": "hers:with colon"}
    assert read_passwords("", "rods") == {"rods": ""}
