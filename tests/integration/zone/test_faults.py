"""The seams where tests make the zone misbehave: each kind of fault, and that it ends."""

import contextlib
import socket
import time

import pytest
from irods.exception import NetworkException
from irods.session import iRODSSession

from b2stream.sandbox.zone.process import EmbeddedZone
from tests.integration.zone.conftest import SessionMaker
from tests.integration.zone.objects import HELLO, read, refused, write


@pytest.fixture
def session(zone: EmbeddedZone, open_session: SessionMaker) -> iRODSSession:
    session = open_session(zone, timeout_s=5)
    write(session, f"{zone.home}/x")
    return session


def add(zone: EmbeddedZone, call: str, action: str, **fault: object) -> None:
    zone.control({"do": "add", "fault": {"call": call, "action": action, **fault}})


def hits(zone: EmbeddedZone) -> list[object]:
    return [fault["hits"] for fault in zone.control({"do": "list"})["faults"]]  # type: ignore[attr-defined]


def test_an_error_is_answered_instead_of_doing_the_call(zone: EmbeddedZone, session: iRODSSession) -> None:
    add(zone, "DATA_OBJ_RENAME", "error", code=-154000, times=1)
    with refused(-154000):
        session.data_objects.move(f"{zone.home}/x", f"{zone.home}/y")
    assert hits(zone) == [1]
    session.data_objects.move(f"{zone.home}/x", f"{zone.home}/y")


def test_a_dropped_reply_is_of_a_call_that_was_done(
    zone: EmbeddedZone, session: iRODSSession, open_session: SessionMaker
) -> None:
    add(zone, "DATA_OBJ_RENAME", "drop_reply", times=1)
    with pytest.raises(NetworkException):
        session.data_objects.move(f"{zone.home}/x", f"{zone.home}/y")
    assert read(open_session(zone), f"{zone.home}/y") == HELLO


def test_a_cut_is_of_a_call_that_was_not_done(
    zone: EmbeddedZone, session: iRODSSession, open_session: SessionMaker
) -> None:
    add(zone, "DATA_OBJ_RENAME", "cut", times=1)
    with pytest.raises(NetworkException):
        session.data_objects.move(f"{zone.home}/x", f"{zone.home}/y")
    assert read(open_session(zone), f"{zone.home}/x") == HELLO


def test_a_delay_takes_its_time(zone: EmbeddedZone, session: iRODSSession) -> None:
    add(zone, "DATA_OBJ_UNLINK", "delay", seconds=0.3)
    start = time.monotonic()
    session.data_objects.unlink(f"{zone.home}/x", force=True)
    assert time.monotonic() - start >= 0.3


def test_a_call_that_hangs_meets_the_client_s_timeout(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    impatient = open_session(zone, timeout_s=1.5)
    add(zone, "GEN_QUERY", "hang", times=1)
    with pytest.raises(NetworkException):
        impatient.collections.exists(zone.home)
    assert impatient.collections.exists(zone.home)
    zone.control({"do": "clear"})


def test_a_zone_with_a_call_that_hangs_can_be_stopped(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    impatient = open_session(zone, timeout_s=1.5)
    add(zone, "GEN_QUERY", "hang")
    with pytest.raises(NetworkException):
        impatient.collections.exists(zone.home)
    for_ever_s = 86_400.0  # after which it would be killed
    zone.stop(for_ever_s)


def test_after_path_and_times_choose_the_calls(zone: EmbeddedZone, session: iRODSSession) -> None:
    add(zone, "DATA_OBJ_OPEN", "error", code=-154000, path="/chosen", after=1, times=1)
    write(session, f"{zone.home}/other")
    write(session, f"{zone.home}/chosen1")
    with refused(-154000):
        write(session, f"{zone.home}/chosen2")
    write(session, f"{zone.home}/chosen3")
    assert hits(zone) == [1]


def test_a_fault_can_be_kept_to_the_close_of_one_object(zone: EmbeddedZone, session: iRODSSession) -> None:
    add(zone, "DATA_OBJ_CLOSE", "error", code=-154000, path="/chosen", times=1)
    write(session, f"{zone.home}/other")
    with refused(-154000):
        write(session, f"{zone.home}/chosen")
    assert hits(zone) == [1]


def test_a_refused_write_leaves_the_connection_in_step(zone: EmbeddedZone, session: iRODSSession) -> None:
    handle = session.data_objects.open(f"{zone.home}/y", "w")
    add(zone, "DATA_OBJ_WRITE", "error", code=-513028, times=1)
    with refused(-513028):
        handle.raw.write(bytes(3_000_000))
    assert handle.raw.write(HELLO) == len(HELLO)
    handle.close()
    assert read(session, f"{zone.home}/y") == HELLO


@pytest.mark.parametrize(
    ("action", "stored"),
    [("pretend", b""), ("store_half", HELLO[: len(HELLO) // 2]), ("store_flipped", b"i" + HELLO[1:])],
)
def test_a_write_that_is_answered_with_success_may_store_something_else(
    zone: EmbeddedZone, session: iRODSSession, action: str, stored: bytes
) -> None:
    add(zone, "DATA_OBJ_WRITE", action, times=1)
    with session.data_objects.open(f"{zone.home}/y", "w") as handle:
        assert handle.raw.write(HELLO) == len(HELLO)
    assert read(session, f"{zone.home}/y") == stored


def test_a_call_can_be_pretended(zone: EmbeddedZone, session: iRODSSession) -> None:
    add(zone, "DATA_OBJ_RENAME", "pretend", times=1)
    session.data_objects.move(f"{zone.home}/x", f"{zone.home}/y")
    assert read(session, f"{zone.home}/x") == HELLO


def test_a_connection_can_be_refused_at_the_door(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    add(zone, "CONNECT", "cut", times=1)
    stranger = open_session(zone)
    with pytest.raises(NetworkException):
        stranger.collections.exists(zone.home)
    assert stranger.collections.exists(zone.home)


def test_clear_ends_all_faults(zone: EmbeddedZone, session: iRODSSession) -> None:
    add(zone, "*", "error", code=-154000)
    zone.control({"do": "clear"})
    assert read(session, f"{zone.home}/x") == HELLO
    assert hits(zone) == []


@pytest.mark.parametrize("fault", [{"call": "*", "action": "explode"}, {"call": "*"}, {"unknown": 1}])
def test_a_fault_that_makes_no_sense_is_refused(zone: EmbeddedZone, fault: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        zone.control({"do": "add", "fault": fault})


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x05hello", bytes(100), b""],
    ids=["http", "short", "nul", "none"],
)
def test_what_is_not_the_protocol_ends_its_own_connection_only(
    zone: EmbeddedZone, session: iRODSSession, garbage: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", zone.port), 5) as stranger:
        stranger.sendall(garbage)
        stranger.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            assert stranger.recv(1) == b""
    assert read(session, f"{zone.home}/x") == HELLO
