"""The independent check of PID records: silent about whole ones, and it names each that is missing, wrong or of nothing."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.unit.demo.archives import Archive, CentreByHand, Committed
from tests.unit.demo.conftest import Check
from tests.unit.handles.stub import PASSWORD, PREFIX, USER, StubHandleServer, Trouble

Values = dict[str, str]


class Registered:
    """A Handle server that has the records of an archive, to be broken one way at a time."""

    def __init__(self, archive: Archive, server: StubHandleServer) -> None:
        self.archive, self.server = archive, server
        for batch in archive.batches:
            self.put(self.pid(batch), self.values(batch))

    @staticmethod
    def pid(batch: Committed) -> str:
        digest = bytes.fromhex(batch.close.raw_sha256)
        return f"{PREFIX}/{base64.urlsafe_b64encode(digest)[:24].decode()}"

    def values(self, batch: Committed) -> Values:
        digest = base64.b64encode(bytes.fromhex(batch.close.raw_sha256)).decode()
        return {
            "URL": self.url(self.archive.first, batch),
            "EUDAT/CHECKSUM": f"sha2:{digest}",
            "EUDAT/REPLICA": self.url(self.archive.second, batch),
        }

    @staticmethod
    def url(centre: CentreByHand, batch: Committed) -> str:
        return f"irods://{centre.zone.host}:{centre.zone.port}" + quote(f"{centre.root}/{batch.path}", safe="/~")

    def put(self, pid: str, values: Values) -> None:
        listed: list[Any] = [
            {"index": index, "type": kind, "data": {"format": "string", "value": value}}
            for index, (kind, value) in enumerate(values.items(), 1)
        ]
        self.server.records[pid.casefold()] = (pid, listed)

    def plan(self, *, shared: bool = False) -> Path:
        secret = self.archive.folder / "handle.password"
        secret.write_text(PASSWORD)
        handle = {"url": self.server.url, "prefix": PREFIX, "user": USER, "password": {"file": str(secret)}}
        return self.archive.write_plan(handle={**handle, "ca_file": "", "shared": shared})


@pytest.fixture
def registered(archive: Archive) -> Iterator[Registered]:
    with StubHandleServer() as server:
        yield Registered(archive, server)


def test_I6_whole_records_pass_and_are_counted(registered: Registered, check: Check) -> None:
    registered.put(USER.partition(":")[2], {"HS_SECKEY": "the user's own record, which every prefix has"})
    said = check(registered.plan())
    assert said.exit_code == 0, said.text
    assert "I6  holds  PID truth: 4 PID records with their content's checksum and places; 4 PIDs that" in said.text


def test_without_a_handle_server_nothing_is_said_of_pids(archive: Archive, check: Check) -> None:
    assert "I6" not in check(archive.write_plan()).text


def test_I6_a_data_object_without_a_record_is_named(registered: Registered, check: Check) -> None:
    batch = registered.archive.batches[3]
    del registered.server.records[registered.pid(batch).casefold()]
    said = check(registered.plan())
    assert said.exit_code == 1
    (found,) = said.findings()
    assert found.startswith("I6 26NA an odd ~ 50% name.bin at csc ")
    assert found.endswith(f"{registered.pid(batch)} is not registered")


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("EUDAT/CHECKSUM", "sha2:AAAA", "its EUDAT/CHECKSUM is sha2:AAAA"),
        ("URL", "irods://127.0.0.1:1/elsewhere", "its URL is irods://127.0.0.1:1/elsewhere"),
        ("EUDAT/REPLICA", "irods://127.0.0.1:1/elsewhere", "its EUDAT/REPLICA is irods://127.0.0.1:1/elsewhere"),
        ("EUDAT/REPLICA", None, "it names no copy"),
        ("EUDAT/CHECKSUM", None, "its EUDAT/CHECKSUM is None"),
    ],
)
def test_I6_a_record_that_says_something_else_is_named_with_its_file(
    registered: Registered, check: Check, kind: str, value: str | None, told: str
) -> None:
    batch = registered.archive.batches[1]
    values = {**registered.values(batch), kind: value or ""}
    registered.put(registered.pid(batch), {name: each for name, each in values.items() if each})
    (found,) = check(registered.plan()).findings()
    assert found.startswith("I6 SE-Htm two.csv at csc ")
    assert f"{registered.pid(batch)}: {told}" in found


def test_I6_a_record_of_no_data_object_is_named_unless_others_register_there_too(
    registered: Registered, check: Check
) -> None:
    registered.put(f"{PREFIX}/abcdefghijklmnopqrstuvwx", {"URL": "irods://gone"})
    (found,) = check(registered.plan()).findings()
    assert f"{PREFIX}/abcdefghijklmnopqrstuvwx".lower() in found
    assert check(registered.plan(shared=True)).exit_code == 0


def test_I6_equal_content_of_two_stations_needs_one_record_that_names_either_place(
    registered: Registered, check: Check
) -> None:
    archive = registered.archive
    again = archive.add("HTM", "the same.csv", archive.batches[0].content, rows=5, series="EC")
    for named in (archive.batches[0], again):
        registered.put(registered.pid(again), registered.values(named))
        said = check(registered.plan())
        assert said.exit_code == 0, said.text
        assert "4 PID records" in said.text


def test_a_handle_server_that_does_not_answer_is_no_finding_but_no_check_either(
    registered: Registered, check: Check
) -> None:
    registered.server.troubles = [Trouble(hang_up=True)]
    assert check(registered.plan()).exit_code == 3
    registered.server.troubles = [Trouble(status=503)]
    assert check(registered.plan()).exit_code == 3


@pytest.mark.parametrize("kind", ["URL", "EUDAT/REPLICA", "EUDAT/CHECKSUM"])
def test_I6_a_record_that_names_two_places_at_one_centre_is_named(
    registered: Registered, check: Check, kind: str
) -> None:
    pid, listed = registered.server.records[registered.pid(registered.archive.batches[1]).casefold()]
    (single,) = [value for value in listed if value["type"] == kind]
    listed.append({**single, "index": 11})
    (found,) = check(registered.plan()).findings()
    assert f"{pid}: it has 2 values of {kind}" in found
