"""Partitions are taken away in the middle of work: the archive is the fence, and the old generation stays quiet (I8, I11)."""

import asyncio
from collections.abc import Callable

import pytest

from b2stream.errors import LostOffsets, Retryable, Stuck
from tests.unit.processor.harness import Deployment
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO = attempt_name(1), attempt_name(2)
BATCH = StationBatch()


def spooled(deployment: Deployment) -> list[str]:
    return [path.name for path in deployment.folder.rglob("*.blocks")]


def test_on_revoke_uploads_finish_and_nothing_of_them_is_announced_acknowledged_or_left_in_the_spool(
    deploy: Deploy,
) -> None:
    async def scenario() -> None:
        deployment = deploy(latency_s=10.0)
        deployment.send(BATCH.sent(ONE), StationBatch(series="open").block(TWO, 0))
        running = deployment.running()
        await running.feed()
        await asyncio.sleep(5)
        assert len(spooled(deployment)) == 2
        running.revoke()
        assert len(spooled(deployment)) == 1, "what is being uploaded is still read"
        await asyncio.sleep(10)
        await running.acknowledge()
        assert list(deployment.data_objects().values()) == [BATCH.data_object()]
        assert not deployment.events()
        assert deployment.committed == {}
        assert not spooled(deployment)
        await deployment.running().settle()
        assert len(deployment.events()) == 1
        assert len(deployment.objects()) == 2

    run(scenario())


@pytest.mark.parametrize("error", [Retryable("away"), Stuck("quota")])
def test_under_an_old_generation_nothing_is_tried_again(deploy: Deploy, error: Exception) -> None:
    async def scenario() -> None:
        deployment = deploy(latency_s=1.0)
        deployment.store.fail("find", error, times=1_000)
        deployment.send(BATCH.sent(ONE))
        running = deployment.running()
        await running.feed()
        await asyncio.sleep(10)
        running.revoke()
        before = len(deployment.store.calls)
        await asyncio.sleep(3_600)
        assert len(deployment.store.calls) <= before + 1, "the one try that was under way"
        assert not running.processor.closed_batches()
        assert not spooled(deployment)

    run(scenario())


def test_under_an_old_generation_what_waits_for_a_slot_does_not_begin(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(latency_s=10.0, commits_in_flight=1)
        for number in range(5):
            deployment.send(StationBatch(series=f"s{number}").sent(attempt_name(number)))
        running = deployment.running()
        await running.feed()
        await asyncio.sleep(5)
        running.revoke()
        await asyncio.sleep(3_600)
        assert len(deployment.data_objects()) == 1
        assert not spooled(deployment)

    run(scenario())


def test_under_an_old_generation_nothing_is_dead_lettered(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(latency_s=10.0)
        deployment.send(BATCH.blocks(ONE)[:2], BATCH.close(ONE))
        running = deployment.running()
        await running.feed()
        await asyncio.sleep(5)
        running.revoke()
        await asyncio.sleep(3_600)
        assert not deployment.letters()
        running.assign([0])
        await running.settle()
        assert len(deployment.letters()) == 3

    run(scenario())


def test_on_revoke_attempts_whose_letters_are_under_way_leave_the_spool(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.blocks(ONE)[:2], BATCH.with_close(count=-1).close(ONE))
        running = deployment.running()
        running.publisher.is_away = True
        await running.feed()
        await asyncio.sleep(60)
        assert spooled(deployment)
        running.revoke()
        running.publisher.back()
        await asyncio.sleep(60)
        assert not spooled(deployment)
        assert deployment.committed == {}

    run(scenario())


def test_on_revoke_while_the_commit_event_waits_for_kafka_nothing_counts_as_announced(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.sent(ONE))
        running = deployment.running()
        running.publisher.is_away = True
        await running.until(lambda: len(deployment.objects()) == 2)
        await asyncio.sleep(10)
        running.revoke()
        running.publisher.back()
        await asyncio.sleep(60)
        await running.acknowledge()
        assert not running.announced
        assert deployment.committed == {}
        assert not spooled(deployment)

    run(scenario())


def test_the_same_process_may_get_its_partition_back_while_its_own_old_upload_runs(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(latency_s=10.0)
        deployment.send(BATCH.sent(ONE))
        running = deployment.running()
        await running.feed()
        await asyncio.sleep(5)
        running.revoke()
        running.assign([0])
        await running.settle()
        assert len(deployment.events()) == 1
        assert len(deployment.objects()) == 2
        assert deployment.committed == {0: 4}
        assert running.executor.most_at_once == 1

    run(scenario())


def test_two_processors_that_upload_the_same_batch_place_it_once(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(latency_s=3.0)
        deployment.send(BATCH.sent(ONE))
        old, new = deployment.running(), deployment.running()
        await asyncio.gather(old.feed(), new.feed())
        old.revoke()
        await new.settle()
        await asyncio.sleep(60)
        assert len(deployment.objects()) == 2
        assert len(deployment.events()) == 1
        assert not list(deployment.store.list_staged())

    run(scenario())


def test_a_close_that_waited_for_room_across_a_rebalance_is_left_to_the_next_owner(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(closed_limit=1)
        deployment.store.available = False
        deployment.send(BATCH.sent(ONE), StationBatch(series="other").sent(TWO))
        running = deployment.running()
        feeding = asyncio.ensure_future(running.feed())
        await asyncio.sleep(10)
        assert not feeding.done()
        running.revoke()
        await feeding
        assert not running.processor.closed_batches()
        assert not spooled(deployment)
        deployment.store.available = True
        running.assign([0])
        await running.settle()
        assert len(deployment.events()) == 2

    run(scenario())


def test_messages_of_an_old_generation_and_messages_delivered_again_are_dropped(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.sent(ONE))
        running = deployment.running()
        await running.settle()
        for message in deployment.log.measurements(0):
            await running.processor.handle(message)
        running.revoke()
        for message in deployment.log.measurements(0):
            await running.processor.handle(message)
        assert not running.processor.open_attempts()
        assert len(deployment.events()) == 1

    run(scenario())


def test_a_gap_while_running_is_fatal_and_names_both_offsets(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.sent(ONE))
        running = deployment.running()
        await running.feed_one()
        with pytest.raises(LostOffsets, match=r"test\.measurements\[0\]: 2 came where 1 was next"):
            await running.processor.handle(deployment.log.measurements(0)[2])

    run(scenario())


def test_a_log_that_begins_after_what_must_be_read_again_is_fatal(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(spool_bytes=1)
        deployment.send(BATCH.sent(ONE))
        running = deployment.running()
        deployment.log.starts[0] = 2
        running.position[0] = 0
        running.processor.assigned(0, 0)
        await running.feed()
        await asyncio.sleep(10)
        assert [type(error) for error in running.crashes] == [LostOffsets]
        assert not deployment.events()

    run(scenario())
