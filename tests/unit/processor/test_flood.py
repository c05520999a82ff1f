"""I10: a flood of poison stops reading loudly, nothing is lost by it, and reading goes on by itself. I13: outages are told."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from b2stream.contracts.framing import Framing
from b2stream.errors import AccessRefused, Retryable
from b2stream.programs.processor.letter_rate import LetterRate
from tests.unit.processor.harness import Deployment, Running
from tests.unit.processor.stations import SCHEMA, Sent, StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO = attempt_name(1), attempt_name(2)
RUBBISH = replace(StationBatch().block(ONE, 0), value=b"\x7fELF")


def value(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(f"b2stream_processor_{name}", labels)
    assert found is not None, name
    return found


def flood(count: int) -> list[Sent]:
    return [RUBBISH] * count


def test_I10_a_flood_stops_reading_and_no_offset_passes_an_unwritten_letter(
    deploy: Deploy, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        deployment = deploy(dead_letters_per_minute=20)
        deployment.send(flood(100), StationBatch().sent(TWO))
        running = deployment.running()
        reading = asyncio.create_task(running.feed())
        await asyncio.sleep(5)
        await running.acknowledge()
        written = len(deployment.letters())
        assert 20 <= written < 25, "what was free at once, and not the whole flood"
        assert deployment.committed[0] <= written
        assert set(running.processor.troubles(600.0)) == {"dead_letters"}
        assert value("dead_letter_limit_tripped") == 1
        assert value("paused", reason="dead_letter_rate") == 1
        assert not deployment.events()
        await asyncio.sleep(600)
        await reading
        await running.settle()
        assert len(deployment.letters_by_id()) == 100, "every message has its letter"
        assert len(deployment.events()) == 1, "and the batch behind the flood is archived"
        assert deployment.committed[0] == running.ends()[0]
        assert running.processor.troubles(600.0) == {}
        assert value("dead_letter_limit_tripped") == 0
        assert value("paused", reason="dead_letter_rate") == 0

    with caplog.at_level(logging.WARNING):
        run(scenario())
    said = [record.levelname for record in caplog.records if "dead_letters_per_minute" in record.message]
    assert said == ["CRITICAL"], "loudly, and once"


def test_I10_letters_come_at_the_rate_while_the_flood_lasts(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(dead_letters_per_minute=60)
        deployment.send(flood(2_000))
        running = deployment.running()
        reading = asyncio.create_task(running.feed())
        await asyncio.sleep(600)
        assert 600 <= len(deployment.letters()) <= 60 * 12
        reading.cancel()

    run(scenario())


def test_I10_a_restart_with_a_higher_limit_goes_on_where_it_stood(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(dead_letters_per_minute=10)
        deployment.send(flood(200))
        first = deployment.running()
        reading = asyncio.create_task(first.feed())
        await asyncio.sleep(5)
        await first.acknowledge()
        reading.cancel()
        first.kill()
        deployment.dead_letters_per_minute = 1_000
        second = deployment.running()
        await second.settle(within_s=10.0)
        assert len(deployment.letters_by_id()) == 200
        assert deployment.committed[0] == 200

    run(scenario())


def test_I11_a_rebalance_does_not_wait_for_the_end_of_a_flood(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(dead_letters_per_minute=10)
        deployment.send(flood(50))
        running = deployment.running()
        reading = asyncio.create_task(running.feed())
        await asyncio.sleep(5)
        running.revoke()
        await asyncio.wait_for(reading, 2.0)

    run(scenario())


def test_I11_many_attempts_that_fall_silent_together_are_no_flood(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(dead_letters_per_minute=10, silence_s=60.0)
        for number in range(30):
            deployment.send(StationBatch(number=number).block(attempt_name(number), 0))
        running = deployment.running()
        await running.feed()
        await abandoned(running, 30)
        assert len(deployment.letters()) == 30
        assert running.processor.troubles(600.0) == {}

    run(scenario())


async def abandoned(running: Running, count: int) -> None:
    """Let time pass until so many attempts are abandoned, and their letters written."""
    for _ in range(200):
        await asyncio.sleep(5)
        await running.processor.abandon_silent(running.ends())
        await running.feed()
        if len(running.deployment.letters()) >= count:
            return


class Minutes:
    """A limit of 60 letters a minute, on a clock that is told."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.rate = LetterRate(60, lambda: self.now_s)


def test_the_limit_itself_does_not_trip() -> None:
    clock = Minutes()
    for _ in range(600):
        clock.now_s += 1
        clock.rate.count(1, "slow")
        assert clock.rate.wait_s() == 0
    assert not clock.rate.is_tripped


def test_after_a_trip_half_of_the_limit_must_be_free_and_it_is_over_after_a_quiet_minute() -> None:
    clock = Minutes()
    clock.rate.count(60, "burst")
    assert clock.rate.wait_s() == pytest.approx(30.0)
    assert clock.rate.is_tripped
    clock.now_s += 29
    assert clock.rate.wait_s() == pytest.approx(1.0)
    clock.now_s += 1.5
    assert (clock.rate.wait_s(), clock.rate.is_tripped) == (0, True)
    clock.now_s += 30
    assert (clock.rate.wait_s(), clock.rate.is_tripped) == (0, False)


def test_a_batch_of_very_many_letters_stops_reading_for_a_minute_and_a_half_at_most() -> None:
    clock = Minutes()
    clock.rate.count(1_000_000, "one large batch")
    assert clock.rate.wait_s() == pytest.approx(90.0)


@pytest.mark.parametrize("error", [AccessRefused("no"), Retryable("nobody")], ids=["refuses", "is-away"])
def test_I13_a_centre_that_takes_nothing_is_told_after_a_while_with_who_waits(
    deploy: Deploy, error: AccessRefused | Retryable
) -> None:
    async def scenario() -> None:
        deployment = deploy()

        def before(call: str, about: str) -> None:
            if call == "stage":
                raise error

        deployment.store.before_call = before
        deployment.send(StationBatch(series="a").sent(ONE), StationBatch(series="b").sent(TWO))
        running = deployment.running()
        await running.feed()
        await asyncio.sleep(590)
        assert running.processor.troubles(600.0) == {}
        await asyncio.sleep(30)
        assert running.processor.troubles(600.0)["centre"].startswith("csc took nothing for 10 minutes")
        is_refused = isinstance(error, AccessRefused)
        assert value("stuck_batches") == (2 if is_refused else 0)
        assert value("unanswered_batches") == (0 if is_refused else 2)
        assert value("outage_seconds") > 600
        assert value("centre_answered_seconds", centre="csc") > 600
        deployment.store.before_call = None
        await running.settle()
        assert running.processor.troubles(600.0) == {}
        assert (value("stuck_batches"), value("unanswered_batches"), value("outage_seconds")) == (0, 0, 0)

    run(scenario())


def test_I10_reading_that_waits_for_closed_batches_is_counted(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(closed_limit=1)

        def before(call: str, about: str) -> None:
            raise Retryable("nobody")

        deployment.store.before_call = before
        for number in range(4):
            deployment.send(StationBatch(series=f"s{number}").sent(attempt_name(number)))
        running = deployment.running()
        reading = asyncio.create_task(running.feed())
        await asyncio.sleep(20)
        running.processor.troubles(600.0)
        assert value("paused", reason="closed_limit") == 1
        deployment.store.before_call = None
        await reading
        await running.settle()
        running.processor.troubles(600.0)
        assert value("paused", reason="closed_limit") == 0

    run(scenario())


def test_I10_reading_that_waits_for_the_schema_registry_is_counted(deploy: Deploy) -> None:
    async def scenario() -> None:
        is_away = [True]

        def text_by_id(number: int) -> str:
            if is_away[0]:
                raise Retryable("the registry does not answer")
            return SCHEMA.text

        deployment = deploy(framing=Framing(text_by_id))
        deployment.send(
            replace(StationBatch().block(ONE, 0), value=b"\x00\x00\x00\x00\x05" + StationBatch().bodies()[0])
        )
        running = deployment.running()
        reading = asyncio.create_task(running.feed())
        await asyncio.sleep(5)
        assert value("paused", reason="schema_registry") == 1
        is_away[0] = False
        await reading
        assert value("paused", reason="schema_registry") == 0

    run(scenario())
