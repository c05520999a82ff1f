"""Where a group stands against what the log holds, and how old its oldest unfinished work is."""

from collections.abc import Callable

import pytest

from b2stream.errors import LostOffsets
from b2stream.kafka import LogRange
from b2stream.programs.processor.offsets import Standing, check
from tests.unit.processor.harness import APPENDED_US, Deployment
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.unit.processor.virtual_time import run


@pytest.mark.parametrize(
    ("committed", "start", "is_lost"),
    [
        (None, 20, False),
        (20, 20, False),
        (25, 25, False),
        (30, 30, False),
        (19, 19, True),
        (31, 31, True),
        (0, 0, True),
    ],
)
def test_a_group_reads_from_its_offset_or_the_logs_begin_and_outside_the_log_is_lost(
    committed: int | None, start: int, is_lost: bool
) -> None:
    standing = Standing(3, committed, LogRange(20, 30))
    assert standing.start == start
    assert standing.is_lost == is_lost


def test_a_lost_range_is_named_with_group_topic_and_partition() -> None:
    with pytest.raises(LostOffsets, match=r"group g stands at 5 of icos\.measurements\[3\], the log holds 20 to 30"):
        check("g", "icos.measurements", [Standing(0, None, LogRange(0, 0)), Standing(3, 5, LogRange(20, 30))])


def test_an_empty_log_whose_begin_moved_on_is_no_loss_for_a_group_that_read_everything() -> None:
    check("g", "t", [Standing(0, 30, LogRange(30, 30))])


def test_I13_the_age_of_the_oldest_unfinished_work_is_that_of_the_message_that_holds_the_frontier(
    deploy: Callable[..., Deployment],
) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(StationBatch(series="done").sent(attempt_name(1)))
        held = deployment.send(StationBatch(series="open").block(attempt_name(2), 0))
        deployment.send(StationBatch(series="later").sent(attempt_name(3)))
        running = deployment.running()
        assert running.processor.oldest_us() is None
        await running.settle()
        assert running.processor.oldest_us() == APPENDED_US + held * 1000

    run(scenario())
