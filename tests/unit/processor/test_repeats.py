"""I10, I13: a Kafka that is away for a day is complained about all day, and does not fill the disk with it."""

import logging
from collections.abc import Iterator

import pytest

from b2stream.programs.processor.repeats import EVERY_S, Repeats


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(clock: Clock, caplog: pytest.LogCaptureFixture) -> Iterator[logging.Logger]:
    logger, repeats = logging.getLogger("a library's"), Repeats(clock)
    logger.addFilter(repeats)
    yield logger
    logger.removeFilter(repeats)


def test_I10_a_complaint_that_comes_again_and_again_is_a_line_in_a_while_that_counts_the_others(
    log: logging.Logger, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        for attempt in range(100):
            log.error("node %d does not answer: %s", 1, f"try {attempt}")
        clock.now_s += EVERY_S
    assert [record.getMessage() for record in caplog.records] == [
        "node 1 does not answer: try 0",
        "node 1 does not answer: try 0 (and 99 times since it was last said)",
        "node 1 does not answer: try 0 (and 99 times since it was last said)",
    ]


def test_I13_another_complaint_is_not_left_out_for_it(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    log.error("node %d does not answer", 1)
    log.error("the group is gone")
    log.error("node %d does not answer", 1)
    assert [record.getMessage() for record in caplog.records] == ["node 1 does not answer", "the group is gone"]


def test_what_holds_no_place_for_a_value_is_said_as_it_is(
    log: logging.Logger, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        log.warning("100% of it")
        log.warning("100% of it")
        clock.now_s += EVERY_S
    assert caplog.messages == ["100% of it", "100% of it (and 1 times since it was last said)"]
