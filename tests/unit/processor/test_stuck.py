"""Batches that the centre refuses: they are set aside and end as letters, unless the centre refuses everybody (I11)."""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator

import pytest

from b2stream.batches.assembling import Piece
from b2stream.errors import AccessRefused, DamagedObject, Retryable, Stuck
from tests.unit.processor.harness import APPENDED_US, Deployment
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO, THREE = attempt_name(1), attempt_name(2), attempt_name(3)


def refusing(deployment: Deployment, *words: str) -> None:
    """The centre refuses to stage what belongs to these attempts or series."""

    def before(call: str, about: str) -> None:
        if call == "stage" and any(word in about for word in words):
            raise AccessRefused(about)

    deployment.store.before_call = before


def test_a_stuck_batch_gives_up_its_slot_while_it_backs_off(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(commits_in_flight=1)
        refusing(deployment, ONE)
        deployment.send(StationBatch(series="stuck").sent(ONE), StationBatch(series="other").sent(TWO))
        running = deployment.running()
        await running.until(lambda: len(deployment.events()) == 1, within_s=5)
        assert deployment.events()[0].series == "other"

    run(scenario())


def test_a_stuck_batch_is_overtaken_by_its_series_after_overtake_s_and_not_before(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(overtake_s=600.0)
        refusing(deployment, ONE)
        deployment.send(StationBatch(number=1).sent(ONE), StationBatch(number=2).sent(TWO))
        running = deployment.running()
        await running.feed()
        await asyncio.sleep(590)
        assert not deployment.events()
        await asyncio.sleep(60)
        assert [event.series_number for event in deployment.events()] == [2]
        deployment.store.before_call = None
        await running.settle()
        assert [event.series_number for event in deployment.events()] == [2, 1]

    run(scenario())


def test_I10_a_stuck_batch_shrinks_to_its_offset_range_and_commits_from_the_log_in_the_end(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(overtake_s=600.0)
        refusing(deployment, ONE)
        batch = StationBatch()
        deployment.send(batch.sent(ONE))
        running = deployment.running()
        await running.feed()
        assert running.spool.size_bytes > 0
        await asyncio.sleep(700)
        assert running.spool.size_bytes == 0
        deployment.store.before_call = None
        await running.settle()
        assert list(deployment.data_objects().values()) == [batch.data_object()]
        assert deployment.log.rereads

    run(scenario())


def test_a_stuck_batch_is_a_dead_letter_after_give_up_s_and_may_be_sent_again(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(give_up_s=7_200.0)
        refusing(deployment, ONE)
        running = deployment.running()
        deployment.send(StationBatch(series="stuck").sent(ONE))
        for number in range(14):  # the centre takes others all the time
            deployment.send(StationBatch(series="fine", number=number).sent(attempt_name(100 + number)))
            await running.feed()
            await asyncio.sleep(600)
            if number == 10:
                assert not deployment.letters()
        await running.settle()
        assert {(each.attempt, each.reason, each.poison) for each in deployment.letters()} == {
            (ONE, "access_refused", False)
        }
        assert len(deployment.letters()) == 4
        assert deployment.committed == {0: len(deployment.log.measurements(0))}
        deployment.store.before_call = None
        deployment.send(StationBatch(series="stuck").sent(TWO))
        await running.settle()
        assert deployment.events()[-1].attempt == TWO

    run(scenario())


def test_I11_a_stuck_batch_is_a_dead_letter_also_where_no_processor_lives_as_long_as_give_up_s(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(give_up_s=7_200.0)
        refusing(deployment, ONE)
        deployment.send(StationBatch(series="stuck").sent(ONE))
        numbers = itertools.count(100)

        async def live(rounds: int) -> None:
            running = deployment.running()
            for _ in range(rounds):  # the centre takes others all the time
                number = next(numbers)
                deployment.send(StationBatch(series="fine", number=number).sent(attempt_name(number)))
                await running.feed()
                await asyncio.sleep(290)
            running.kill()
            running.spool.close()

        await live(6)
        deployment.now_us = APPENDED_US + 7_300_000_000
        await live(2)
        assert not deployment.letters(), "refused for less than overtake_s: it may be about to heal"
        await live(6)
        assert {(each.attempt, each.reason, each.poison) for each in deployment.letters()} == {
            (ONE, "access_refused", False)
        }

    run(scenario())


def test_I11_a_centre_that_refuses_everybody_is_an_outage_and_nothing_becomes_a_dead_letter(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(give_up_s=7_200.0)

        def full(call: str, about: str) -> None:
            if call == "stage":
                raise Stuck("quota exceeded")

        deployment.store.before_call = full
        deployment.send(*(StationBatch(series=f"s{each}").sent(attempt_name(each)) for each in range(3)))
        running = deployment.running()
        await running.feed()
        await asyncio.sleep(28_800)
        assert not deployment.letters()
        deployment.store.before_call = None  # the quota is raised
        await running.settle()
        assert len(deployment.events()) == 3

    run(scenario())


def test_batches_that_lie_there_already_prove_nothing_about_a_centre_that_takes_no_new_ones(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(give_up_s=7_200.0)
        archived = StationBatch(series="archived")
        deployment.send(archived.sent(ONE))
        running = deployment.running()
        await running.settle()
        refusing(deployment, TWO)
        deployment.send(StationBatch(series="stuck").sent(TWO))
        for number in range(30):
            deployment.send(archived.close(attempt_name(100 + number)))
            await running.feed()
            await asyncio.sleep(600)
        assert not deployment.letters()

    run(scenario())


def test_I11_a_station_without_permission_never_stops_the_others_however_many_of_its_batches_wait(
    deploy: Deploy,
) -> None:
    async def scenario() -> None:
        deployment = deploy(closed_limit=10, overtake_s=600.0)
        deployment.store.before_call = lambda call, about: _refuse_series(about)
        for number in range(40):
            deployment.send(StationBatch(series="forbidden", number=number).sent(attempt_name(number)))
        deployment.send(StationBatch(series="other").sent(attempt_name(999)))
        running = deployment.running()
        await running.until(lambda: len(deployment.events()) == 1, within_s=700)
        assert running.spool.size_bytes > 0

    run(scenario())


def _refuse_series(about: str) -> None:
    if "forbidden" in about:
        raise AccessRefused(about)


def test_tries_of_batches_that_were_overtaken_become_rare(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        refusing(deployment, ONE)
        deployment.send(StationBatch().sent(ONE))
        running = deployment.running()
        await running.feed()
        await asyncio.sleep(3_600)
        before = len([call for call, _ in deployment.store.calls if call == "find"])
        await asyncio.sleep(3_600)
        after = len([call for call, _ in deployment.store.calls if call == "find"])
        assert 12 <= after - before <= 25

    run(scenario())


def test_a_third_attempt_of_a_stuck_batch_waits_for_the_second_not_for_the_first_alone(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(latency_s=5.0, overtake_s=10.0)
        refusing(deployment, ONE)
        batch = StationBatch()
        deployment.send(batch.sent(ONE), batch.sent(TWO), batch.sent(THREE))
        running = deployment.running()
        await running.feed()
        await asyncio.sleep(700)
        assert not deployment.events()
        deployment.store.before_call = None
        running.executor.most_at_once = 0
        await running.settle()
        assert len(deployment.events()) == 3
        assert running.executor.most_at_once == 1

    run(scenario())


def test_another_attempt_that_waits_for_its_stuck_twin_keeps_no_later_batch_of_the_series_waiting(
    deploy: Deploy,
) -> None:
    async def scenario() -> None:
        deployment = deploy(overtake_s=10.0)
        refusing(deployment, ONE)
        stuck = StationBatch(number=1)
        deployment.send(stuck.sent(ONE), stuck.sent(TWO), StationBatch(number=2).sent(THREE))
        running = deployment.running()
        await running.until(lambda: len(deployment.events()) == 1, within_s=60)
        assert deployment.events()[0].series_number == 2

    run(scenario())


def test_I4_other_bytes_at_the_batchs_path_are_stuck_and_stay_as_they_are(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        batch = StationBatch()
        deployment.send(batch.sent(ONE))
        first = deployment.running()
        await first.settle()
        first.kill()
        (path,) = deployment.data_objects()
        deployment.store.put(path, b"somebody else's")
        deployment.send(batch.sent(TWO), StationBatch(series="other").sent(THREE))
        running = deployment.running()
        await running.until(lambda: len(deployment.events()) == 2, within_s=5)
        await asyncio.sleep(3_600)
        assert deployment.store.content(path) == b"somebody else's"
        assert len(deployment.events()) == 2
        assert not running.crashes

    run(scenario())


def test_I13_a_manifest_in_place_that_is_none_is_a_stuck_batch_and_no_crash(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        batch = StationBatch()
        deployment.send(batch.sent(ONE))
        first = deployment.running()
        await first.settle()
        first.kill()
        (path,) = deployment.data_objects()
        whole = deployment.store.content(f"{path}.manifest.json")
        for bad in (b"{}", b"\xff", whole.replace(b'"summary":', b'"no_summary":')):
            deployment.store.put(f"{path}.manifest.json", bad)
            deployment.send(batch.sent(TWO))
            running = deployment.running()
            await running.feed()
            await asyncio.sleep(60)
            assert not running.crashes
            assert len(deployment.events()) == 1
            running.kill()

    run(scenario())


def test_damage_found_after_placing_is_stuck_and_never_announced(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(StationBatch().sent(ONE))
        deployment.store.fail("find", DamagedObject("the replica is stale"), times=3)
        running = deployment.running()
        await running.settle()
        assert len(deployment.events()) == 1

    run(scenario())


@pytest.mark.parametrize("columns", [1, 400])
def test_I10_between_two_tries_a_large_summary_is_not_kept_and_is_made_again(deploy: Deploy, columns: int) -> None:
    async def scenario() -> None:
        deployment = deploy()
        batch = StationBatch(columns=columns)
        deployment.send(batch.sent(ONE))
        deployment.store.fail("stage", Retryable("nobody answers"), times=3)
        reads: list[str] = []
        running = deployment.running()
        read = running.spool.read

        def counted(key: str, pieces: Iterable[Piece]) -> Iterator[bytes]:
            reads.append(key)
            return read(key, pieces)

        running.spool.read = counted  # type: ignore[method-assign]
        await running.settle()
        assert len(deployment.aggregates()[0].windows[0]["variables"]) == columns
        examined = 4 if columns > 300 else 1
        assert len(reads) == examined + 1, "and once to be staged"

    run(scenario())
