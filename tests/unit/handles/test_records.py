"""The EUDAT profile, member by member, with and without a second prefix and a community prefix."""

import base64
from dataclasses import replace

import pytest

from b2stream.handles.records import Prefixes, first_record, second_record
from b2stream.handles.service import Administrator, HandleRecord
from tests.unit.handles.events import commit, replicated

COMMIT = commit()
REPLICA = replicated(COMMIT)
SUFFIX = COMMIT.id24
CHECKSUM = "sha2:" + base64.b64encode(bytes.fromhex(COMMIT.sha256)).decode()


def table(record: HandleRecord | None) -> dict[int, tuple[str, object]]:
    assert record is not None
    assert [value.index for value in record.values] == sorted(value.index for value in record.values)
    return {value.index: (value.type, value.value) for value in record.values}


def test_I6_a_commit_events_record_is_the_eudat_profile_at_its_indices() -> None:
    record = first_record(COMMIT, Prefixes("21.T1"))
    assert record.handle == f"21.T1/{SUFFIX}"
    assert table(record) == {
        1: ("URL", COMMIT.url),
        2: ("EUDAT/CHECKSUM", CHECKSUM),
        3: ("EUDAT/CHECKSUM_TIMESTAMP", "2024-03-01T10:45:00.123000Z"),
        4: ("EUDAT/FIXED_CONTENT", "True"),
        5: ("EUDAT/PROFILE_VERSION", "1"),
        6: ("EUDAT/ROR", f"21.T1/{SUFFIX}"),
        7: ("EUDAT/FIO", f"21.T1/{SUFFIX}"),
        100: ("HS_ADMIN", Administrator("0.NA/21.T1", 200, "011111110011")),
    }


def test_the_communitys_pid_is_the_repository_of_record_where_it_has_a_prefix() -> None:
    prefixes = Prefixes("21.T1", "21.T2", "11676")
    for record in (first_record(COMMIT, prefixes), second_record(REPLICA, prefixes)):
        assert table(record)[6] == ("EUDAT/ROR", f"11676/{SUFFIX}")


def test_a_replica_without_a_prefix_is_named_by_its_url_and_has_no_record() -> None:
    prefixes = Prefixes("21.T1")
    record = first_record(COMMIT, prefixes, REPLICA)
    assert table(record)[9] == ("EUDAT/REPLICA", REPLICA.url)
    assert second_record(REPLICA, prefixes) is None
    assert {**table(record), 9: None} == {**table(first_record(COMMIT, prefixes)), 9: None}, "nothing else differs"


def test_a_replica_with_a_prefix_has_a_record_that_names_its_parent_and_the_first_one_names_it() -> None:
    prefixes = Prefixes("21.T1", "21.T2")
    first, second = first_record(COMMIT, prefixes, REPLICA), second_record(REPLICA, prefixes)
    assert second is not None
    assert second.handle == f"21.T2/{SUFFIX}"
    assert table(first)[9] == ("EUDAT/REPLICA", second.handle)
    told = table(second)
    assert told[1] == ("URL", REPLICA.url)
    assert told[2] == ("EUDAT/CHECKSUM", CHECKSUM)
    assert told[6] == ("EUDAT/ROR", first.handle)
    assert told[7] == ("EUDAT/FIO", first.handle)
    assert told[8] == ("EUDAT/PARENT", first.handle)
    assert 9 not in told
    assert told[100] == ("HS_ADMIN", Administrator("0.NA/21.T2", 200, "011111110011"))


def test_the_pid_that_was_announced_is_the_one_that_is_registered() -> None:
    announced = replace(COMMIT, pid="21.T9/x")
    assert first_record(announced, Prefixes("21.T1")).handle == "21.T9/x"


def test_the_administrator_is_the_one_that_is_set() -> None:
    record = first_record(COMMIT, Prefixes("21.T1", administrator="300:21.T1/USER01"))
    assert table(record)[100] == ("HS_ADMIN", Administrator("21.T1/USER01", 300, "011111110011"))


@pytest.mark.parametrize("prefixes", [Prefixes("21.T1"), Prefixes("21.T1", "21.T2", "11676")])
def test_I6_a_record_is_a_function_of_the_event_alone(prefixes: Prefixes) -> None:
    again = replicated(commit())
    assert first_record(again.commit, prefixes, again) == first_record(COMMIT, prefixes, REPLICA)
    assert second_record(again, prefixes) == second_record(REPLICA, prefixes)
