"""The spool's budget: what is evicted is read again from the log, and the result is the same to the byte (I10)."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from b2stream.programs.processor.spool import Spool, SpoolFull
from tests.unit.processor.harness import Deployment
from tests.unit.processor.stations import Sent, StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO = attempt_name(1), attempt_name(2)
LONG = StationBatch(content=tuple(b"row %d," % number for number in range(30)))
SHORT = StationBatch(series="short", content=(b"a", b"b"))


def archived(deployment: Deployment) -> dict[str, bytes]:
    async def scenario() -> None:
        running = deployment.running()
        await running.settle()
        assert not running.crashes
        running.kill()
        running.spool.close()

    run(scenario())
    return deployment.objects()


def fresh(deployment: Deployment, folder: Path, **settings: Any) -> Deployment:
    """Another deployment with the same log."""
    other = Deployment(folder, **settings)
    other.log = deployment.log
    return other


def test_I10_the_largest_open_attempt_leaves_the_spool_and_is_read_again_at_its_close(
    deploy: Deploy, tmp_path: Path
) -> None:
    whole = deploy()
    whole.send(LONG.blocks(ONE), SHORT.blocks(TWO), LONG.close(ONE), SHORT.close(TWO))
    expected = archived(whole)
    assert len(expected) == 4
    assert whole.log.rereads == []
    tight = fresh(whole, tmp_path / "tight", spool_bytes=4_000)
    assert archived(tight) == expected
    assert {first for _, first, _ in whole.log.rereads} == {0}, "only the long one was read again"


def test_a_spool_without_room_for_a_single_block_changes_no_byte(deploy: Deploy, tmp_path: Path) -> None:
    whole = deploy()
    whole.send(LONG.blocks(ONE), SHORT.blocks(TWO), SHORT.close(TWO), LONG.close(ONE))
    assert archived(fresh(whole, tmp_path / "none", spool_bytes=1)) == archived(whole)


@pytest.mark.parametrize("order", ["reversed", "in pairs", "last first"])
def test_an_evicted_attempt_in_disorder_is_read_in_as_many_passes_as_it_needs(
    deploy: Deploy, tmp_path: Path, order: str
) -> None:
    blocks = LONG.blocks(ONE)
    if order == "reversed":
        blocks.reverse()
    elif order == "in pairs":
        blocks = [blocks[at ^ 1] for at in range(len(blocks))]
    else:
        blocks = [blocks[-1], *blocks[:-1]]
    whole = deploy()
    whole.send(blocks, LONG.close(ONE))
    assert archived(fresh(whole, tmp_path / "none", spool_bytes=1)) == archived(whole)


def test_duplicates_in_an_evicted_attempt_are_found_when_it_is_read_again(deploy: Deploy, tmp_path: Path) -> None:
    whole = deploy()
    blocks = SHORT.blocks(ONE)
    whole.send(blocks[0], blocks[0], blocks[1], blocks[0], blocks[1], SHORT.close(ONE))
    assert archived(fresh(whole, tmp_path / "none", spool_bytes=1)) == archived(whole)


@pytest.mark.parametrize("spool_bytes", [1 << 30, 1])
def test_a_conflict_is_found_in_the_spool_and_on_reading_again_alike(deploy: Deploy, spool_bytes: int) -> None:
    deployment = deploy(spool_bytes=spool_bytes)
    other = StationBatch(series="short", content=(b"a", b"other"))
    deployment.send(SHORT.blocks(ONE), other.block(ONE, 1), SHORT.close(ONE))
    assert archived(deployment) == {}
    letters = deployment.letters_by_id()
    assert {letter.offset for letter in letters.values()} == {0, 1, 2, 3}
    assert {(letter.reason, letter.poison) for letter in letters.values()} == {("conflicting_blocks", False)}


@pytest.mark.parametrize("spool_bytes", [1 << 30, 1])
def test_a_conflict_in_an_attempt_whose_batch_is_archived_announces_that_batch(
    deploy: Deploy, spool_bytes: int
) -> None:
    deployment = deploy(spool_bytes=spool_bytes)
    other = StationBatch(series="short", content=(b"a", b"other"))
    deployment.send(SHORT.sent(ONE), SHORT.blocks(TWO), other.block(TWO, 1), SHORT.close(TWO))
    assert len(archived(deployment)) == 2
    assert len(deployment.events()) == 2
    assert not deployment.letters()


@pytest.mark.parametrize("spool_bytes", [1 << 30, 1])
def test_a_message_that_is_a_dead_letter_of_its_own_is_no_block_on_reading_again(
    deploy: Deploy, spool_bytes: int
) -> None:
    deployment = deploy(spool_bytes=spool_bytes)
    good = SHORT.block(ONE, 1)
    bad = Sent(good.key, b"not avro", good.headers)
    deployment.send(SHORT.block(ONE, 0), bad, good, SHORT.close(ONE))
    assert len(archived(deployment)) == 2
    assert [(letter.offset, letter.reason) for letter in deployment.letters()] == [(1, "not_avro")]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A disk that takes so many bytes more, and the rest of a write only in part."""
    left = {"bytes": 0}
    write = os.pwrite

    def written(descriptor: int, value: bytes, position: int) -> int:
        if left["bytes"] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = write(descriptor, value[: left["bytes"]], position)
        left["bytes"] -= taken
        return taken

    monkeypatch.setattr(os, "pwrite", written)
    return left


@pytest.mark.parametrize("room_bytes", [0, 100, 500, 2_500])
def test_a_full_disk_changes_no_byte(
    deploy: Deploy, tmp_path: Path, full_disk: dict[str, int], room_bytes: int
) -> None:
    whole = deploy()
    whole.send(LONG.blocks(ONE), SHORT.blocks(TWO), SHORT.close(TWO), LONG.close(ONE))
    full_disk["bytes"] = 1 << 30
    expected = archived(whole)
    full_disk["bytes"] = room_bytes
    assert archived(fresh(whole, tmp_path / "full")) == expected
    assert whole.log.rereads


def test_I10_closed_batches_that_wait_for_the_centre_leave_the_spool_before_open_attempts_suffer(
    deploy: Deploy,
) -> None:
    async def scenario() -> None:
        deployment = deploy(spool_bytes=12_000)
        for number in range(6):
            batch = StationBatch(series=f"s{number}", content=LONG.content)
            deployment.send(batch.sent(attempt_name(number)))
        deployment.store.available = False
        running = deployment.running()
        await running.until(lambda: running.processor.closed_batches() == 6)
        assert running.spool.size_bytes <= 12_000
        deployment.store.available = True
        await running.settle()
        assert len(deployment.events()) == 6

    run(scenario())


def test_a_small_open_attempt_stays_in_the_spool_while_large_closed_ones_wait(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(spool_bytes=12_000)
        for number in range(3):
            batch = StationBatch(series=f"s{number}", content=LONG.content)
            deployment.send(batch.sent(attempt_name(number + 10)))
        first = deployment.send(SHORT.block(ONE, 0))
        deployment.send(SHORT.block(ONE, 1), SHORT.close(ONE))
        deployment.store.available = False
        running = deployment.running()
        await running.until(lambda: running.processor.closed_batches() == 4)
        deployment.store.available = True
        await running.settle()
        assert len(deployment.events()) == 4
        assert first not in {begin for _, begin, _ in deployment.log.rereads}
        assert deployment.log.rereads

    run(scenario())


def test_a_block_that_vanished_between_two_readings_is_waited_for_not_looped_over(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(spool_bytes=1)
        deployment.send(SHORT.sent(ONE))
        real = deployment.log.reread
        passes = iter([True, False])

        def reread(partition: int, first: int, last: int) -> Iterator[Any]:
            messages = list(real(partition, first, last))
            return iter(messages if next(passes, True) else messages[:1])

        deployment.log.reread = reread  # type: ignore[method-assign]
        running = deployment.running()
        await running.settle()
        assert len(deployment.events()) == 1

    run(scenario())


def test_a_spool_that_cannot_be_read_any_more_is_replaced_by_the_log(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(SHORT.blocks(ONE))
        running = deployment.running()
        await running.feed()
        (spooled,) = deployment.folder.rglob("*.blocks")
        spooled.unlink()
        deployment.send(SHORT.close(ONE))
        await running.settle()
        assert len(deployment.events()) == 1
        assert not running.crashes

    run(scenario())


def test_forgetting_an_attempt_removes_its_file_even_if_no_block_got_in_whole(
    tmp_path: Path, full_disk: dict[str, int]
) -> None:
    spool = Spool(str(tmp_path), 1 << 20)
    full_disk["bytes"] = 3
    with pytest.raises(SpoolFull):
        spool.append("0-0-0-a", b"four")
    spool.forget("0-0-0-a")
    assert not list(tmp_path.rglob("*.blocks"))


def test_two_processors_may_share_a_spool_folder_and_only_what_the_dead_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "b2stream-spool-of-a-dead-one").mkdir()
    (tmp_path / "b2stream-spool-of-a-dead-one" / "0-0-0-a.blocks").write_bytes(b"left over")
    first = Spool(str(tmp_path), 1 << 20)
    first.append("0-0-0-a", b"block")
    second = Spool(str(tmp_path), 1 << 20)
    assert [path.read_bytes() for path in tmp_path.rglob("*.blocks")] == [b"block"]
    second.close()
    first.close()
    assert not list(tmp_path.iterdir())
