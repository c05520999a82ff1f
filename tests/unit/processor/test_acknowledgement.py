"""What may be acknowledged, and when (I8); how commits overlap, and when reading pauses."""

import asyncio
from collections.abc import Callable

from b2stream.errors import Poison, Retryable, Stuck
from tests.unit.processor.harness import Deployment
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO, THREE = attempt_name(1), attempt_name(2), attempt_name(3)


def test_a_file_becomes_a_data_object_a_manifest_and_a_commit_event(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment, batch = deploy(), StationBatch()
        deployment.send(batch.sent(ONE))
        await deployment.running().settle()
        (event,) = deployment.events()
        assert deployment.data_objects() == {event.path: batch.data_object()}
        assert set(deployment.objects()) == {event.path, event.manifest_path}
        assert event.attempt == ONE
        assert event.rows == 12
        assert (event.policy, event.copies) == ("rules-1 sha256:00", 2)
        assert deployment.committed == {0: 4}
        assert not deployment.letters()

    run(scenario())


def test_I8_the_frontier_never_passes_an_open_attempt_however_many_are_interleaved(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        open_batch = StationBatch(series="open")
        others = [StationBatch(series=f"s{number}", number=number) for number in range(5)]
        attempts = [attempt_name(10 + number) for number in range(5)]
        deployment.send(others[0].sent(attempts[0]))
        held = deployment.send(open_batch.block(ONE, 0))
        columns = [batch.sent(attempt) for batch, attempt in zip(others[1:], attempts[1:], strict=True)]
        for row in zip(*columns, strict=True):
            deployment.send(row)
        deployment.send(open_batch.block(ONE, 1))
        running = deployment.running()
        await running.settle()
        assert len(deployment.events()) == 5
        assert deployment.committed == {0: held}
        deployment.send(open_batch.block(ONE, 2), open_batch.close(ONE))
        await running.settle()
        assert deployment.committed == {0: len(deployment.log.measurements(0))}

    run(scenario())


def test_I8_a_later_batch_that_is_done_first_is_not_acknowledged_before_the_earlier_one(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        slow, fast = StationBatch(series="slow"), StationBatch(series="fast")
        deployment.store.before_call = _away_for(slow.series, deployment)
        deployment.send(slow.sent(ONE), fast.sent(TWO))
        running = deployment.running()
        await running.until(lambda: len(deployment.events()) == 1)
        await running.acknowledge()
        assert deployment.events()[0].series == "fast"
        assert deployment.committed == {0: 0}
        deployment.store.before_call = None
        await running.settle()
        assert deployment.committed == {0: 8}

    run(scenario())


def _away_for(series: str, deployment: Deployment) -> Callable[[str, str], None]:
    def before(call: str, about: str) -> None:
        if series in about:
            raise Retryable("the centre does not answer for this series")

    return before


def test_an_offset_that_kafka_does_not_take_is_handed_over_again(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(StationBatch().sent(ONE))
        running = deployment.running()
        await running.until(running.is_idle)
        asked: list[int] = []

        async def refuse(partition: int, next_offset: int) -> bool:
            asked.append(next_offset)
            return False

        await running.processor.acknowledge(refuse)
        await running.processor.acknowledge(refuse)
        await running.acknowledge()
        assert asked == [4, 4]
        assert deployment.committed == {0: 4}

    run(scenario())


def test_commits_of_different_series_overlap_up_to_commits_in_flight(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(commits_in_flight=3, latency_s=1.0)
        for number in range(9):
            deployment.send(StationBatch(series=f"s{number}").sent(attempt_name(number)))
        running = deployment.running()
        started_s = asyncio.get_running_loop().time()
        await running.settle()
        assert running.executor.most_at_once == 3
        assert asyncio.get_running_loop().time() - started_s < 9.0

    run(scenario())


def test_batches_of_one_series_are_committed_and_announced_in_the_order_of_their_closes(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(commits_in_flight=8)
        batches = [StationBatch(number=number) for number in (3, 1, 2)]
        attempts = [attempt_name(number) for number in range(3)]
        deployment.send(*(batch.blocks(name) for batch, name in zip(batches, attempts, strict=True)))
        deployment.send(*(batch.close(name) for batch, name in zip(batches, attempts, strict=True)))
        tries = iter([True, True, True])

        def before(call: str, about: str) -> None:
            if call == "stage" and next(tries, False):
                raise Retryable("nobody answers the first three times")

        deployment.store.before_call = before
        running = deployment.running()
        await running.settle()
        assert running.executor.most_at_once == 1
        assert [event.series_number for event in deployment.events()] == [3, 1, 2]

    run(scenario())


def test_I10_reading_pauses_at_closed_limit_and_goes_on_by_itself(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(closed_limit=3)
        for number in range(8):
            deployment.send(StationBatch(series=f"s{number}").sent(attempt_name(number)))
        deployment.store.available = False
        running = deployment.running()
        await running.until(lambda: running.position[0] == 16)
        await asyncio.sleep(300)
        assert running.processor.closed_batches() == 3
        deployment.store.available = True
        await running.settle()
        assert len(deployment.events()) == 8
        assert deployment.committed == {0: 32}

    run(scenario())


def test_a_centre_that_is_away_is_asked_now_and_then_and_not_without_a_break(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(StationBatch().sent(ONE))
        deployment.store.available = False
        running = deployment.running()
        await running.feed()
        await asyncio.sleep(3_600)
        assert 100 < len(deployment.store.calls) < 300

    run(scenario())


def test_open_attempts_never_pause_reading_because_their_close_lies_behind(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(closed_limit=1, spool_bytes=1000)
        batches = {attempt_name(number): StationBatch(series=f"s{number}") for number in range(100)}
        deployment.send(*(batch.blocks(name) for name, batch in batches.items()))
        deployment.send(*(batch.close(name) for name, batch in batches.items()))
        await deployment.running().settle()
        assert len(deployment.events()) == 100

    run(scenario())


def test_aggregate_then_repeat_then_commit_event_so_that_everything_is_there_when_the_event_is(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment, batch = deploy(), StationBatch()
        deployment.send(batch.sent(ONE), batch.with_close(series_number=7).sent(TWO))
        running = deployment.running()
        await running.settle()
        assert running.publisher.published == ["aggregates", "commits", "aggregates", "events", "commits"]
        (repeat,) = deployment.repeats()
        assert (repeat.batch, repeat.series_number) == (deployment.events()[0].batch, 7)
        assert f'"attempt":"{TWO}"' in repeat.close

    run(scenario())


def test_I2_the_close_of_a_station_that_lost_its_journal_is_a_link_although_its_number_is_taken(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment, batch = deploy(), StationBatch()
        deployment.send(batch.sent(ONE), batch.sent(TWO))
        await deployment.running().settle()
        assert len(deployment.events()) == 2
        (repeat,) = deployment.repeats()
        assert repeat.series_number == deployment.events()[0].series_number
        assert f'"attempt":"{TWO}"' in repeat.close

    run(scenario())


def test_the_same_close_once_more_is_announced_without_a_batch_repeated(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment, batch = deploy(), StationBatch()
        deployment.send(batch.sent(ONE), batch.sent(ONE))
        await deployment.running().settle()
        assert len(deployment.events()) == 2
        assert not deployment.repeats()

    run(scenario())


def test_I8_nothing_is_acknowledged_while_kafka_does_not_take_the_commit_event(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(StationBatch().sent(ONE))
        running = deployment.running()
        running.publisher.is_away = True
        await running.until(lambda: len(deployment.data_objects()) == 1)
        await asyncio.sleep(600)
        await running.acknowledge()
        assert deployment.committed == {0: 0}
        running.publisher.back()
        await running.settle()
        assert (len(deployment.events()), deployment.committed) == (1, {0: 4})

    run(scenario())


def test_I10_a_summary_that_outgrows_a_message_does_not_keep_its_batch_from_being_announced(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(StationBatch().sent(ONE))
        running = deployment.running()
        refusals = iter([True])

        def before(topic: str) -> None:
            if topic.endswith("aggregates") and next(refusals, False):
                raise Poison("Kafka: message too large", reason="too_large")

        running.publisher.before = before
        await running.settle()
        assert not running.crashes
        assert len(deployment.events()) == 1
        assert deployment.aggregates()[0].windows == []

    run(scenario())


def test_I11_what_nobody_foresaw_in_one_batch_stops_neither_the_program_nor_other_batches(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        odd, other = StationBatch(series="odd"), StationBatch(series="other")

        def before(call: str, about: str) -> None:
            if call == "stage" and ONE in about:
                raise ZeroDivisionError("a bug that only this batch finds")

        deployment.store.before_call = before
        deployment.send(odd.sent(ONE), other.sent(TWO))
        running = deployment.running()
        await running.until(lambda: len(deployment.events()) == 1)
        assert not running.crashes
        deployment.store.before_call = None
        await running.settle()
        assert len(deployment.events()) == 2

    run(scenario())


def test_sigterm_lets_commits_in_flight_finish_and_takes_nothing_more(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(latency_s=2.0)
        deployment.send(*(StationBatch(series=f"s{number}").sent(attempt_name(number)) for number in range(3)))
        running = deployment.running()
        await running.feed()
        draining = asyncio.ensure_future(running.processor.drain(20.0))
        await asyncio.sleep(0)
        deployment.send(StationBatch(series="late").sent(attempt_name(9)))
        await running.feed()
        assert await draining
        await running.acknowledge()
        assert len(deployment.events()) == 3
        assert deployment.committed == {0: 12}

    run(scenario())


def test_sigterm_gives_up_what_does_not_finish_in_time_and_the_next_processor_takes_it(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.store.fail("stage", Stuck("quota"), times=1_000)
        deployment.send(StationBatch().sent(ONE))
        running = deployment.running()
        await running.feed()
        assert not await running.processor.drain(20.0)
        running.processor.stop()
        await running.acknowledge()
        running.kill()
        assert deployment.committed == {0: 0}
        deployment.store = type(deployment.store)("csc")
        await deployment.running().settle()
        assert len(deployment.events()) == 1

    run(scenario())
