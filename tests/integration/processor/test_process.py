"""`b2stream processor` as a process, on real Kafka and an embedded zone: its start, its stops, two of it."""

import collections
import random
import signal

import pytest

from b2stream.contracts import topics
from b2stream.sandbox.zone.process import EmbeddedZone
from tests.integration.processor.alongside import alongside
from tests.integration.processor.conftest import QUICK_S, Deployment
from tests.unit.processor.stations import Sent, StationBatch, attempt_name
from tests.waiting import until


def some_batches(count: int, stations: int = 6) -> list[StationBatch]:
    """Batches of several stations, small and different."""
    return [
        StationBatch(
            station=f"ST-{number % stations:03d}",
            number=number,
            content=tuple(b"%d/%d;" % (number, at) * 50 for at in range(3)),
            is_stream=number % 2 == 1,
        )
        for number in range(count)
    ]


def interleaved(batches: list[StationBatch], seed: int = 1) -> list[Sent]:
    """All messages, each attempt in order, attempts mixed."""
    attempts = [collections.deque(batch.sent(attempt_name(batch.number))) for batch in batches]
    random_ = random.Random(seed)
    sent = []
    while any(attempts):
        sent.append(random_.choice([attempt for attempt in attempts if attempt]).popleft())
    return sent


def expect_exactly(deployment: Deployment, batches: list[StationBatch]) -> None:
    """Every batch once in the archive, with its bytes, and announced at least once; no letter."""
    events = {event.batch: event for event in deployment.events()}
    assert len(events) == len(batches)
    by_stem = {event.stem: event for event in events.values()}
    expected = {by_stem[batch.stem].path: batch.data_object() for batch in batches}
    assert deployment.data_objects() == expected
    assert set(deployment.objects()) == {
        path for event in events.values() for path in (event.path, event.manifest_path)
    }
    assert not deployment.letters()


def test_batches_of_all_partitions_are_archived_announced_and_acknowledged(deployment: Deployment) -> None:
    batches = some_batches(12)
    deployment.send(interleaved(batches))
    process = deployment.start()
    until(deployment.is_all_acknowledged)
    expect_exactly(deployment, batches)
    process.send(signal.SIGTERM)
    assert process.wait(QUICK_S)
    assert process.exit_code == 0, process.last_log_lines()
    assert " warning " not in process.last_log_lines(1000), "an ordinary life is nothing to warn of"


def test_a_group_without_offsets_says_from_when_on_it_covers_the_log(deployment: Deployment) -> None:
    batch = StationBatch()
    deployment.send(batch.sent(attempt_name(1)))
    first = deployment.read("measurements")[0]
    deployment.start()
    until(deployment.is_all_acknowledged)
    coverage = {each.partition: each for each in deployment.coverage()}
    assert set(coverage) == {0, 1, 2}
    for number, record in coverage.items():
        assert record.offset == 0
        assert record.append_time_us == (first.appended_at_us if number == first.partition else None)
        assert record.group == deployment.group
    deployment.processors[0].stop()
    before = len(deployment.read("events"))
    deployment.start()
    deployment.send(StationBatch(number=2).sent(attempt_name(2)))
    until(deployment.is_all_acknowledged)
    assert len(deployment.read("events")) == before, "the second start goes on from the group's offsets"


@pytest.mark.parametrize("beyond", [False, True])
def test_a_committed_offset_outside_the_log_is_fatal_before_a_message_is_taken(
    deployment: Deployment, beyond: bool
) -> None:
    deployment.send(StationBatch().sent(attempt_name(1)))
    (number,) = [number for number, end in deployment.ends().items() if end]
    if beyond:
        deployment.admin.set_committed(deployment.group, deployment.topic, {number: 1_000})
    else:
        deployment.admin.set_committed(deployment.group, deployment.topic, {number: 0})
        deployment.delete_records(number, 2)
    process = deployment.start()
    assert process.wait(QUICK_S)
    assert process.exit_code == 1
    held = "0 to 4" if beyond else "2 to 4"
    wanted = f"stands at {1_000 if beyond else 0} of {deployment.topic}[{number}], the log holds {held}"
    assert wanted in process.last_log_lines(50)
    assert "offsets accept" in process.last_log_lines(50)
    assert not deployment.objects()
    assert not deployment.events()


@alongside
def test_I8_a_topic_that_is_made_again_under_a_processor_stops_it(deployment: Deployment) -> None:
    process = deployment.start()
    until(lambda: "reading partitions" in process.last_log_lines())
    deployment.admin.delete_topic(deployment.topic)
    deployment.admin.create_topic(deployment.topic, 3, 1, topics.MEASUREMENTS.config())
    deployment.send(StationBatch().sent(attempt_name(1)))  # at the offsets that the old topic would have given next
    assert process.wait(QUICK_S)
    assert process.exit_code == 1
    assert "deleted and made again under this program: start it again" in process.last_log_lines(50)
    deployment.start()
    until(deployment.is_all_acknowledged)
    expect_exactly(deployment, [StationBatch()])


@alongside
def test_two_processors_one_joining_and_one_leaving_in_mid_load_give_the_same_objects_once(
    deployment: Deployment,
) -> None:
    batches = some_batches(60, stations=12)
    first = deployment.start()
    deployment.send(interleaved(batches[:20]))
    until(lambda: len(deployment.events()) > 3)
    second = deployment.start()
    deployment.send(interleaved(batches[20:40]))
    until(lambda: "reading partitions" in second.last_log_lines(100))
    middle = interleaved(batches[40:])
    deployment.send(middle[:40])
    first.send(signal.SIGTERM)
    deployment.send(middle[40:])
    assert first.wait(QUICK_S)
    assert first.exit_code == 0, first.last_log_lines()
    until(deployment.is_all_acknowledged)
    expect_exactly(deployment, batches)


@alongside
def test_killed_without_a_word_its_partitions_pass_to_the_other_one(deployment: Deployment) -> None:
    batches = some_batches(24, stations=12)
    first, second = deployment.start(), deployment.start()
    deployment.send(interleaved(batches[:12]))
    until(lambda: len(deployment.events()) > 2)
    last = interleaved(batches[12:])
    deployment.send(last[:20])
    first.kill()
    deployment.send(last[20:])
    until(deployment.is_all_acknowledged)
    expect_exactly(deployment, batches)
    assert second.running


def test_sigterm_acknowledges_what_is_done_and_does_not_wait_for_open_attempts(deployment: Deployment) -> None:
    batch, open_one = StationBatch(), StationBatch(series="open", number=2)
    deployment.send(batch.sent(attempt_name(1)), open_one.blocks(attempt_name(2)))
    deployment.configure(processor={"grace_s": 60.0})
    process = deployment.start()
    until(lambda: len(deployment.events()) == 1)
    process.send(signal.SIGTERM)
    assert process.wait(30.0)
    assert process.exit_code == 0
    assert 4 in deployment.committed().values()


@alongside
def test_sigterm_ends_soon_after_the_grace_time_while_the_centre_is_frozen(deployment: Deployment) -> None:
    with EmbeddedZone(deployment.folder / "frozen", "cscZone") as zone:
        url = f"irods://rods@{zone.host}:{zone.port}{zone.home}/{deployment.community}"
        deployment.configure(first={"url": url, "timeout_s": 60.0}, processor={"grace_s": 4.0})
        process = deployment.start()
        until(lambda: "reading partitions" in process.last_log_lines())
        zone.freeze()
        deployment.send(StationBatch().sent(attempt_name(1)))
        assert not process.wait(1.0)  # nothing shows from outside that the commit hangs
        process.send(signal.SIGTERM)
        assert process.wait(15.0), process.last_log_lines()
        assert process.exit_code == 0
        zone.thaw()
    assert 0 not in {offset for offset in deployment.committed().values() if offset}
    assert not deployment.events()


@alongside
def test_I11_a_centre_that_was_away_is_lag_and_nothing_else(deployment: Deployment) -> None:
    with EmbeddedZone(deployment.folder / "away", "cscZone") as zone:
        url = f"irods://rods@{zone.host}:{zone.port}{zone.home}/{deployment.community}"
        deployment.configure(first={"url": url, "timeout_s": 5.0})
        process = deployment.start()
        until(lambda: "reading partitions" in process.last_log_lines())
        zone.kill()
        batches = some_batches(6)
        deployment.send(interleaved(batches))
        until(lambda: "waits" in process.last_log_lines())
        assert not deployment.events()
        zone.start()
        until(deployment.is_all_acknowledged)
        assert len({event.batch for event in deployment.events()}) == 6
        assert not deployment.letters()
        process.stop()


def test_a_silent_attempt_is_abandoned_in_the_log_and_its_blocks_become_letters(deployment: Deployment) -> None:
    deployment.configure(processor={"silence_s": 2.0})
    deployment.send(StationBatch().blocks(attempt_name(1))[:2])
    deployment.start()
    until(lambda: len(deployment.letters()) == 2)
    assert {letter.reason for letter in deployment.letters()} == {"abandoned"}
    until(deployment.is_all_acknowledged)


def test_redis_that_is_away_changes_nothing(deployment: Deployment) -> None:
    deployment.configure(redis={"url": "redis://127.0.0.1:1/0"})
    batches = some_batches(6)
    deployment.send(interleaved(batches))
    deployment.start()
    until(deployment.is_all_acknowledged)
    expect_exactly(deployment, batches)


def test_a_wrong_setting_ends_with_exit_code_4_and_names_it(deployment: Deployment) -> None:
    deployment.configure(kafka={"partitions": 4})
    process = deployment.start()
    assert process.wait(QUICK_S)
    assert process.exit_code == 4
    assert "kafka.partitions" in process.last_log_lines()


def test_a_wrong_password_at_the_centre_ends_it_at_once_without_a_batch(deployment: Deployment) -> None:
    process = deployment.start({"B2STREAM_FIRST_PASSWORD": "wr0ng"})
    assert process.wait(QUICK_S)
    assert process.exit_code == 1, process.last_log_lines()
    assert "user name or password was refused" in process.last_log_lines(60)
