"""The registrar in memory: one record per content, whatever comes first, twice, or goes wrong in between."""

from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from b2stream.errors import AccessRefused, LostReply, Refused, Retryable
from b2stream.handles.records import Prefixes, first_record, second_record
from b2stream.handles.service import HandleRecord, HandleValue
from tests.replication.batches import PARTITIONS
from tests.unit.registrar.stand import FIRST_PREFIX, SECOND_PREFIX, Stand
from tests.waiting import until

PREFIXES = Prefixes(FIRST_PREFIX)


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"b2stream_registrar_{name}", labels or None) or 0.0


def test_I6_each_commit_event_gets_a_record(stand: Stand) -> None:
    batches = [stand.batch(number) for number in range(5)]
    for each in batches:
        stand.commit(each)
    stand.drain()
    assert [stand.record(each) for each in batches] == [first_record(each.commit, PREFIXES) for each in batches]
    assert len(stand.handles.records()) == 5


@pytest.mark.parametrize("order", ["commit first", "replica first", "both twice", "replica alone"])
def test_I6_in_any_order_and_repeated_the_end_is_the_same_record(stand: Stand, order: str) -> None:
    event = stand.batch(1)
    steps = {
        "commit first": [stand.commit, stand.replicas.append_replica],
        "replica first": [stand.replicas.append_replica, stand.commit],
        "both twice": [stand.replicas.append_replica, stand.commit] * 2,
        "replica alone": [stand.replicas.append_replica],
    }[order]
    for step in steps:
        step(event)
        stand.drain()
    assert stand.record(event) == first_record(event.commit, PREFIXES, event)
    assert stand.first.attributes(event.commit.path).values["EUDAT/REPLICA"] == (event.url,)


def test_a_second_prefix_gives_the_copy_a_record_with_its_parent() -> None:
    stand = Stand(second_prefix=SECOND_PREFIX, community_prefix="11676")
    event = stand.batch(1)
    stand.commit(event)
    stand.replicas.append_replica(event)
    stand.drain()
    prefixes = Prefixes(FIRST_PREFIX, SECOND_PREFIX, "11676")
    assert stand.record(event) == first_record(event.commit, prefixes, event)
    assert stand.record(event, SECOND_PREFIX) == second_record(event, prefixes)


def test_I6_two_registrars_at_once_write_each_record_once_and_whole(stand: Stand) -> None:
    batches = [stand.batch(number) for number in range(10)]
    other = Stand(handles=stand.handles, first=stand.first, second=stand.second)
    for each in batches:
        for one in (stand, other):
            one.commit(each)
            one.replicas.append_replica(each)
    with stand.running(), other.running():
        until(lambda: stand.drained() and other.drained())
    assert stand.handles.records() == {
        record.handle: record for record in (first_record(each.commit, PREFIXES, each) for each in batches)
    }
    assert stand.letters() == other.letters() == []


def test_equal_content_at_two_places_shares_its_pid_and_the_further_place_is_told(stand: Stand) -> None:
    one, two = stand.batch(1, b"equal"), stand.batch(2, b"equal", "HTM")
    for each in (one, two):
        stand.commit(each)
        stand.drain()
    for each in (one, two):
        stand.replicas.append_replica(each)
        stand.drain()
    assert list(stand.handles.records().values()) == [first_record(one.commit, PREFIXES, one)]
    (told,) = stand.further()
    assert (told.pid, told.registered_url) == (f"{FIRST_PREFIX}/{one.commit.id24}", one.commit.url)
    assert (told.batch, told.station, told.url, told.replica_url) == (two.commit.batch, "HTM", two.commit.url, two.url)
    headers = next(dict(headers) for topic, *_, headers in stand.commits.published if topic == "test.events")
    assert headers["ce_id"].decode() == f"{told.pid}/{told.batch}"


def test_I6_a_record_of_other_content_is_a_letter_and_a_metric_and_the_next_goes_on(stand: Stand) -> None:
    taken, free = stand.batch(1), stand.batch(2)
    foreign = HandleRecord(
        f"{FIRST_PREFIX}/{taken.commit.id24}",
        (HandleValue(1, "URL", "https://elsewhere"), HandleValue(2, "EUDAT/CHECKSUM", "sha2:other")),
    )
    stand.handles.create(foreign)
    conflicts = sample("conflicts_total")
    for each in (taken, free):
        stand.commit(each)
    stand.drain()
    assert stand.record(taken) == foreign
    assert stand.record(free) == first_record(free.commit, PREFIXES)
    (letter,) = stand.letters()
    assert (letter.reason, letter.topic_id, letter.offset) == ("pid_conflict", "commits-topic-id", 0)
    assert letter.partition < PARTITIONS
    assert sample("conflicts_total") == conflicts + 2, "it was looked at twice"
    assert stand.first.attributes(taken.commit.path).values == {}, "nothing is said that is not so"


def test_a_letter_of_a_replica_event_names_its_own_topic_and_partition(stand: Stand) -> None:
    event = stand.batch(1)
    stand.replicas.append_raw(2, b"SE-Htm", b"not an event", [])
    stand.replicas.append_replica(event)
    stand.drain()
    (letter,) = stand.letters()
    assert (letter.topic_id, letter.partition, letter.offset) == ("replicas-topic-id", 2, 0)
    assert stand.record(event) is not None


def test_a_handle_server_that_is_down_is_lag_and_is_caught_up_with(stand: Stand) -> None:
    batches = [stand.batch(number) for number in range(4)]
    stand.handles.available = False
    for each in batches:
        stand.commit(each)
    with stand.running():
        until(lambda: sample("server_away") == 1.0)
        assert sample("lag_events") == 4.0
        assert not stand.health.readyz()[0]
        assert stand.commits.committed == {}
        stand.handles.available = True
        until(stand.drained)
        until(lambda: stand.health.readyz()[0])
    assert len(stand.handles.records()) == 4
    assert stand.letters() == []


@pytest.mark.parametrize("call", ["create", "rewrite", "read"])
@pytest.mark.parametrize("done", [True, False])
def test_a_lost_reply_of_any_call_ends_at_the_same_record(stand: Stand, call: str, done: bool) -> None:
    event = stand.batch(1)
    stand.handles.fail(call, LostReply("broken") if call != "read" else Retryable("broken"), done=done)
    stand.commit(event)
    stand.replicas.append_replica(event)
    stand.drain()
    assert stand.record(event) == first_record(event.commit, PREFIXES, event)


def test_I11_a_record_that_is_refused_does_not_stop_the_others(stand: Stand) -> None:
    refused, good = stand.batch(1), stand.batch(2, station="HTM")

    def refuse(call: str, handle: str) -> None:
        if call == "create" and handle.endswith(refused.commit.id24):
            raise AccessRefused(handle)

    stand.handles.before_call = refuse
    for each in (refused, good):
        stand.commit(each)
    with stand.running():
        until(lambda: stand.record(good) is not None)
        until(lambda: sample("failures_total", reason="access_refused") > 0)
        assert stand.record(refused) is None
        stand.handles.before_call = None
        until(stand.drained)
    assert stand.record(refused) is not None
    assert stand.letters() == []


def test_a_wrong_password_stops_the_registrar_loudly(stand: Stand) -> None:
    stand.handles.fail("create", Refused("401"), times=100)
    stand.commit(stand.batch(1))
    with pytest.raises(Refused, match="401"):
        stand.loop().run()
    assert stand.commits.committed == {}, "nothing is acknowledged that is not done"


def test_a_centre_that_is_down_is_lag_and_the_record_is_there_before_the_attributes(stand: Stand) -> None:
    event = stand.batch(1)
    stand.first.available = False
    stand.commit(event)
    with stand.running():
        until(lambda: stand.record(event) is not None)
        until(lambda: sample("waiting_batches") > 0)
        assert stand.commits.committed == {}
        stand.first.available = True
        until(stand.drained)
    assert stand.first.attributes(event.commit.path).values["PID"] == (f"{FIRST_PREFIX}/{event.commit.id24}",)


def test_an_object_that_is_gone_is_a_letter_while_its_centre_shows_others(stand: Stand) -> None:
    gone, there = stand.batch(1), stand.batch(2, station="HTM")
    stand.first.remove(gone.commit.path)
    stand.commit(gone)
    with stand.running():
        until(lambda: sample("failures_total", reason="missing_object") > 0)
        assert stand.letters() == [], "all objects may be hidden: a permission that is gone looks like this"
        stand.commit(there)
        until(stand.drained)
    assert [letter.reason for letter in stand.letters()] == ["object_missing"]


def test_the_pid_that_was_announced_is_the_one_that_is_registered(stand: Stand) -> None:
    event = stand.batch(1)
    announced = replace(event, commit=replace(event.commit, pid="21.T9/announced"))
    stand.commit(announced)
    stand.replicas.append_replica(announced)
    stand.drain()
    assert list(stand.handles.records()) == ["21.T9/announced"]
