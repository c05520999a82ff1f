"""Attempts of stations that fell silent: who may say so, when, and what follows from it."""

import asyncio
from collections.abc import Callable

from b2stream.contracts import schemas
from b2stream.contracts.envelopes import abandonment_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchAbandoned
from b2stream.errors import Retryable
from tests.unit.processor.harness import Deployment
from tests.unit.processor.stations import Sent, StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO = attempt_name(1), attempt_name(2)
BATCH = StationBatch()


def abandonment(last_offset: int, attempt: str = ONE, station: str = BATCH.station) -> Sent:
    record = BatchAbandoned(station=station, attempt=attempt, last_offset=last_offset)
    value = Framing().frame(schemas.current("BatchAbandoned"), record.to_body())
    return Sent(station.encode(), value, abandonment_headers(station, attempt, last_offset))


def abandonments(deployment: Deployment) -> list[int]:
    """Last offsets that abandonments in the log name."""
    found = []
    for message in deployment.log.measurements(0):
        if dict(message.headers)["ce_type"] == b"b2stream.BatchAbandoned":
            found.append(BatchAbandoned.from_framed(Framing().unframe(message.value)).last_offset)
    return found


def test_an_attempt_silent_for_T_at_the_end_of_the_log_is_abandoned_and_its_blocks_become_letters(
    deploy: Deploy,
) -> None:
    async def scenario() -> None:
        deployment = deploy(silence_s=900.0)
        deployment.send(BATCH.blocks(ONE)[:2])
        running = deployment.running()
        await running.feed()
        await running.look_around(890)
        assert abandonments(deployment) == []
        await running.look_around(30)
        assert abandonments(deployment) == [1]
        await running.settle()
        assert [(each.offset, each.reason, each.poison, each.attempt) for each in deployment.letters()] == [
            (0, "abandoned", False, ONE),
            (1, "abandoned", False, ONE),
        ]
        assert deployment.committed == {0: 3}
        assert not running.processor.open_attempts()

    run(scenario())


def test_an_abandonment_is_published_once_however_long_it_takes_to_come_back(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.block(ONE, 0))
        running = deployment.running()
        await running.feed()
        for _ in range(200):
            await asyncio.sleep(10)
            await running.processor.abandon_silent({0: 1})  # nothing is fed
        assert abandonments(deployment) == [0]

    run(scenario())


def test_an_abandonment_that_kafka_refused_is_published_again(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.block(ONE, 0))
        running = deployment.running()
        refusals = iter([True])

        def before(topic: str) -> None:
            if next(refusals, False):
                raise Retryable("Kafka: not enough replicas")

        running.publisher.before = before
        await running.feed()
        for _ in range(100):
            await asyncio.sleep(10)
            try:
                await running.processor.abandon_silent(running.ends())
            except Retryable:
                continue
        assert abandonments(deployment) == [0]

    run(scenario())


def test_it_takes_effect_only_if_last_offset_is_the_attempts_last_before_it(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.blocks(ONE)[:2], abandonment(0), BATCH.block(ONE, 2), BATCH.close(ONE))
        await deployment.running().settle()
        assert len(deployment.events()) == 1
        assert not deployment.letters()

    run(scenario())


def test_what_follows_an_abandonment_is_assembled_anew_from_sequence_0(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.blocks(ONE)[:2], abandonment(1), BATCH.sent(ONE))
        await deployment.running().settle()
        assert list(deployment.data_objects().values()) == [BATCH.data_object()]
        assert {each.offset for each in deployment.letters()} == {0, 1}
        assert deployment.committed == {0: 7}

    run(scenario())


def test_the_tail_of_an_abandoned_attempt_alone_is_a_hole_and_no_batch(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.blocks(ONE)[:2], abandonment(1), BATCH.block(ONE, 2), BATCH.close(ONE))
        await deployment.running().settle()
        assert not deployment.objects()
        assert {(each.offset, each.reason) for each in deployment.letters()} == {
            (0, "abandoned"),
            (1, "abandoned"),
            (3, "hole"),
            (4, "hole"),
        }

    run(scenario())


def test_a_processor_days_behind_abandons_nothing(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(silence_s=900.0)
        deployment.send(BATCH.blocks(ONE)[:2])
        running = deployment.running()
        await running.feed()
        behind = {0: 1_000_000}
        for _ in range(3 * 24 * 60):
            await asyncio.sleep(60)
            await running.processor.abandon_silent(behind)
        assert abandonments(deployment) == []
        deployment.send(BATCH.block(ONE, 2), BATCH.close(ONE))
        await running.settle()
        assert len(deployment.events()) == 1

    run(scenario())


def test_time_in_which_kafka_does_not_answer_is_not_silence(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(silence_s=900.0)
        deployment.send(BATCH.blocks(ONE)[:2])
        running = deployment.running()
        await running.feed()
        await running.look_around(600)
        for _ in range(120):
            await asyncio.sleep(10)
            await running.processor.abandon_silent({})  # nobody can say where the log ends
        await running.look_around(600)
        assert abandonments(deployment) == []
        await running.look_around(320)
        assert abandonments(deployment) == [1]

    run(scenario())


def test_time_in_which_this_process_stood_still_is_not_silence(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(silence_s=900.0)
        deployment.send(BATCH.blocks(ONE)[:2])
        running = deployment.running()
        await running.feed()
        await running.look_around(60)
        await asyncio.sleep(7_200)  # frozen, or the whole machine asleep
        await running.look_around(600)
        assert abandonments(deployment) == []

    run(scenario())


def test_an_attempt_that_goes_on_is_never_abandoned(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(silence_s=900.0)
        slow = StationBatch(content=tuple(b"%d" % number for number in range(6)))
        running = deployment.running()
        for sent in slow.sent(ONE):
            deployment.send(sent)
            await running.feed()
            await running.look_around(600)
        await running.settle()
        assert abandonments(deployment) == []
        assert len(deployment.events()) == 1

    run(scenario())


def test_under_an_old_generation_nothing_is_abandoned(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(silence_s=900.0)
        deployment.send(*(StationBatch(series=f"s{each}").block(attempt_name(each), 0) for each in range(250)))
        running = deployment.running()
        running.publisher.is_away = True
        await running.feed()
        for _ in range(95):
            await asyncio.sleep(10)
            asking = asyncio.ensure_future(running.processor.abandon_silent(running.ends()))
            await asyncio.sleep(0.001)
            if asking.done():
                continue
            running.revoke()
            running.publisher.back()
            await asking
            break
        assert 0 < len(abandonments(deployment)) <= 100, "only what was on its way already"

    run(scenario())


def test_I8_the_frontier_waits_until_the_letters_of_an_abandoned_attempt_are_written(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.blocks(ONE)[:2], abandonment(1))
        running = deployment.running()
        running.publisher.is_away = True
        await running.feed()
        await asyncio.sleep(1_000)
        await running.acknowledge()
        assert deployment.committed == {0: 0}
        running.publisher.back()
        await running.settle()
        assert deployment.committed == {0: 3}

    run(scenario())


def test_an_abandonment_of_another_station_is_poison(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        forged = abandonment(1, station="SE-Nor")
        deployment.send(BATCH.blocks(ONE)[:2], Sent(BATCH.station.encode(), forged.value, forged.headers))
        deployment.send(BATCH.block(ONE, 2), BATCH.close(ONE))
        await deployment.running().settle()
        assert len(deployment.events()) == 1
        assert [(each.offset, each.reason) for each in deployment.letters()] == [(2, "wrong_station")]

    run(scenario())


def test_attempts_that_fall_silent_together_become_letters_two_readings_at_a_time(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(*(StationBatch(series=f"s{each}").block(attempt_name(each), 0) for each in range(300)))
        running = deployment.running()
        await running.feed()
        await running.look_around(920)
        await running.settle(36_000)
        assert running.executor.most_at_once <= 2
        assert len(deployment.letters_by_id()) == 300
        assert deployment.committed == {0: 600}

    run(scenario())
