"""I10: open attempts have a limit. Beyond it the loudest station's oldest becomes letters, and no promise is broken by it."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from b2stream.contracts.partitions import partition_of
from tests.unit.processor.harness import Deployment
from tests.unit.processor.signers import OURS, described
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.unit.processor.test_abandonment import abandonment
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO, THREE, FOUR = map(attempt_name, range(1, 5))
BATCH = StationBatch()
QUIET = StationBatch(station="HTM", series="picarro")


def batch(number: int, station: str = BATCH.station) -> StationBatch:
    return StationBatch(station=station, series=f"s{number}")


def refused() -> float:
    found = REGISTRY.get_sample_value("b2stream_processor_attempts_refused_total")
    assert found is not None
    return found


def reasons(deployment: Deployment) -> dict[str, set[str]]:
    """Reasons of letters, by attempt."""
    found: dict[str, set[str]] = {}
    for letter in deployment.letters():
        found.setdefault(letter.attempt, set()).add(letter.reason)
    return found


def test_I10_one_more_refuses_the_oldest_of_the_loudest_station_and_nobody_elses(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment, before = deploy(open_attempts=3), refused()
        deployment.send(QUIET.block(ONE, 0))
        for number in range(2, 12):
            deployment.send(batch(number).block(attempt_name(number), 0))
        running = deployment.running()
        await running.feed()
        assert running.processor.open_attempts() == 3
        assert refused() == before + 8
        assert [letter.attempt for letter in deployment.letters()] == [attempt_name(at) for at in range(2, 10)]
        assert {(letter.reason, letter.poison) for letter in deployment.letters()} == {("too_many_open", False)}
        assert "3 attempts of this station were open" in deployment.letters()[0].detail
        deployment.send(QUIET.block(ONE, 1), QUIET.block(ONE, 2), QUIET.close(ONE))
        deployment.send(batch(11).blocks(attempt_name(11))[1:], batch(11).close(attempt_name(11)))
        await running.settle()
        assert {event.station for event in deployment.events()} == {QUIET.station, BATCH.station}

    run(scenario())


def test_I10_an_attempt_that_goes_on_outlives_those_that_stopped(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=2)
        deployment.send(BATCH.block(ONE, 0))
        for number in range(10, 15):
            deployment.send(batch(number).block(attempt_name(number), 0), BATCH.block(ONE, number % 3))
        deployment.send(BATCH.close(ONE))
        await deployment.running().settle()
        assert [event.attempt for event in deployment.events()] == [ONE]
        assert ONE not in reasons(deployment)

    run(scenario())


def test_I10_reaching_the_limit_is_no_refusal_and_what_is_closed_makes_room(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment, before = deploy(open_attempts=2), refused()
        for number in range(20):
            one, two = attempt_name(2 * number), attempt_name(2 * number + 1)
            deployment.send(
                batch(2 * number).blocks(one), batch(2 * number + 1).sent(two), batch(2 * number).close(one)
            )
        running = deployment.running()
        await running.settle()
        assert (len(deployment.events()), deployment.letters(), refused()) == (40, [], before)
        assert running.processor.troubles(600.0) == {}

    run(scenario())


def test_I1_I2_all_of_a_refused_attempt_becomes_letters_with_one_reason_and_nothing_is_archived(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1)
        deployment.send(BATCH.block(ONE, 0), batch(2).block(TWO, 0))
        deployment.send(BATCH.blocks(ONE)[1:], BATCH.close(ONE), batch(2).blocks(TWO)[1:], batch(2).close(TWO))
        await deployment.running().settle()
        assert [event.attempt for event in deployment.events()] == [TWO]
        letters = deployment.letters_by_id().values()
        assert {letter.offset for letter in letters} == {0, 2, 3, 4}, "blocks before and after, and the close"
        assert {(each.attempt, each.reason, each.poison) for each in letters} == {(ONE, "too_many_open", False)}
        (of_close,) = [letter for letter in letters if letter.offset == 4]
        assert of_close.batch, "the gateway knows its batch by it"
        assert deployment.committed == {0: 8}

    run(scenario())


def test_I1_what_is_sent_again_after_a_refusal_is_archived(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1)
        deployment.send(BATCH.block(ONE, 0), batch(2).sent(TWO), BATCH.blocks(ONE)[1:], BATCH.close(ONE))
        deployment.send(BATCH.sent(THREE))
        await deployment.running().settle()
        assert [event.attempt for event in deployment.events()] == [TWO, THREE]
        assert deployment.data_objects()[deployment.events()[1].path] == BATCH.data_object()

    run(scenario())


def test_I1_under_the_name_of_a_refused_attempt_a_batch_is_whole_or_not_at_all(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1)
        deployment.send(BATCH.block(ONE, 0), batch(2).sent(TWO), BATCH.blocks(ONE)[1:], BATCH.close(ONE))
        deployment.send(BATCH.block(ONE, 2), BATCH.close(ONE))
        running = deployment.running()
        await running.settle()
        assert [event.attempt for event in deployment.events()] == [TWO]
        assert reasons(deployment) == {ONE: {"too_many_open", "hole"}}
        deployment.send(BATCH.sent(ONE))
        await running.settle()
        assert [event.attempt for event in deployment.events()] == [TWO, ONE]

    run(scenario())


def test_I1_the_close_of_a_refused_attempt_announces_a_batch_that_is_archived_already(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1)
        deployment.send(BATCH.sent(ONE), BATCH.block(TWO, 0), batch(3).sent(THREE))
        deployment.send(BATCH.blocks(TWO)[1:], BATCH.close(TWO))
        await deployment.running().settle()
        first, _, again = deployment.events()
        assert (first.batch, first.attempt) == (again.batch, ONE)
        assert {letter.offset for letter in deployment.letters()} == {4, 9, 10}, "its blocks alone"

    run(scenario())


def test_I9_a_close_that_waits_for_its_key_spares_its_attempt(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=2, unsigned="refuse")
        deployment.send(OURS.sent(BATCH, ONE))
        running = deployment.running()
        await running.feed()
        deployment.send(*(batch(number).block(attempt_name(number), 0) for number in range(2, 8)))
        await running.feed()
        assert ONE not in reasons(deployment)
        assert running.processor.open_attempts() == 2
        deployment.stations.publish(described(BATCH.station, OURS.key()))
        await running.processor.look_again()
        await running.settle()
        assert [event.attempt for event in deployment.events()] == [ONE]

    run(scenario())


def test_I10_where_every_attempt_waits_for_a_key_none_is_refused(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1, unsigned="refuse")
        for number, name in enumerate((ONE, TWO)):
            deployment.send(OURS.close(batch(number), name), batch(number).block(name, 0))
        running = deployment.running()
        await running.feed()
        assert running.processor.open_attempts() == 2
        assert not deployment.letters()

    run(scenario())


def test_I12_a_restart_may_archive_what_was_refused_before(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1)
        deployment.send(BATCH.block(ONE, 0), batch(2).block(TWO, 0))
        first = deployment.running()
        await first.feed()
        assert reasons(deployment) == {ONE: {"too_many_open"}}
        first.kill()  # before it acknowledged anything
        deployment.open_attempts = 2
        deployment.send(BATCH.blocks(ONE)[1:], BATCH.close(ONE), batch(2).blocks(TWO)[1:], batch(2).close(TWO))
        await deployment.running().settle()
        assert {event.attempt for event in deployment.events()} == {ONE, TWO}
        assert deployment.committed == {0: 8}

    run(scenario())


def test_I12_a_restart_that_begins_within_a_refused_attempt_archives_no_half_of_it(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1)
        deployment.send(BATCH.block(ONE, 0), batch(2).block(TWO, 0), BATCH.block(ONE, 1))
        first = deployment.running()
        await first.settle()
        assert deployment.committed == {0: 1}
        first.kill()
        deployment.send(batch(2).blocks(TWO)[1:], batch(2).close(TWO), BATCH.block(ONE, 2), BATCH.close(ONE))
        deployment.open_attempts = 20
        await deployment.running().settle()
        assert [event.attempt for event in deployment.events()] == [TWO]
        assert {letter.offset for letter in deployment.letters_by_id().values()} == {0, 2, 6, 7}
        assert deployment.committed == {0: 8}

    run(scenario())


def test_I8_reading_stands_still_until_the_letters_of_a_refused_attempt_are_written(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=2)
        deployment.send(*(batch(number).block(attempt_name(number), 0) for number in range(50)))
        running = deployment.running()
        running.publisher.is_away = True
        reading = asyncio.create_task(running.feed())
        await asyncio.sleep(1_000)
        running.processor.troubles(600.0)
        await running.acknowledge()
        assert running.position == {0: 3}, "no message is taken meanwhile, so memory stays as it is"
        assert deployment.committed == {0: 0}
        assert REGISTRY.get_sample_value("b2stream_processor_paused", {"reason": "open_attempts"}) == 1
        running.publisher.back()
        await reading
        assert len(deployment.letters_by_id()) == 48

    run(scenario())


def test_I11_a_rebalance_does_not_wait_for_the_letters_of_a_refused_attempt(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1)
        deployment.send(BATCH.block(ONE, 0), batch(2).block(TWO, 0))
        running = deployment.running()
        running.publisher.is_away = True
        reading = asyncio.create_task(running.feed())
        await asyncio.sleep(5)
        running.revoke()
        running.publisher.back()
        await asyncio.wait_for(reading, 60.0)
        running.assign([0])
        deployment.send(batch(2).blocks(TWO)[1:], batch(2).close(TWO))
        await running.settle()
        assert [event.attempt for event in deployment.events()] == [TWO], "and it begins anew with nothing open"

    run(scenario())


def test_I10_of_many_refused_attempts_few_are_remembered_and_the_rest_of_all_are_letters(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=2, silence_s=60.0)
        names = [attempt_name(number) for number in range(9)]
        for sequence in range(3):
            deployment.send(*(batch(at).block(name, sequence) for at, name in enumerate(names)))
        deployment.send(*(batch(at).close(name) for at, name in enumerate(names)))
        running = deployment.running()
        await running.settle()
        committed = {event.attempt for event in deployment.events()}
        dead = {letter.attempt for letter in deployment.letters() if not letter.poison}
        assert committed | dead == set(names)
        assert deployment.committed[0] == running.ends()[0]
        assert not running.processor.open_attempts()

    run(scenario())


def test_I10_no_more_refused_attempts_are_remembered_than_may_be_open(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1)
        deployment.send(BATCH.block(ONE, 0), batch(2).block(TWO, 0), batch(3).sent(THREE))
        deployment.send(BATCH.close(ONE), batch(2).close(TWO))
        await deployment.running().settle()
        assert reasons(deployment) == {ONE: {"too_many_open", "hole"}, TWO: {"too_many_open"}}

    run(scenario())


def test_I10_what_was_open_in_partitions_that_are_gone_does_not_count(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment, before = deploy(open_attempts=2, partitions=2), refused()
        names = [f"S{number}" for number in range(30)]
        here, there = (next(each for each in names if partition_of(each, 2) == at) for at in (0, 1))
        deployment.send(batch(1, here).block(ONE, 0), batch(2, here).block(TWO, 0))
        running = deployment.running()
        await running.feed()
        running.revoke()
        running.assign([1])
        deployment.send(batch(3, there).block(THREE, 0), batch(4, there).block(FOUR, 0))
        await running.feed()
        assert (running.processor.open_attempts(), refused()) == (2, before)

    run(scenario())


def test_the_spool_forgets_what_is_refused(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1)
        deployment.send(batch(1).blocks(ONE), batch(2).block(TWO, 0))
        running = deployment.running()
        await running.settle()
        assert running.spool.size_bytes == len(batch(2).block(TWO, 0).value)
        assert len(list(running.spool.folder.glob("*.blocks"))) == 1

    run(scenario())


@pytest.mark.parametrize("spool_bytes", [1, 1 << 30], ids=["evicted", "spooled"])
def test_I1_letters_of_a_refused_attempt_have_the_values_that_were_sent(deploy: Deploy, spool_bytes: int) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1, spool_bytes=spool_bytes)
        deployment.send(BATCH.blocks(ONE), batch(2).block(TWO, 0))
        await deployment.running().settle()
        assert [each.value for each in deployment.log.all("dead-letters")] == [each.value for each in BATCH.blocks(ONE)]

    run(scenario())


def test_I10_I13_it_is_told_once_a_minute_and_is_over_a_minute_after_the_last(
    deploy: Deploy, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1)
        running = deployment.running()
        for number in range(100):
            deployment.send(batch(number).block(attempt_name(number), 0))
            await running.feed()
            await asyncio.sleep(1)
        assert "processor.open_attempts" in running.processor.troubles(600.0)["open_attempts"]
        await asyncio.sleep(60)
        assert running.processor.troubles(600.0) == {}

    with caplog.at_level(logging.CRITICAL):
        run(scenario())
    assert ["59 refused" in said or "1 refused" in said for said in caplog.messages] == [True, True]


def test_I10_refusals_count_as_dead_letters_of_the_minute(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1, dead_letters_per_minute=10)
        deployment.send(*(batch(number).block(attempt_name(number), 0) for number in range(100)))
        reading = asyncio.create_task(deployment.running().feed())
        await asyncio.sleep(5)
        assert 10 <= len(deployment.letters()) < 15
        await asyncio.sleep(1_200)
        await reading
        assert len(deployment.letters_by_id()) == 99

    run(scenario())


def test_I10_attempts_that_wait_for_their_letters_are_no_more_than_may_be_open(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=5)
        for number in range(40):
            deployment.send(batch(number).block(attempt_name(number), 0))
            deployment.send(abandonment(2 * number, attempt_name(number)))
        running = deployment.running()
        running.publisher.is_away = True
        reading = asyncio.create_task(running.feed())
        await asyncio.sleep(1_000)
        assert running.processor.unwritten_letters() == 5
        assert running.position == {0: 12}
        running.publisher.back()
        await reading
        await running.settle()
        assert len(deployment.letters()) == 40
        assert {letter.reason for letter in deployment.letters()} == {"abandoned"}

    run(scenario())


def test_I1_a_block_that_is_sent_again_after_a_refusal_opens_nothing(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(open_attempts=1)
        tail = BATCH.block(ONE, 0)
        deployment.send(BATCH.block(ONE, 0), batch(2).block(TWO, 0), tail, tail)
        deployment.send(batch(2).blocks(TWO)[1:], batch(2).close(TWO))
        running = deployment.running()
        await running.settle()
        assert not running.processor.open_attempts()
        assert [event.attempt for event in deployment.events()] == [TWO], "it pushes nobody out"

    run(scenario())
