"""A client's session when its zone restarts, is away, or stands still."""

import sys
import time

import pytest
from irods.exception import NetworkException

from b2stream.sandbox.zone.process import EmbeddedZone
from tests.integration.zone.conftest import SessionMaker
from tests.integration.zone.objects import GOOD, HELLO, close_in_vain, race, replica, write
from tests.waiting import until


def test_a_restart_keeps_the_port_and_costs_one_failure_for_each_stale_connection(
    zone: EmbeddedZone, open_session: SessionMaker
) -> None:
    session = open_session(zone)
    assert session.collections.exists(zone.home)
    port = zone.port
    zone.stop()
    assert zone.start() == port
    with pytest.raises(NetworkException):
        session.collections.exists(zone.home)
    assert session.collections.exists(zone.home)


def test_after_cleanup_a_restart_costs_nothing(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    session = open_session(zone)
    assert session.collections.exists(zone.home)
    zone.kill()
    zone.start()
    session.cleanup()
    assert session.collections.exists(zone.home)


def test_while_the_zone_is_down_calls_fail_at_once(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    session = open_session(zone)
    assert session.collections.exists(zone.home)
    zone.kill()
    with pytest.raises(NetworkException, match=r"Could not receive server response|Unable to send message"):
        session.collections.exists(zone.home)
    with pytest.raises(NetworkException, match="Could not connect"):
        session.collections.exists(zone.home)


def test_an_open_handle_does_not_survive_a_restart_and_the_session_does(
    zone: EmbeddedZone, open_session: SessionMaker
) -> None:
    session = open_session(zone)
    handle = session.data_objects.open(f"{zone.home}/x", "w")
    zone.stop()
    zone.start()
    handle.write(HELLO)
    close_in_vain(handle)
    write(session, f"{zone.home}/y")


def test_a_frozen_zone_is_silent_until_the_timeout_and_goes_on_when_thawed(
    zone: EmbeddedZone, open_session: SessionMaker
) -> None:
    session = open_session(zone, timeout_s=1.5)
    handle = session.data_objects.open(f"{zone.home}/x", "w")
    handle.write(HELLO)
    handle.flush()
    zone.freeze()
    start = time.monotonic()
    close_in_vain(handle)
    assert time.monotonic() - start >= 1.5
    zone.thaw()
    watcher = open_session(zone)
    # The close had been sent: the zone finishes it when it goes on, although its client was told of a failure.
    until(lambda: replica(watcher, f"{zone.home}/x")[:2] == (GOOD, 12))


def test_sixteen_threads_can_share_one_session(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    session = open_session(zone)

    def put(number: int) -> None:
        for count in range(5):
            write(session, f"{zone.home}/{number}-{count}")

    assert race([lambda n=number: put(n) for number in range(16)]) == [0] * 16  # type: ignore[misc]
    assert len(session.collections.get(zone.home).data_objects) == 80


def test_many_connections_at_once_are_served(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    sessions = [open_session(zone) for _ in range(100)]
    assert all(session.collections.exists(zone.home) for session in sessions)
    assert all(session.collections.exists(zone.home) for session in sessions)


def test_two_zones_do_not_disturb_each_other(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    with EmbeddedZone(zone.directory / "other", "fzjZone") as other:
        write(open_session(zone), f"{zone.home}/x")
        second = open_session(other)
        assert other.port != zone.port
        assert not second.data_objects.exists(f"{other.home}/x")
        assert not second.collections.exists(zone.home)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's table of listeners")
def test_a_zone_is_reachable_from_this_machine_only(zone: EmbeddedZone) -> None:
    with open(f"/proc/{zone.pid}/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    local = {address for _, address, _, state, *_ in rows if state == "0A"}
    port = f"{zone.port:04X}"
    assert {address for address in local if address.endswith(f":{port}")} == {f"0100007F:{port}"}
