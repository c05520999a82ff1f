"""What is left when the client dies, when the zone is stopped, and when it is killed."""

import itertools
import os
import signal
import subprocess
import sys
import threading

import irods.keywords as kw
import pytest
from irods.exception import NetworkException
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from b2stream.sandbox.zone.process import EmbeddedZone
from tests.integration.zone.conftest import SessionMaker
from tests.integration.zone.objects import (
    GOOD,
    HELLO,
    INTERMEDIATE,
    STALE,
    checksum,
    close_in_vain,
    read,
    refused,
    replica,
    write,
)
from tests.waiting import until

# A client in a process of its own: writes 1 MB, says so, and waits to be killed.
DOOMED = """
import sys, time
from irods.session import iRODSSession
session = iRODSSession(host="127.0.0.1", port=int(sys.argv[1]), user="rods", password="rods", zone="cscZone")
handle = session.data_objects.open(sys.argv[2], "w")
handle.write(bytes(1000000))
handle.flush()
print("written", flush=True)
time.sleep(600)
"""
DOOMED_PUT = """
import os, sys, time
import irods.manager.data_object_manager as manager
from irods.session import iRODSSession
manager.MAXIMUM_SINGLE_THREADED_TRANSFER_SIZE = 1000
def slowly(size):
    print("written", flush=True)
    time.sleep(600)
session = iRODSSession(host="127.0.0.1", port=int(sys.argv[1]), user="rods", password="rods", zone="cscZone")
session.data_objects.put(sys.argv[3], sys.argv[2], num_threads=2, updatables=[slowly])
"""


def kill_client_while_it_writes(zone: EmbeddedZone, path: str, program: str = DOOMED, *arguments: str) -> None:
    command = [sys.executable, "-c", program, str(zone.port), path, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"written\n"
        os.kill(client.pid, signal.SIGKILL)


def test_a_killed_client_leaves_a_stale_replica_with_the_bytes_that_arrived(
    zone: EmbeddedZone, open_session: SessionMaker
) -> None:
    session = open_session(zone)
    path = f"{zone.home}/x"
    kill_client_while_it_writes(zone, path)
    until(lambda: replica(session, path) == (STALE, 1_000_000, None))
    write(session, path)
    assert replica(session, path)[:2] == (GOOD, 12)


def test_what_a_killed_client_left_can_be_removed_at_once(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    session = open_session(zone)
    path = f"{zone.home}/x"
    kill_client_while_it_writes(zone, path)
    until(lambda: replica(session, path)[0] == STALE)
    session.data_objects.unlink(path, force=True)
    assert not session.data_objects.exists(path)


def test_a_client_killed_while_overwriting_takes_the_old_content_with_it(
    zone: EmbeddedZone, open_session: SessionMaker
) -> None:
    session = open_session(zone)
    path = f"{zone.home}/x"
    write(session, path, HELLO, {kw.REG_CHKSUM_KW: ""})
    kill_client_while_it_writes(zone, path)
    until(lambda: replica(session, path)[0] == STALE)
    assert read(session, path) == bytes(1_000_000)


def test_a_client_killed_in_a_parallel_put_leaves_a_stale_replica(
    zone: EmbeddedZone, open_session: SessionMaker, tmp_path: os.PathLike[str]
) -> None:
    session = open_session(zone)
    path = f"{zone.home}/x"
    file = os.path.join(tmp_path, "file")
    with open(file, "wb") as local:
        local.write(bytes(20_000_000))
    kill_client_while_it_writes(zone, path, DOOMED_PUT, file)
    until(lambda: replica(session, path)[0] == STALE)


def test_a_zone_that_is_stopped_leaves_stale_replicas(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    path = f"{zone.home}/x"
    handle = open_writer(zone, open_session, path)
    zone.stop()
    zone.start()
    session = open_session(zone)
    assert replica(session, path)[0] == STALE
    write(session, path)
    close_in_vain(handle)


def open_writer(zone: EmbeddedZone, open_session: SessionMaker, path: str) -> object:
    handle = open_session(zone).data_objects.open(path, "w")
    handle.write(HELLO)
    handle.flush()
    return handle


@pytest.fixture
def orphan(zone: EmbeddedZone, open_session: SessionMaker) -> str:
    """The path of an object that was being written when its zone was killed, after the restart."""
    path = f"{zone.home}/c/x"
    open_session(zone).collections.create(f"{zone.home}/c")
    handle = open_writer(zone, open_session, path)
    zone.kill()
    zone.start()
    close_in_vain(handle)
    return path


def test_a_killed_zone_leaves_an_intermediate_replica_across_restarts(
    zone: EmbeddedZone, open_session: SessionMaker, orphan: str
) -> None:
    assert replica(open_session(zone), orphan) == (INTERMEDIATE, 0, None)
    zone.stop()
    zone.start()
    assert replica(open_session(zone), orphan) == (INTERMEDIATE, 0, None)


def test_an_orphan_refuses_everything_but_a_rename(zone: EmbeddedZone, open_session: SessionMaker, orphan: str) -> None:
    session = open_session(zone)
    for attempt in (write, read):
        with refused(-1803000):
            attempt(session, orphan)
    with refused(-406000):
        session.data_objects.unlink(orphan, force=True)
    with refused(-406000):
        session.data_objects.unlink(orphan, force=True, **{kw.ADMIN_KW: ""})
    with refused(-821000):
        session.collections.remove(f"{zone.home}/c", force=True)
    session.data_objects.move(orphan, f"{orphan}.orphan")
    write(session, orphan)
    assert replica(session, orphan)[:2] == (GOOD, 12)


def test_an_administrator_can_mark_an_orphan_stale_and_remove_it(
    zone: EmbeddedZone, open_session: SessionMaker, orphan: str
) -> None:
    session = open_session(zone)
    target = {"objPath": orphan, "replNum": 0}
    with refused(-818000):
        session.data_objects.modDataObjMeta(target, {"replStatus": "0"})
    with refused(-13000):
        open_session(zone, user="bob").data_objects.modDataObjMeta(target, {"replStatus": "0", kw.ADMIN_KW: ""})
    session.data_objects.modDataObjMeta(target, {"replStatus": "0", kw.ADMIN_KW: ""})
    assert replica(session, orphan)[0] == STALE
    session.data_objects.unlink(orphan, force=True)
    assert not session.data_objects.exists(orphan)


def test_orphans_can_be_found_by_a_query(zone: EmbeddedZone, open_session: SessionMaker, orphan: str) -> None:
    session = open_session(zone)
    write(session, f"{zone.home}/good")
    query = session.query(Collection.name, DataObject.name).filter(DataObject.replica_status == INTERMEDIATE)
    assert [f"{row[Collection.name]}/{row[DataObject.name]}" for row in query] == [orphan]


def test_whatever_was_answered_survives_a_kill(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    session = open_session(zone)
    for number in range(20):
        write(session, f"{zone.home}/x{number}", HELLO, {kw.VERIFY_CHKSUM_KW: checksum(HELLO)})
        session.data_objects.move(f"{zone.home}/x{number}", f"{zone.home}/y{number}")
    zone.kill()
    zone.start()
    session = open_session(zone)
    for number in range(20):
        assert replica(session, f"{zone.home}/y{number}") == (GOOD, 12, checksum(HELLO))
        assert read(session, f"{zone.home}/y{number}") == HELLO


class Committer:
    """Stages, verifies and places object after object until its zone dies, and remembers what it was told."""

    def __init__(self, session: iRODSSession, home: str, prefix: str) -> None:
        self._session = session
        self._path = f"{home}/{prefix}"
        self.closed: list[str] = []
        self.placed: list[str] = []

    def run(self) -> None:
        try:
            for number in itertools.count():
                content = f"content of {number}".encode()
                staged, final = f"{self._path}-staged{number}", f"{self._path}-final{number}"
                write(self._session, staged, content, {kw.VERIFY_CHKSUM_KW: checksum(content)})
                self.closed.append(staged)
                self._session.data_objects.move(staged, final)
                self.placed.append(final)
        except NetworkException:
            pass


def test_kills_at_any_moment_leave_catalogue_and_vault_agreeing(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    for round_number, commits in enumerate((3, 10, 1, 25, 7, 14)):
        committers = [Committer(open_session(zone), zone.home, f"{round_number}-{letter}") for letter in "ab"]
        kill_while_they_commit(zone, committers, commits)
    session = open_session(zone)
    good = 0
    for path, (status, size, registered) in everything(session, zone.home).items():
        if status == GOOD:
            content = read(session, path)
            assert (len(content), checksum(content)) == (size, registered)
            good += 1
    assert good >= 60


def kill_while_they_commit(zone: EmbeddedZone, committers: list[Committer], commits: int) -> None:
    """Kill the zone once they have placed so many; then everything they were told must be so."""
    threads = [threading.Thread(target=committer.run) for committer in committers]
    for thread in threads:
        thread.start()
    until(lambda: sum(len(committer.placed) for committer in committers) >= commits)
    zone.kill()
    for thread in threads:
        thread.join()
    zone.start()
    with iRODSSession(host="127.0.0.1", port=zone.port, user="rods", password="rods", zone="cscZone") as session:
        found = everything(session, zone.home)
    for committer in committers:
        for path in committer.placed:
            assert found[path][0] == GOOD
        for path in committer.closed:  # the last one may have been placed without its committer being told
            assert (path in found) != (path.replace("staged", "final") in found)


def everything(session: iRODSSession, home: str) -> dict[str, tuple[str, int, str]]:
    """Status, size and checksum of all objects of a collection."""
    columns = (DataObject.name, DataObject.replica_status, DataObject.size, DataObject.checksum)
    rows = session.query(*columns).filter(Collection.name == home)
    return {
        f"{home}/{name}": (status, size, registered)
        for name, status, size, registered in ([row[column] for column in columns] for row in rows)
    }


def test_an_overwrite_interrupted_by_a_kill_never_counts_as_good(
    zone: EmbeddedZone, open_session: SessionMaker
) -> None:
    path = f"{zone.home}/x"
    write(open_session(zone), path)
    handle = open_session(zone).data_objects.open(path, "w")
    zone.kill()
    zone.start()
    assert replica(open_session(zone), path)[0] == INTERMEDIATE
    close_in_vain(handle)


def test_a_lost_reply_to_close_leaves_what_the_server_finished(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    session: iRODSSession = open_session(zone)
    handle = session.data_objects.open(f"{zone.home}/x", "w", **{kw.REG_CHKSUM_KW: ""})
    handle.write(HELLO)
    zone.control({"do": "add", "fault": {"call": "DATA_OBJ_CLOSE", "action": "drop_reply", "times": 1}})
    close_in_vain(handle)
    assert replica(open_session(zone), f"{zone.home}/x") == (GOOD, 12, checksum(HELLO))
