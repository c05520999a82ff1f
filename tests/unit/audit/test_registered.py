"""PID records written again by repair: that of the data object, and that of its copy under whichever prefix it was announced."""

from dataclasses import replace

import pytest

from b2stream.errors import Stuck
from b2stream.handles.describing import Describing
from b2stream.handles.kinds import read_kinds
from b2stream.handles.memory import MemoryHandles
from b2stream.handles.records import PARENT, REPLICA, Prefixes
from b2stream.handles.service import URL, HandleValue
from b2stream.programs.audit.verify.checks import Check, Outcome
from b2stream.programs.audit.verify.registered import Registered
from tests.unit.batches.test_history import COMMIT
from tests.unit.batches.test_history import REPLICA as COPIED

FIRST, SECOND, FORMER = "21.T99999", "21.T88888", "21.T77777"


@pytest.fixture
def registered() -> Registered:
    prefixes = Prefixes(FIRST, SECOND)
    return Registered(MemoryHandles(), prefixes, Describing("icos", prefixes, read_kinds("")), "csc")


def test_the_record_of_a_data_object_names_its_copy(registered: Registered) -> None:
    pid = f"{FIRST}/{COMMIT.id24}"
    assert registered.rewrite(pid, COMMIT, COPIED) == "registered"
    found = registered.service.read(pid)
    assert found is not None
    assert (found.text(URL), found.text(REPLICA)) == (COMMIT.url, f"{SECOND}/{COMMIT.id24}")
    assert registered.rewrite(pid, COMMIT, COPIED) == "it is right already"


@pytest.mark.parametrize("prefix", [SECOND, FORMER])
def test_the_record_of_a_copy_names_its_original_also_under_a_former_prefix(
    registered: Registered, prefix: str
) -> None:
    pid = f"{prefix}/{COMMIT.id24}"
    assert registered.rewrite(pid, COMMIT, COPIED) == "registered"
    found = registered.service.read(pid)
    assert found is not None
    assert (found.text(URL), found.text(PARENT)) == (COPIED.url, f"{FIRST}/{COMMIT.id24}")
    assert registered.service.read(f"{FIRST}/{COMMIT.id24}") is None, "only what was asked for"


@pytest.mark.parametrize("pid", [f"{SECOND}/{'y' * 24}", "elsewhere/x"])
def test_a_pid_of_another_content_is_left_alone(registered: Registered, pid: str) -> None:
    with pytest.raises(Stuck, match="no event says"):
        registered.rewrite(pid, COMMIT, COPIED)


def test_a_copy_that_was_not_replicated_has_no_record(registered: Registered) -> None:
    with pytest.raises(Stuck, match="no event says"):
        registered.rewrite(f"{SECOND}/{COMMIT.id24}", COMMIT, None)


def checks(registered: Registered) -> list[Check]:
    return list(registered.records(COMMIT, COPIED, {COMMIT.url}))


def test_verify_names_each_value_that_is_besides_what_the_events_say(registered: Registered) -> None:
    pid = f"{FIRST}/{COMMIT.id24}"
    for each in (pid, f"{SECOND}/{COMMIT.id24}"):
        registered.rewrite(each, COMMIT, COPIED)
    assert [check.outcome for check in checks(registered)] == [Outcome.GOOD, Outcome.GOOD]
    record = registered.service.read(pid)
    assert record is not None
    besides = (HandleValue(11, URL, "irods://csc/nowhere"), HandleValue(12, "EMAIL", "a@b"))
    registered.service.rewrite(replace(record, values=(*record.values, *besides)))
    bad = [check for check in checks(registered) if check.outcome is Outcome.BAD]
    assert [(check.where, check.about) for check in bad] == [
        (pid, f"{kind} in the PID record") for kind in (URL, "EMAIL")
    ]
    assert "irods://csc/nowhere" in bad[0].detail


def test_verify_names_a_value_under_another_index(registered: Registered) -> None:
    pid = f"{FIRST}/{COMMIT.id24}"
    registered.rewrite(pid, COMMIT, None)
    record = registered.service.read(pid)
    assert record is not None
    moved = tuple(replace(each, index=21) if each.type == URL else each for each in record.values)
    registered.service.rewrite(replace(record, values=moved))
    (bad,) = registered.records(COMMIT, None, {COMMIT.url})
    assert (bad.outcome, bad.about) == (Outcome.BAD, f"{URL} in the PID record")
