"""Kafka that is not there yet, goes away, or stands still: the processor waits for it and still stops when it is told to."""

import os
import signal

from b2stream.sandbox.ports import free_port
from tests.integration.processor.alongside import alongside
from tests.integration.processor.conftest import QUICK_S, Deployment, on_a_broker_of_its_own
from tests.integration.processor.test_process import expect_exactly, interleaved, some_batches
from tests.waiting import until

AWAY_S = 90.0 if os.environ.get("B2STREAM_FAULTS") == "all" else 13.0  # longer than the group's session either way


@alongside
def test_kafka_that_is_away_for_longer_than_a_session_is_lag_and_nothing_else(deployment: Deployment) -> None:
    batches = some_batches(18)
    with on_a_broker_of_its_own(deployment) as (alone, broker):
        process = alone.start()
        alone.send(interleaved(batches[:6]))
        until(alone.is_all_acknowledged)
        alone.send(interleaved(batches[6:12]))
        broker.kill()
        assert not process.wait(AWAY_S), process.last_log_lines(40)
        broker.start()
        alone.send(interleaved(batches[12:]))
        until(alone.is_all_acknowledged, timeout_s=120.0)
        expect_exactly(alone, batches)
        assert process.running, "it survived"
        assert len(process.log_file.read_text().splitlines()) < 40 * AWAY_S, "it did not fill the disk with complaints"
        process.send(signal.SIGTERM)
        assert process.wait(QUICK_S)
        assert process.exit_code == 0, process.last_log_lines()


def test_kafka_that_is_not_there_at_the_start_is_waited_for(deployment: Deployment) -> None:
    deployment.configure(kafka={"bootstrap": f"127.0.0.1:{free_port()}"})
    process = deployment.start()
    until(lambda: "waiting for Kafka" in process.last_log_lines())
    process.send(signal.SIGTERM)
    assert process.wait(QUICK_S)
    assert process.exit_code == 0, process.last_log_lines()


@alongside
def test_sigterm_ends_soon_after_the_grace_time_while_kafka_is_frozen(deployment: Deployment) -> None:
    with on_a_broker_of_its_own(deployment) as (alone, broker):
        alone.configure(processor={"grace_s": 4.0})
        process = alone.start()
        alone.send(interleaved(some_batches(4)))
        until(alone.is_all_acknowledged)
        alone.send(interleaved(some_batches(8)[4:]))
        broker.freeze()
        assert not process.wait(0.5), process.last_log_lines()  # it notices nothing: that is the case that hangs
        process.send(signal.SIGTERM)
        assert process.wait(15.0), process.last_log_lines()
        assert process.exit_code == 0, process.last_log_lines()
        broker.thaw()
