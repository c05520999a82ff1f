"""The exact class and code for each thing that goes wrong, as measured on a real iRODS 5.0.2."""

import socket
from pathlib import Path

import irods.keywords as kw
import pytest
from irods import client_configuration
from irods.exception import (
    CAT_UNKNOWN_COLLECTION,
    OVERWRITE_WITHOUT_FORCE_FLAG,
    CollectionDoesNotExist,
    DataObjectDoesNotExist,
    DataObjectExistsAtLogicalPath,
    NetworkException,
)
from irods.session import iRODSSession

from b2stream.sandbox.zone.process import EmbeddedZone
from tests.integration.zone.conftest import SessionMaker
from tests.integration.zone.objects import HELLO, read, refused, replica, write


def test_connection_refused(shared_zone: EmbeddedZone) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free_port = server.getsockname()[1]
    nobody = iRODSSession(host="127.0.0.1", port=free_port, user="rods", password="rods", zone="cscZone")
    with pytest.raises(NetworkException, match="Could not connect"):
        nobody.collections.exists(shared_zone.home)


@pytest.mark.parametrize("password", ["wrong", "", "rod"])
def test_wrong_password(shared_zone: EmbeddedZone, open_session: SessionMaker, password: str) -> None:
    with refused(-826000):
        open_session(shared_zone, password=password).collections.exists(shared_zone.home)


def test_unknown_user(shared_zone: EmbeddedZone, open_session: SessionMaker) -> None:
    with refused(-827000):
        open_session(shared_zone, user="nobody").collections.exists(shared_zone.home)


def test_unknown_zone_of_the_user(shared_zone: EmbeddedZone) -> None:
    stranger = iRODSSession(host="127.0.0.1", port=shared_zone.port, user="rods", password="rods", zone="otherZone")
    with refused(-827000):
        stranger.collections.exists(shared_zone.home)


def test_a_client_that_insists_on_tls_is_turned_away(shared_zone: EmbeddedZone) -> None:
    secure = iRODSSession(
        host="127.0.0.1", port=shared_zone.port, user="rods", password="rods", zone="cscZone",
        client_server_negotiation="request_server_negotiation", client_server_policy="CS_NEG_REQUIRE",
    )  # fmt: skip
    with pytest.raises(NetworkException, match="CS_NEG_REQUIRE,CS_NEG_REFUSE"):
        secure.collections.exists(shared_zone.home)


def test_a_client_that_negotiates_for_plain_tcp_gets_it(shared_zone: EmbeddedZone) -> None:
    with iRODSSession(
        host="127.0.0.1", port=shared_zone.port, user="rods", password="rods", zone="cscZone",
        client_server_negotiation="request_server_negotiation", client_server_policy="CS_NEG_REFUSE",
    ) as plain:  # fmt: skip
        assert plain.collections.exists(shared_zone.home)


def test_missing_collection(session: iRODSSession, home: str) -> None:
    with pytest.raises(CollectionDoesNotExist):
        session.collections.get(f"{home}/missing")


def test_missing_zone_is_no_error_to_exists(session: iRODSSession) -> None:
    assert session.collections.exists("/noZone/home") is False


def test_missing_object_and_missing_parent(session: iRODSSession, home: str) -> None:
    with pytest.raises(DataObjectDoesNotExist):
        session.data_objects.get(f"{home}/missing")
    with pytest.raises(CollectionDoesNotExist):
        session.data_objects.get(f"{home}/missing/x")


def test_writing_into_a_missing_collection_names_it(session: iRODSSession, home: str) -> None:
    with pytest.raises(CAT_UNKNOWN_COLLECTION, match=f"collection '{home}/no' is unknown"):
        write(session, f"{home}/no/x")
    with refused(-814000):
        write(session, "/noZone/home/x")


def test_creating_a_collection_in_a_missing_zone(session: iRODSSession) -> None:
    with refused(-130000):
        session.collections.create("/noZone/home/x")


def test_creating_below_a_missing_collection_needs_recursion(session: iRODSSession, home: str) -> None:
    with refused(-814000):
        session.collections.create(f"{home}/no/such", recurse=False)


def test_opening_a_missing_object_to_read(session: iRODSSession, home: str) -> None:
    with refused(-358000):
        read(session, f"{home}/missing")


def test_unlinking_a_missing_object(session: iRODSSession, home: str) -> None:
    with refused(-808000):
        session.data_objects.unlink(f"{home}/missing", force=True)


def test_unknown_resource(session: iRODSSession, home: str) -> None:
    with refused(-78000):
        write(session, f"{home}/x", keywords={kw.DEST_RESC_NAME_KW: "noResc"})


def test_names_of_objects_and_collections_exclude_each_other(session: iRODSSession, home: str) -> None:
    session.collections.create(f"{home}/c")
    with refused(-833000):
        write(session, f"{home}/c")
    write(session, f"{home}/x")
    with refused(-834000):
        session.collections.create(f"{home}/x")


def test_too_long_a_path_and_too_long_a_name(session: iRODSSession, home: str) -> None:
    with refused(-308000):
        write(session, f"{home}/{'x/' * 600}")
    with refused(-511036):
        write(session, f"{home}/{'x' * 300}")
    assert not session.data_objects.exists(f"{home}/{'x' * 300}")


def test_put_overwrites_by_default_without_an_error(session: iRODSSession, home: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"new")
    write(session, f"{home}/x")
    session.data_objects.put(str(tmp_path / "file"), f"{home}/x")
    assert read(session, f"{home}/x") == b"new"


def test_put_without_force_is_refused_by_the_client(
    session: iRODSSession, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_configuration.data_objects, "force_put_by_default", False)
    (tmp_path / "file").write_bytes(b"new")
    write(session, f"{home}/x")
    with pytest.raises(OVERWRITE_WITHOUT_FORCE_FLAG):
        session.data_objects.put(str(tmp_path / "file"), f"{home}/x")


def test_open_to_write_and_create_truncate_what_is_there(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x")
    session.data_objects.open(f"{home}/x", "w").close()
    assert replica(session, f"{home}/x")[:2] == ("1", 0)
    write(session, f"{home}/x")
    session.data_objects.create(f"{home}/x", force=True)
    assert replica(session, f"{home}/x")[:2] == ("1", 0)
    with pytest.raises(DataObjectExistsAtLogicalPath):
        session.data_objects.create(f"{home}/x", force=False)


def test_a_file_that_vanished_from_the_vault_cannot_be_opened(
    session: iRODSSession, home: str, shared_zone: EmbeddedZone
) -> None:
    write(session, f"{home}/x")
    (shared_zone.directory / "vault" / home.split("/", 2)[2] / "x").unlink()
    with refused(-510002):
        read(session, f"{home}/x")


def test_a_collection_that_is_not_empty_needs_recursion(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/c", HELLO)
    with refused(-821000):
        session.collections.remove(home, recurse=False, force=True)
    session.collections.remove(home, force=True)
    assert not session.collections.exists(home)


def test_unlink_without_force_moves_to_the_trash(session: iRODSSession, home: str, shared_zone: EmbeddedZone) -> None:
    name = home.rpartition("/")[2]
    write(session, f"{home}/{name}")
    session.data_objects.unlink(f"{home}/{name}")
    assert not session.data_objects.exists(f"{home}/{name}")
    assert read(session, f"/{shared_zone.zone_name}/trash/home/rods/{name}") == HELLO


def test_a_removed_collection_goes_to_the_trash_without_force(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x")
    session.collections.remove(home)
    assert not session.collections.exists(home)
    assert read(session, f"/cscZone/trash/home/rods/{home.rpartition('/')[2]}/x") == HELLO


def test_an_unknown_call_is_refused_and_the_connection_lives_on(session: iRODSSession, home: str) -> None:
    with refused(-12000):
        session.data_objects.trim(f"{home}/x")
    assert session.collections.exists(home)


def test_a_failed_open_leaks_the_client_s_connection(shared_zone: EmbeddedZone, open_session: SessionMaker) -> None:
    session = open_session(shared_zone)
    for _ in range(3):
        with refused(-358000):
            read(session, f"{shared_zone.home}/missing")
    assert len(session.pool.active) >= 3
    session.cleanup()
    assert len(session.pool.active) == 0
