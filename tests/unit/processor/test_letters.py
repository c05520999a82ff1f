"""Dead letters: one id each, original values, large batches in the archive."""

from collections.abc import Callable

import fastavro
import pytest

from b2stream.contracts.framing import Framing
from b2stream.contracts.records import DeadLetter
from b2stream.errors import AccessRefused, Retryable
from tests.unit.processor.harness import Deployment
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO = attempt_name(1), attempt_name(2)
BATCH = StationBatch()
LARGE = StationBatch(content=tuple(bytes([65 + number]) * 900_000 for number in range(10)))


def test_a_dead_letter_written_twice_is_one_because_its_id_is_the_messages_place(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.blocks(ONE)[:2], BATCH.close(ONE))
        first = deployment.running()
        await first.until(first.is_idle)
        first.kill()  # before it acknowledged
        await deployment.running().settle()
        assert len(deployment.letters()) == 6
        assert sorted(deployment.letters_by_id()) == ["topic-id/0/0", "topic-id/0/1", "topic-id/0/2"]

    run(scenario())


def test_letters_hold_the_original_values_and_name_attempt_and_batch(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        sent = [*BATCH.blocks(ONE)[:2], BATCH.close(ONE)]
        deployment.send(sent)
        await deployment.running().settle()
        assert [message.value for message in deployment.log.all("dead-letters")] == [each.value for each in sent]
        assert {each.batch for each in deployment.letters()} != {""}
        assert {each.attempt for each in deployment.letters()} == {ONE}

    run(scenario())


def test_blocks_in_the_spool_become_letters_without_reading_the_log_again(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        blocks = BATCH.blocks(ONE)
        deployment.send(blocks[2], blocks[0], BATCH.close(ONE))
        await deployment.running().settle()
        assert not deployment.log.rereads
        assert [each.offset for each in deployment.letters()] == [0, 1, 2]
        assert [each.value for each in deployment.log.all("dead-letters")[:2]] == [blocks[2].value, blocks[0].value]

    run(scenario())


def test_a_spool_that_cannot_be_read_makes_no_letter_less(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.blocks(ONE)[:2])
        running = deployment.running()
        await running.feed()
        for spooled in deployment.folder.rglob("*.blocks"):
            spooled.unlink()
        deployment.send(BATCH.close(ONE))
        await running.settle()
        assert [each.offset for each in deployment.letters()] == [0, 1, 2]

    run(scenario())


def test_a_dead_batch_above_8_MiB_lies_in_dead_and_one_letter_names_it(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(LARGE.blocks(ONE)[1:], LARGE.blocks(ONE)[0], LARGE.with_close(rows=1).close(ONE))
        await deployment.running().settle()
        batch_letter, close_letter = deployment.letters()
        assert (batch_letter.offset, batch_letter.reason, close_letter.offset) == (0, "close_mismatch", 10)
        record = DeadLetter.from_framed(Framing().unframe(deployment.log.all("dead-letters")[0].value))
        ((path, content),) = deployment.objects().items()
        assert path == record.path == f".dead/{ONE}-0.avro"
        assert (record.blocks, record.size_bytes) == (10, len(content))
        with deployment.folder.with_suffix(".avro").open("w+b") as file:
            file.write(content)
            file.seek(0)
            dead = list(fastavro.reader(file))
        sent = [*LARGE.blocks(ONE)[1:], LARGE.blocks(ONE)[0]]
        assert [each["value"] for each in dead] == [each.value for each in sent]
        assert [each["offset"] for each in dead] == list(range(10))
        assert not list(deployment.store.list_staged())

    run(scenario())


def test_where_dead_is_refused_too_each_block_is_a_letter_of_its_own(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.store.fail("place", AccessRefused(".dead"), times=10)
        deployment.send(LARGE.with_close(rows=1).sent(ONE))
        await deployment.running().settle()
        assert [each.offset for each in deployment.letters()] == list(range(11))
        assert not deployment.objects()
        assert not list(deployment.store.list_staged())

    run(scenario())


def test_a_centre_that_does_not_answer_makes_no_flood_of_letters(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.store.fail("stage", Retryable("nobody answers"), times=5)
        deployment.send(LARGE.with_close(rows=1).sent(ONE))
        await deployment.running().settle()
        assert len(deployment.letters()) == 2

    run(scenario())


@pytest.mark.parametrize("spool_bytes", [1 << 30, 1])
def test_an_attempt_can_die_twice_and_both_lie_in_dead(deploy: Deploy, spool_bytes: int) -> None:
    async def scenario() -> None:
        deployment = deploy(spool_bytes=spool_bytes)
        bad = LARGE.with_close(rows=1)
        deployment.send(bad.sent(ONE), bad.sent(ONE))
        await deployment.running().settle()
        assert sorted(deployment.objects()) == [f".dead/{ONE}-0.avro", f".dead/{ONE}-11.avro"]

    run(scenario())


def test_I8_nothing_is_acknowledged_before_the_letters_are_written(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.blocks(ONE)[:2], BATCH.close(ONE), BATCH.sent(TWO))
        running = deployment.running()
        refusals = iter(range(3))

        def before(topic: str) -> None:
            if topic.endswith("dead-letters") and next(refusals, None) is not None:
                assert deployment.committed.get(0, 0) == 0
                raise Retryable("Kafka: not enough replicas")

        running.publisher.before = before
        await running.until(running.is_idle)
        await running.acknowledge()
        assert len(deployment.letters_by_id()) == 3
        assert deployment.committed == {0: 7}

    run(scenario())
