"""PID records against the commit log: one for each content, with its checksum and its place, and none besides (I6)."""

from dataclasses import replace

import pytest

from b2stream.batches.identity import id24, irods_checksum
from b2stream.errors import AccessRefused
from b2stream.handles.answers import RecordRefused
from b2stream.handles.memory import MemoryHandles
from b2stream.handles.records import (
    CHECKSUM_TIMESTAMP,
    FIO,
    FIXED_CONTENT,
    HS_ADMIN,
    PARENT,
    PROFILE_VERSION,
    REPLICA,
    ROR,
    Prefixes,
)
from b2stream.handles.service import CHECKSUM, URL, Administrator, HandleRecord, HandleValue
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.judging.batches import Scope
from b2stream.programs.audit.judging.findings import Finding
from b2stream.programs.audit.judging.pids import judge_pids, read_pids
from tests.unit.audit.facts import NOW_S, done, whole_archive

PREFIX, SECOND, FORMER, GONE = "21.T99999", "21.T88888", "21.T77777", "21.T66666"
COPY = "irods://fzj/copy"


@pytest.fixture
def index() -> Index:
    """Three batches, behind the registrar, all registered."""
    made = whole_archive(3)
    for row in list(made.rows("SELECT * FROM committed")):
        made.run(
            "UPDATE committed SET id24 = :id24, url = :url, closed_at_us = 86400000000 WHERE batch = :batch",
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


def record(
    suffix: str, sha256: str, url: str, replica: str | None = COPY, *, prefix: str = PREFIX, parent: str | None = None
) -> HandleRecord:
    """A whole record as the EUDAT profile has it, written out: what is compared must not be made by what compares."""
    original = parent or f"{prefix}/{suffix}"
    told = [
        (1, URL, url),
        (2, CHECKSUM, irods_checksum(sha256)),
        (3, CHECKSUM_TIMESTAMP, "1970-01-02T00:00:00.000000Z"),
        (4, FIXED_CONTENT, "True"),
        (5, PROFILE_VERSION, "1"),
        (6, ROR, original),
        (7, FIO, original),
        (8, PARENT, parent),
        (9, REPLICA, replica),
        (100, HS_ADMIN, Administrator(f"0.NA/{prefix}", 200, "011111110011")),
    ]
    values = tuple(HandleValue(index, kind, value) for index, kind, value in told if value is not None)
    return HandleRecord(f"{prefix}/{suffix}", values)


def judged(index: Index, service: MemoryHandles, second_prefix: str = "", community: str = "") -> list[Finding]:
    read_pids(index, service, (PREFIX, second_prefix))
    prefixes = Prefixes(PREFIX, second_prefix, community)
    return list(judge_pids(index, prefixes, Scope("csc", "fzj", NOW_S, 900.0)))


def named(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.kind.value, finding.path) for finding in findings]


def copies(index: Index, service: MemoryHandles, second_prefix: str) -> list[HandleRecord]:
    """Let the second centre have a prefix: each copy has a record of its own, which the first one names."""
    made = []
    for row in list(index.rows("SELECT * FROM committed ORDER BY number")):
        suffix, sha256 = row["id24"], row["sha256"]
        service.rewrite(record(suffix, sha256, row["url"], f"{second_prefix}/{suffix}"))
        made.append(record(suffix, sha256, COPY, None, prefix=second_prefix, parent=f"{PREFIX}/{suffix}"))
        service.rewrite(made[-1])
    return made


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


def altered(record: HandleRecord, kind: str) -> HandleRecord:
    """With another value of this type."""
    other = Administrator("0.NA/21.T11111", 200, "111111111111") if kind == HS_ADMIN else "other"
    values = tuple(replace(each, value=other) if each.type == kind else each for each in record.values)
    assert values != record.values
    return replace(record, values=values)


ALL = [URL, CHECKSUM, CHECKSUM_TIMESTAMP, FIXED_CONTENT, PROFILE_VERSION, ROR, FIO, HS_ADMIN]


@pytest.mark.parametrize("changed", [*ALL, REPLICA])
def test_I6_a_record_that_says_something_else_is_misregistered_and_named_with_both(
    index: Index, service: MemoryHandles, changed: str
) -> None:
    _, ours = some(index)
    service.rewrite(altered(ours, changed))
    (finding,) = judged(index, service)
    assert (finding.kind.value, finding.path) == ("misregistered", ours.handle)
    assert finding.detail.startswith(f"{changed} is ")
    assert ("21.T11111" if changed == HS_ADMIN else "other") in finding.detail


@pytest.mark.parametrize("lacking", [URL, *ALL[2:], REPLICA])
def test_I6_a_record_that_lacks_a_value_is_misregistered(index: Index, service: MemoryHandles, lacking: str) -> None:
    _, ours = some(index)
    service.rewrite(replace(ours, values=tuple(each for each in ours.values if each.type != lacking)))
    (finding,) = judged(index, service)
    assert named([finding]) == [("misregistered", ours.handle)]
    assert finding.detail.startswith(f"{lacking} is ")


@pytest.mark.parametrize(
    "besides",
    [HandleValue(11, URL, "irods://csc/nowhere"), HandleValue(12, "EMAIL", "a@b"), HandleValue(13, PARENT, "p")],
)
def test_I6_a_record_that_says_more_is_misregistered(
    index: Index, service: MemoryHandles, besides: HandleValue
) -> None:
    _, ours = some(index)
    service.rewrite(replace(ours, values=(*ours.values, besides)))
    (finding,) = judged(index, service)
    assert named([finding]) == [("misregistered", ours.handle)]
    assert finding.detail == f"{besides.type} is {besides.value} (index {besides.index}), the events say nothing more"


def test_I6_a_value_under_another_index_is_misregistered(index: Index, service: MemoryHandles) -> None:
    _, ours = some(index)
    service.rewrite(replace(ours, values=tuple(replace(each, index=each.index + 20) for each in ours.values)))
    (finding,) = judged(index, service)
    assert f"{URL} is " in finding.detail
    assert "(index 21)" in finding.detail


def test_a_key_in_a_record_is_a_finding_that_does_not_tell_it(index: Index, service: MemoryHandles) -> None:
    _, ours = some(index)
    service.rewrite(replace(ours, values=(*ours.values, HandleValue(300, "HS_SECKEY", "hush"))))
    (finding,) = judged(index, service)
    assert finding.detail.startswith("HS_SECKEY is ")
    assert "hush" not in finding.detail


def test_I6_a_replica_that_no_event_tells_of_is_misregistered_once_the_replicator_has_passed(
    index: Index, service: MemoryHandles
) -> None:
    _, ours = some(index)
    index.run("DELETE FROM replicated WHERE batch = (SELECT batch FROM committed WHERE number = 1)")
    assert judged(index, service) == [], "the replicator may be about to tell again"
    done(index, "replicator", 3)
    (finding,) = judged(index, service)
    assert named([finding]) == [("misregistered", ours.handle)]
    assert finding.detail.startswith(f"{REPLICA} is {COPY}")


@pytest.mark.parametrize("replica", [COPY, None])
def test_I6_a_copy_that_the_registrar_has_still_before_it_may_be_named_or_not(
    index: Index, service: MemoryHandles, replica: str | None
) -> None:
    done(index, "registrar of copies", 0)
    done(index, "replicator", 3)
    row = index.one("SELECT * FROM committed WHERE number = 1")
    assert row is not None
    service.rewrite(record(row["id24"], row["sha256"], row["url"], replica))
    assert judged(index, service) == []


def test_I6_the_repository_of_record_is_the_community_s_where_it_has_a_prefix(
    index: Index, service: MemoryHandles
) -> None:
    for row in list(index.rows("SELECT * FROM committed")):
        ours = record(row["id24"], row["sha256"], row["url"])
        values = (replace(each, value=f"11676/{row['id24']}") if each.type == ROR else each for each in ours.values)
        service.rewrite(replace(ours, values=tuple(values)))
    assert judged(index, service, community="11676") == []
    assert len(judged(index, service)) == 3


def test_a_commit_event_of_no_calendar_is_a_finding_and_stops_no_audit(index: Index, service: MemoryHandles) -> None:
    _, ours = some(index)
    index.run("UPDATE committed SET closed_at_us = :at_us WHERE number = 1", at_us=2**62)
    (finding,) = judged(index, service)
    assert named([finding]) == [("misregistered", ours.handle)]
    assert str(2**62) in finding.detail


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


def test_I6_copies_with_pids_of_their_own_are_no_finding(index: Index, service: MemoryHandles) -> None:
    copies(index, service, SECOND)
    assert judged(index, service, SECOND) == []


def test_I6_a_copy_whose_record_is_gone_is_unregistered_under_the_second_prefix(
    index: Index, service: MemoryHandles
) -> None:
    lost = copies(index, service, SECOND)[1].handle
    service.delete(lost)
    assert named(judged(index, service, SECOND)) == [("unregistered", lost)]


@pytest.mark.parametrize("changed", [*ALL, PARENT])
def test_I6_a_copy_s_record_that_says_something_else_is_misregistered(
    index: Index, service: MemoryHandles, changed: str
) -> None:
    ours = copies(index, service, SECOND)[1]
    service.rewrite(altered(ours, changed))
    (finding,) = judged(index, service, SECOND)
    assert named([finding]) == [("misregistered", ours.handle)]
    assert changed in finding.detail


def test_I6_a_copy_s_record_of_a_content_that_nobody_committed_is_extra(index: Index, service: MemoryHandles) -> None:
    copies(index, service, SECOND)
    service.create(record("A" * 24, "a" * 64, "irods://fzj/nowhere", None, prefix=SECOND))
    assert [(kind, path.casefold()) for kind, path in named(judged(index, service, SECOND))] == [
        ("extra", f"{SECOND}/{'a' * 24}".casefold())
    ]


def test_I6_copies_keep_the_pids_of_a_prefix_that_the_second_centre_had_once(
    index: Index, service: MemoryHandles
) -> None:
    former = copies(index, service, FORMER)
    assert judged(index, service, SECOND) == [], "a PID is for ever"
    service.rewrite(replace(former[0], values=tuple(each for each in former[0].values if each.type != PARENT)))
    assert named(judged(index, service, SECOND)) == [("misregistered", former[0].handle)]


def announced_before(index: Index, service: MemoryHandles) -> str:
    """Let one batch be from a time when the first centre had another prefix; its PID."""
    row = index.one("SELECT * FROM committed WHERE number = 1")
    assert row is not None
    pid = f"{FORMER}/{row['id24']}"
    index.run("UPDATE committed SET pid = :pid WHERE number = 1", pid=pid)
    service.delete(f"{PREFIX}/{row['id24']}")
    service.create(record(row["id24"], row["sha256"], row["url"], prefix=FORMER))
    return pid


def test_I6_a_batch_is_judged_by_the_pid_under_which_it_was_announced(index: Index, service: MemoryHandles) -> None:
    pid = announced_before(index, service)
    assert judged(index, service) == []
    ours = service.read(pid)
    assert ours is not None
    service.rewrite(replace(ours, values=tuple(replace(each, value="other") for each in ours.values)))
    assert named(judged(index, service)) == [("misregistered", pid)]
    service.delete(pid)
    assert named(judged(index, service)) == [("unregistered", pid)]


def test_I13_a_prefix_that_the_server_does_not_serve_any_more_is_one_finding(
    index: Index, service: MemoryHandles
) -> None:
    announced_before(index, service)

    def refuse(call: str, about: str) -> None:
        if about.startswith(FORMER):
            raise RecordRefused("response code 301")

    service.before_call = refuse
    (finding,) = judged(index, service)
    assert named([finding]) == [("unregistered", FORMER)]
    assert "response code 301" in finding.detail


@pytest.mark.parametrize("error", [RecordRefused("response code 301"), AccessRefused("response code 400")])
def test_I13_one_copy_whose_prefix_is_refused_keeps_none_of_the_others_from_being_read(
    index: Index, service: MemoryHandles, error: Exception
) -> None:
    first = min(copies(index, service, FORMER), key=lambda copy: copy.handle.casefold())
    original = service.read(f"{PREFIX}/{first.handle.partition('/')[2]}")
    assert original is not None
    moved = first.handle.replace(FORMER, GONE)
    values = (replace(each, value=moved) if each.type == REPLICA else each for each in original.values)
    service.rewrite(replace(original, values=tuple(values)))

    def refuse(call: str, about: str) -> None:
        if about.startswith(GONE):
            raise error

    service.before_call = refuse
    (finding,) = judged(index, service)
    assert named([finding]) == [("unregistered", GONE)]
    assert "response code" in finding.detail


def test_a_server_that_does_not_let_us_read_is_no_finding(index: Index, service: MemoryHandles) -> None:
    service.fail("list", AccessRefused("response code 400"))
    with pytest.raises(AccessRefused):
        judged(index, service)
