"""Rename as a commit: created if absent, one winner, nothing ever replaced."""

from functools import partial
from pathlib import Path

import irods.keywords as kw
import pytest
from irods.meta import iRODSMeta
from irods.models import DataObject
from irods.session import iRODSSession

from b2stream.sandbox.zone.process import EmbeddedZone
from tests.integration.zone.conftest import SessionMaker
from tests.integration.zone.objects import GOOD, HELLO, STALE, checksum, disarm, race, read, refused, replica, write


def test_rename_keeps_id_checksum_and_triples_and_moves_the_file(
    session: iRODSSession, home: str, shared_zone: EmbeddedZone
) -> None:
    write(session, f"{home}/staged", keywords={kw.REG_CHKSUM_KW: ""})
    session.metadata.add(DataObject, f"{home}/staged", iRODSMeta("a", "1"))
    before = session.data_objects.get(f"{home}/staged")
    session.data_objects.move(f"{home}/staged", f"{home}/final")
    after = session.data_objects.get(f"{home}/final")
    assert (after.id, after.checksum) == (before.id, checksum(HELLO))
    assert [(meta.name, meta.value) for meta in after.metadata.items()] == [("a", "1")]
    vault = shared_zone.directory / "vault" / home.split("/", 2)[2]
    assert [file.name for file in vault.iterdir()] == ["final"]
    assert not session.data_objects.exists(f"{home}/staged")


def test_rename_onto_an_existing_object_is_refused_and_changes_nothing(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/a", b"a")
    write(session, f"{home}/b", b"b")
    with refused(-834000):
        session.data_objects.move(f"{home}/a", f"{home}/b")
    assert (read(session, f"{home}/a"), read(session, f"{home}/b")) == (b"a", b"b")


def test_rename_of_a_missing_object_is_refused(session: iRODSSession, home: str) -> None:
    with refused(-808000):
        session.data_objects.move(f"{home}/missing", f"{home}/final")


def test_rename_into_a_missing_collection_is_refused(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/a")
    with refused(-814000):
        session.data_objects.move(f"{home}/a", f"{home}/no/such/a")
    assert read(session, f"{home}/a") == HELLO


def test_rename_onto_a_collection_moves_into_it(session: iRODSSession, home: str) -> None:
    session.collections.create(f"{home}/inner")
    write(session, f"{home}/a")
    session.data_objects.move(f"{home}/a", f"{home}/inner")
    assert read(session, f"{home}/inner/a") == HELLO


def test_a_collection_is_renamed_with_everything_below(
    session: iRODSSession, home: str, shared_zone: EmbeddedZone
) -> None:
    session.collections.create(f"{home}/staged/deep")
    write(session, f"{home}/staged/deep/x")
    session.collections.move(f"{home}/staged", f"{home}/final")
    assert read(session, f"{home}/final/deep/x") == HELLO
    assert not session.collections.exists(f"{home}/staged")
    assert (shared_zone.directory / "vault" / home.split("/", 2)[2] / "final/deep/x").is_file()


def test_renaming_a_collection_onto_another_moves_into_it_once(session: iRODSSession, home: str) -> None:
    for name in ("a", "b", "b/a"):
        session.collections.create(f"{home}/{name}")
    with refused(-833000):
        session.collections.move(f"{home}/a", f"{home}/b")
    session.collections.remove(f"{home}/b/a", force=True)
    session.collections.move(f"{home}/a", f"{home}/b")
    assert session.collections.exists(f"{home}/b/a")


def test_a_copy_is_an_object_of_its_own_and_never_replaces(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/a")
    session.data_objects.copy(f"{home}/a", f"{home}/b")
    assert read(session, f"{home}/b") == HELLO
    assert replica(session, f"{home}/b")[:2] == (GOOD, 12)
    for options in ({}, {kw.FORCE_FLAG_KW: ""}):
        with refused(-317000):
            session.data_objects.copy(f"{home}/a", f"{home}/b", **options)


def test_creating_an_existing_collection_is_silent_and_without_recursion_a_claim(
    session: iRODSSession, home: str
) -> None:
    session.collections.create(home)
    with refused(-809000):
        session.collections.create(home, recurse=False)


def test_six_sessions_racing_onto_one_name_have_exactly_one_winner(
    shared_zone: EmbeddedZone, open_session: SessionMaker, session: iRODSSession, home: str
) -> None:
    for attempt in range(5):
        final = f"{home}/final{attempt}"
        sessions = [open_session(shared_zone) for _ in range(6)]
        for number, racer in enumerate(sessions):
            write(racer, f"{home}/staged{number}", str(number).encode())
        outcomes = race([partial(racer.data_objects.move, f"{home}/staged{number}", final)
                         for number, racer in enumerate(sessions)])  # fmt: skip
        assert sorted(outcomes) == [-834000] * 5 + [0]
        assert read(session, final) == str(outcomes.index(0)).encode()
        for number in range(6):
            if outcomes[number]:
                session.data_objects.unlink(f"{home}/staged{number}", force=True)


def test_a_reader_finishes_while_the_object_is_renamed(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/a", bytes(100_000))
    with session.data_objects.open(f"{home}/a", "r") as reader:
        first = reader.read(10)
        session.data_objects.move(f"{home}/a", f"{home}/b")
        assert first + reader.read() == bytes(100_000)


def test_renaming_what_is_being_written_succeeds_and_fails_its_writer(
    shared_zone: EmbeddedZone, open_session: SessionMaker, session: iRODSSession, home: str
) -> None:
    writer = open_session(shared_zone)
    handle = writer.data_objects.open(f"{home}/a", "w")
    handle.write(HELLO)
    handle.flush()
    session.data_objects.move(f"{home}/a", f"{home}/b")
    with refused(-516002):
        handle.close()
    disarm(handle)
    assert replica(session, f"{home}/b")[0] == STALE


def test_the_renamed_writer_cannot_finish_on_a_newcomer_s_file(
    shared_zone: EmbeddedZone, open_session: SessionMaker, session: iRODSSession, home: str
) -> None:
    handle = open_session(shared_zone).data_objects.open(f"{home}/a", "w")
    handle.write(b"first")
    handle.flush()
    session.data_objects.move(f"{home}/a", f"{home}/b")
    write(session, f"{home}/a", b"second writer")
    with refused(-516002):
        handle.close()
    disarm(handle)
    assert read(session, f"{home}/a") == b"second writer"
    assert replica(session, f"{home}/a")[:2] == (GOOD, 13)
    assert read(session, f"{home}/b") == b"first"


def test_a_killed_rename_leaves_no_shared_file_behind(
    shared_zone: EmbeddedZone, session: iRODSSession, home: str
) -> None:
    """Were the zone killed between commit and removal, the old name would be left as a second link to the same bytes."""
    write(session, f"{home}/old")
    session.data_objects.move(f"{home}/old", f"{home}/new")
    vault: Path = shared_zone.directory / "vault" / home.split("/", 2)[2]
    (vault / "old").hardlink_to(vault / "new")
    write(session, f"{home}/old", b"someone else's")
    assert read(session, f"{home}/new") == HELLO


@pytest.mark.parametrize("name", ["it's", 'a "b"', "50%_~", "measured 測定 å", "<&>", "semi;colon", "a`b"])
def test_unusual_names_are_written_listed_renamed_and_found(session: iRODSSession, home: str, name: str) -> None:
    write(session, f"{home}/{name}")
    session.data_objects.move(f"{home}/{name}", f"{home}/moved {name}")
    assert replica(session, f"{home}/moved {name}")[:2] == (GOOD, 12)
    assert [found.name for found in session.collections.get(home).data_objects] == [f"moved {name}"]
