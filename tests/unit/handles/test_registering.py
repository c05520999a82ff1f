"""Creating and rewriting, with everything that can come in between."""

from dataclasses import replace

import pytest

from b2stream.errors import LostReply, Retryable
from b2stream.handles.memory import MemoryHandles
from b2stream.handles.records import Prefixes, first_record
from b2stream.handles.registering import ContentConflict, Registered, create, create_or_rewrite
from b2stream.handles.service import HandleRecord, HandleValue
from tests.unit.handles.events import commit, replicated

PREFIXES = Prefixes("21.T1")
COMMIT = commit()
RECORD = first_record(COMMIT, PREFIXES)
WHOLE = first_record(COMMIT, PREFIXES, replicated(COMMIT))


@pytest.fixture
def service() -> MemoryHandles:
    return MemoryHandles()


def kept(service: MemoryHandles) -> HandleRecord:
    (record,) = service.records().values()
    return record


def test_a_new_record_is_created_and_a_second_time_found(service: MemoryHandles) -> None:
    assert create(service, RECORD)[0] is Registered.CREATED
    assert create(service, RECORD)[0] is Registered.UNCHANGED
    assert kept(service) == RECORD


@pytest.mark.parametrize("done", [True, False])
def test_after_a_lost_reply_the_record_is_read_back_and_not_written_twice(service: MemoryHandles, done: bool) -> None:
    service.fail("create", LostReply("broken"), done=done)
    assert create(service, RECORD)[0] is (Registered.UNCHANGED if done else Registered.CREATED)
    assert kept(service) == RECORD
    assert [call for call, _ in service.calls] == ["create", "read"] + ([] if done else ["create"])


def test_a_server_that_loses_every_reply_is_retryable(service: MemoryHandles) -> None:
    service.fail("create", LostReply("broken"), times=100)
    with pytest.raises(Retryable):
        create(service, RECORD)


def test_a_commit_event_leaves_a_record_that_knows_more_as_it_is(service: MemoryHandles) -> None:
    create_or_rewrite(service, WHOLE)
    assert create(service, RECORD)[0] is Registered.UNCHANGED
    assert kept(service) == WHOLE


def test_a_replica_event_completes_the_record_once(service: MemoryHandles) -> None:
    create(service, RECORD)
    assert create_or_rewrite(service, WHOLE)[0] is Registered.REWRITTEN
    assert create_or_rewrite(service, WHOLE)[0] is Registered.UNCHANGED
    assert kept(service) == WHOLE
    assert [call for call, _ in service.calls].count("rewrite") == 1


def test_I6_a_record_of_other_content_is_a_conflict_and_stays(service: MemoryHandles) -> None:
    other = replace(RECORD, values=(RECORD.values[0], HandleValue(2, "EUDAT/CHECKSUM", "sha2:other")))
    service.create(other)
    for step in (create, create_or_rewrite):
        with pytest.raises(ContentConflict, match="sha2:other"):
            step(service, WHOLE)
    assert kept(service) == other


def test_I6_a_record_without_a_checksum_is_a_conflict_and_stays(service: MemoryHandles) -> None:
    service.create(replace(RECORD, values=RECORD.values[:1]))
    with pytest.raises(ContentConflict, match="no checksum"):
        create_or_rewrite(service, WHOLE)


def test_equal_content_at_another_place_leaves_the_first_location(service: MemoryHandles) -> None:
    again = commit(stem="the same under another name")
    create(service, RECORD)
    outcome, found = create_or_rewrite(service, first_record(again, PREFIXES, replicated(again)))
    assert outcome is Registered.ELSEWHERE
    assert found == kept(service) == RECORD


@pytest.mark.parametrize("done", [True, False])
def test_a_rewrite_whose_reply_is_lost_is_read_back(service: MemoryHandles, done: bool) -> None:
    create(service, RECORD)
    service.fail("rewrite", LostReply("broken"), done=done)
    if done:
        assert create_or_rewrite(service, WHOLE)[0] is Registered.REWRITTEN
    else:
        with pytest.raises(LostReply):
            create_or_rewrite(service, WHOLE)


def test_I6_two_registrars_at_once_end_at_one_record(service: MemoryHandles) -> None:
    """The other one does its whole work just before each step of this one."""

    def other(call: str, _handle: str) -> None:
        service.before_call = None
        assert create_or_rewrite(service, WHOLE if call == "rewrite" else RECORD)[0] is not Registered.ELSEWHERE
        service.before_call = other

    service.before_call = other
    create(service, RECORD)
    create_or_rewrite(service, WHOLE)
    service.before_call = None
    create(service, RECORD)
    assert kept(service) == WHOLE
