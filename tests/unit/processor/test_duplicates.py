"""The same batch again: in flight, in the archive, after a crash, as a resent tail, in another month (I1)."""

from collections.abc import Callable

import pytest

from b2stream.archive.store import ReplicaStatus
from b2stream.batches.manifest import read_manifest
from b2stream.errors import LostReply, Retryable
from tests.unit.processor.harness import Deployment
from tests.unit.processor.stations import START_US, StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO, THREE = attempt_name(1), attempt_name(2), attempt_name(3)
BATCH = StationBatch()
A_MONTH_US = 31 * 86_400_000_000


def test_I1_a_duplicate_in_flight_waits_stages_nothing_and_is_announced(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(latency_s=5.0)
        deployment.send(BATCH.blocks(ONE), BATCH.blocks(TWO), BATCH.close(ONE), BATCH.close(TWO))
        await deployment.running().settle()
        assert [event.attempt for event in deployment.events()] == [ONE, ONE], "what the manifest in place says"
        assert deployment.events()[0] == deployment.events()[1]
        assert [call for call, _ in deployment.store.calls].count("stage") == 2, "a data object and a manifest"
        assert deployment.committed == {0: 8}

    run(scenario())


def test_a_duplicate_takes_the_place_of_one_in_flight_that_becomes_a_dead_letter(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(latency_s=5.0)
        deployment.send(BATCH.blocks(ONE)[:2], BATCH.close(ONE), BATCH.sent(TWO))
        await deployment.running().settle()
        assert [event.attempt for event in deployment.events()] == [TWO]
        assert {(each.attempt, each.reason) for each in deployment.letters()} == {(ONE, "hole")}

    run(scenario())


def test_a_duplicate_of_an_archived_batch_is_announced_by_the_next_processor_too(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.sent(ONE))
        first = deployment.running()
        await first.settle()
        first.kill()
        deployment.send(BATCH.sent(TWO))
        await deployment.running().settle()
        assert len(deployment.events()) == 2
        assert len(deployment.objects()) == 2

    run(scenario())


def test_a_resent_tail_of_an_archived_attempt_is_announced_again_and_is_no_hole(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.sent(ONE))
        running = deployment.running()
        await running.settle()
        before = deployment.objects()
        deployment.send(BATCH.block(ONE, 2), BATCH.close(ONE), BATCH.close(ONE))
        await running.settle()
        assert len(deployment.events()) == 3
        assert deployment.objects() == before
        assert not deployment.letters()
        assert deployment.committed == {0: 7}

    run(scenario())


def test_a_resent_tail_while_the_attempt_is_in_flight_is_no_hole(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(latency_s=10.0)
        deployment.send(BATCH.sent(ONE), BATCH.block(ONE, 1), BATCH.block(ONE, 2), BATCH.close(ONE))
        await deployment.running().settle()
        assert len(deployment.events()) == 2
        assert not deployment.letters()

    run(scenario())


def test_a_close_without_any_block_is_a_hole_unless_the_batch_is_archived(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.close(ONE))
        running = deployment.running()
        await running.settle()
        assert [(each.offset, each.reason, each.poison) for each in deployment.letters()] == [(0, "hole", False)]
        assert deployment.committed == {0: 1}
        deployment.send(BATCH.sent(TWO), BATCH.close(THREE))
        await running.settle()
        assert len(deployment.events()) == 2
        assert len(deployment.letters()) == 1

    run(scenario())


def test_a_batch_without_blocks_is_a_batch(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        empty = StationBatch(content=(), rows_per_block=0)
        deployment.send(empty.close(ONE))
        await deployment.running().settle()
        assert list(deployment.data_objects().values()) == [b""]
        assert deployment.events()[0].size_bytes == 0

    run(scenario())


def test_I4_two_attempts_that_decode_differently_are_one_batch_and_the_first_manifest_stays(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        later = StationBatch(start_us=START_US + A_MONTH_US, changes={"stem": BATCH.stem})
        assert later.data_object() == BATCH.data_object()
        deployment.send(BATCH.sent(ONE))
        running = deployment.running()
        await running.settle()
        before = deployment.objects()
        deployment.send(later.sent(TWO))
        await running.settle()
        assert deployment.objects() == before
        assert deployment.events()[1] == deployment.events()[0]

    run(scenario())


def test_a_data_object_that_lies_uncommitted_in_another_month_gets_its_manifest_beside_it(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.sent(ONE))
        first = deployment.running()
        await first.settle()
        first.kill()
        (path,) = deployment.data_objects()
        elsewhere = path.replace("/2026/05/", "/2026/01/")
        assert elsewhere != path
        deployment.store.remove(path)
        deployment.store.remove(f"{path}.manifest.json")
        deployment.store.put(elsewhere, BATCH.data_object())
        deployment.store.calls.clear()
        deployment.send(BATCH.sent(TWO))
        await deployment.running().settle()
        assert set(deployment.objects()) == {elsewhere, f"{elsewhere}.manifest.json"}
        assert deployment.events()[-1].path == elsewhere
        assert [call for call, _ in deployment.store.calls].count("stage") == 1, "the manifest only"
        manifest = read_manifest(deployment.objects()[f"{elsewhere}.manifest.json"])
        assert manifest.document["data_object"]["path"] == elsewhere

    run(scenario())


def test_names_that_look_like_patterns_are_found_exactly(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        one, other = BATCH.with_close(stem="data_1%25"), BATCH.with_close(stem="dataX1%25")
        deployment.send(one.sent(ONE), other.sent(TWO))
        await deployment.running().settle()
        assert len(deployment.data_objects()) == 2
        assert len({event.batch for event in deployment.events()}) == 2

    run(scenario())


def test_a_lost_reply_at_staging_that_was_done_all_the_same_is_not_staged_again(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.sent(ONE))
        deployment.store.fail("stage", LostReply("the connection broke"), done=True)
        await deployment.running().settle()
        assert [call for call, _ in deployment.store.calls].count("stage") == 2
        assert list(deployment.data_objects().values()) == [BATCH.data_object()]

    run(scenario())


@pytest.mark.parametrize("leaves", [ReplicaStatus.STALE, ReplicaStatus.INTERMEDIATE])
def test_a_lost_reply_at_staging_that_left_something_behind_is_staged_under_another_name(
    deploy: Deploy, leaves: ReplicaStatus
) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.sent(ONE))
        deployment.store.fail("stage", LostReply("the connection broke"), leaves=leaves)
        await deployment.running().settle()
        staged = [name for call, name in deployment.store.calls if call == "stage"]
        assert len(staged) == len(set(staged)) == 3
        assert all(name.startswith(f"{ONE}-") for name in staged)
        assert list(deployment.data_objects().values()) == [BATCH.data_object()]

    run(scenario())


@pytest.mark.parametrize("call", ["place", "describe", "find", "describe_staged"])
@pytest.mark.parametrize("is_done", [False, True])
def test_a_lost_reply_anywhere_else_ends_at_the_same_two_objects(deploy: Deploy, call: str, is_done: bool) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.sent(ONE))
        deployment.store.fail(call, LostReply("the connection broke"), done=is_done, times=2)
        await deployment.running().settle()
        assert list(deployment.data_objects().values()) == [BATCH.data_object()]
        assert not deployment.letters()

    run(scenario())


def test_another_process_that_places_the_batch_first_leaves_nothing_of_ours_in_staging(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.sent(ONE))
        other = deploy()
        other.log = deployment.log
        await other.running().settle()
        deployment.committed.clear()
        placed = False

        def before(call: str, about: str) -> None:
            nonlocal placed
            if call == "place" and not placed:
                placed = True
                for path, content in other.objects().items():
                    deployment.store.put(path, content)
                raise Retryable("nobody answered us")

        deployment.store.before_call = before
        await deployment.running().settle()
        assert deployment.objects() == other.objects()
        assert not list(deployment.store.list_staged())

    run(scenario())


def test_an_attempt_that_a_committed_close_supersedes_is_dropped_when_that_is_announced(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.blocks(ONE)[:2], BATCH.with_close(supersedes=(ONE,)).sent(TWO))
        running = deployment.running()
        await running.settle()
        assert not running.processor.open_attempts()
        assert deployment.committed == {0: 6}
        assert not deployment.letters()
        await running.look_around(2_000)
        assert len(deployment.log.measurements(0)) == 6, "nothing is left to be abandoned"
        assert deployment.events()[0].supersedes == (ONE,)

    run(scenario())


def test_a_close_supersedes_attempts_of_its_own_station_alone(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        other = StationBatch(station="SE-Nor")
        deployment.send(other.blocks(ONE), BATCH.with_close(supersedes=(ONE,)).sent(TWO), other.close(ONE))
        await deployment.running().settle()
        assert {event.station for event in deployment.events()} == {"SE-Nor", "SE-Htm"}

    run(scenario())


@pytest.mark.parametrize("is_stream", [False, True])
def test_I2_any_order_of_arrival_within_an_attempt_gives_the_same_data_object(deploy: Deploy, is_stream: bool) -> None:
    async def scenario() -> None:
        deployment = deploy()
        batch = StationBatch(is_stream=is_stream)
        blocks = batch.blocks(ONE)
        deployment.send(blocks[2], blocks[0], blocks[1], blocks[0], batch.close(ONE))
        await deployment.running().settle()
        assert list(deployment.data_objects().values()) == [batch.data_object()]

    run(scenario())
