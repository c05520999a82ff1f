"""PID records against the commit log: one for each content, with its checksum and its place, and none besides (I6)."""

from dataclasses import replace

import pytest

from b2stream.batches.identity import id24, irods_checksum
from b2stream.handles.memory import MemoryHandles
from b2stream.handles.records import REPLICA
from b2stream.handles.service import CHECKSUM, URL, HandleRecord, HandleValue
from b2stream.programs.audit.findings import Finding
from b2stream.programs.audit.index import Index
from b2stream.programs.audit.judging import Scope
from b2stream.programs.audit.pids import judge_pids, read_pids
from tests.unit.audit.facts import NOW_S, done, whole_archive

PREFIX = "21.T99999"


@pytest.fixture
def index() -> Index:
    """Three batches, behind the registrar, all registered."""
    made = whole_archive(3)
    for row in list(made.rows("SELECT * FROM committed")):
        made.run(
            "UPDATE committed SET id24 = :id24, url = :url WHERE batch = :batch",
            id24=id24(row["sha256"]),
            url=f"irods://csc/{row['path']}",
            batch=row["batch"],
        )
        made.run(
            "UPDATE replicated SET url = 'irods://fzj/copy', partition = 0, offset = :offset, appended_at_us = 0 WHERE batch = :batch",
            offset=row["offset"],
            batch=row["batch"],
        )
    done(made, "registrar", 3)
    done(made, "registrar of copies", 3)
    return made


@pytest.fixture
def service(index: Index) -> MemoryHandles:
    made = MemoryHandles()
    for row in index.rows("SELECT * FROM committed ORDER BY number"):
        made.create(record(row["id24"], row["sha256"], row["url"]))
    return made


def record(suffix: str, sha256: str, url: str, replica: str | None = "irods://fzj/copy") -> HandleRecord:
    values = [HandleValue(1, URL, url), HandleValue(2, CHECKSUM, irods_checksum(sha256))]
    if replica:
        values.append(HandleValue(9, REPLICA, replica))
    return HandleRecord(f"{PREFIX}/{suffix}", tuple(values))


def judged(index: Index, service: MemoryHandles) -> list[Finding]:
    read_pids(index, service, PREFIX)
    return list(judge_pids(index, PREFIX, Scope("csc", "fzj", NOW_S, 900.0)))


def some(index: Index) -> tuple[str, HandleRecord]:
    row = index.one("SELECT * FROM committed WHERE number = 1")
    assert row is not None
    return row["path"], record(row["id24"], row["sha256"], row["url"])


def test_I6_an_archive_whose_contents_are_all_registered_has_no_finding(index: Index, service: MemoryHandles) -> None:
    assert judged(index, service) == []


def test_I6_a_record_that_is_gone_is_unregistered(index: Index, service: MemoryHandles) -> None:
    path, ours = some(index)
    service.delete(ours.handle)
    (finding,) = judged(index, service)
    assert (finding.kind.value, finding.path) == ("unregistered", ours.handle)
    assert path in finding.detail


def test_I6_what_the_registrar_has_still_before_it_is_lag(index: Index, service: MemoryHandles) -> None:
    for handle in list(service.records()):
        service.delete(handle)
    done(index, "registrar", 1)
    assert len(judged(index, service)) == 1


@pytest.mark.parametrize("changed", [CHECKSUM, URL, REPLICA])
def test_I6_a_record_that_says_something_else_is_misregistered(
    index: Index, service: MemoryHandles, changed: str
) -> None:
    _, ours = some(index)
    values = tuple(replace(each, value="other") if each.type == changed else each for each in ours.values)
    service.rewrite(
        replace(ours, values=tuple(each for each in values if (each.type, each.value) != (REPLICA, "other")))
    )
    (finding,) = judged(index, service)
    assert (finding.kind.value, finding.path) == ("misregistered", ours.handle)
    assert changed in finding.detail


def test_I6_a_record_of_a_content_that_nobody_committed_is_extra(index: Index, service: MemoryHandles) -> None:
    service.create(record("A" * 24, "a" * 64, "irods://csc/nowhere"))
    service.create(HandleRecord(f"{PREFIX}/USER01", (HandleValue(300, "HS_SECKEY", "secret"),)))
    (finding,) = judged(index, service)
    assert (finding.kind.value, finding.path.casefold()) == ("extra", f"{PREFIX}/{'a' * 24}".casefold())


def test_I6_equal_content_in_two_batches_shares_one_record_and_the_first_location_stays(
    index: Index, service: MemoryHandles
) -> None:
    first, second = index.rows("SELECT * FROM committed WHERE number IN (0, 1) ORDER BY number")
    service.delete(f"{PREFIX}/{second['id24']}")
    index.run(
        "UPDATE committed SET id24 = :id24, sha256 = :sha256 WHERE number = 1",
        id24=first["id24"],
        sha256=first["sha256"],
    )
    assert judged(index, service) == []
