"""The gateway program against kill -9 and a Kafka that is away: nothing lost, nothing doubled, nothing given up."""

import os
import signal
from collections.abc import Callable

import pytest

from b2stream.sandbox.kafka import KafkaBroker
from b2stream.sandbox.ports import free_port
from tests import pages
from tests.integration.gateway.stations import StationStand
from tests.unit.gateway.stands import judge, toa5
from tests.waiting import PATIENCE_S, until

CONTENTS = {"met.dat": toa5(1500), "blob.bin": os.urandom(300_000), "later.bin": b"x" * 5000}


def fill(station: StationStand) -> None:
    for name, content in CONTENTS.items():
        (station.folder / name).write_bytes(content)


def judged(station: StationStand) -> dict[str, bytes]:
    batches = judge(station.log()).values()
    assert len(batches) == len({batch.close.name for batch in batches}), "a file in two batches"
    return {str(batch.close.name): batch.raw for batch in batches}


def test_I1_killed_in_the_middle_of_a_file_it_goes_on_with_the_same_attempt(station: StationStand) -> None:
    content = os.urandom(16_000_000)
    (station.folder / "long.bin").write_bytes(content)
    small = {"B2STREAM_GATEWAY_BLOCK_BYTES": "4096"}
    process = station.start(**small)
    until(lambda: station.end_offset() > 50, "the first blocks are in the log")
    process.kill()
    process.wait(PATIENCE_S)
    before = station.end_offset()
    assert before < 3000, "the kill came too late to say anything"
    done = station.run("--once", "--wait", "sent")
    assert done.returncode == 0, done.stderr
    log = station.log()
    (batch,) = judge(log).values()
    assert batch.raw == content
    assert batch.close.supersedes == ()
    assert batch.close.count > 3000, "the cuts of the first life, not of the setting that is the default again"
    assert len(log.messages) > before + batch.close.count, "nothing was sent twice: the kill hit no work in flight"


def test_I1_killed_in_the_middle_of_a_file_that_then_changes_a_new_attempt_supersedes(station: StationStand) -> None:
    (station.folder / "long.bin").write_bytes(os.urandom(16_000_000))
    process = station.start(B2STREAM_GATEWAY_BLOCK_BYTES="4096")
    until(lambda: station.end_offset() > 50, "the first blocks are in the log")
    process.kill()
    process.wait(PATIENCE_S)
    (station.folder / "long.bin").write_bytes(b"short")
    assert station.run("--once", "--wait", "sent").returncode == 0
    log = station.log()
    (batch,) = judge(log).values()
    assert batch.raw == b"short"
    (superseded,) = batch.close.supersedes
    assert log.bodies(superseded)


def test_I1_killed_at_journal_writes_again_and_again_everything_arrives_once(station: StationStand) -> None:
    """Before and after a commit of the journal; opening it takes the first."""
    fill(station)
    kills = 0
    for passing in ("write:2", "written:2", "written:3", "write:5", "written:7"):
        done = station.run("--once", "--wait", "sent", B2STREAM_FAIL_AT=f"journal {passing}")
        kills += done.returncode == -signal.SIGKILL
    assert kills >= 4
    done = station.run("--once", "--wait", "sent")
    assert done.returncode == 0, done.stderr
    assert judged(station) == CONTENTS


@pytest.fixture
def lonely(
    stations: Callable[[str, str], StationStand], breakable_broker: KafkaBroker, community: str
) -> tuple[StationStand, KafkaBroker]:
    """A station whose broker this test may break."""
    station = stations(breakable_broker.bootstrap, community)
    station.make_topics()
    return station, breakable_broker


def test_I11_a_frozen_kafka_is_waited_for_and_everything_arrives_once(
    lonely: tuple[StationStand, KafkaBroker],
) -> None:
    station, broker = lonely
    port = free_port()
    process = station.start(B2STREAM_MONITORING_PORT=str(port))
    (station.folder / "first.bin").write_bytes(b"1")
    until(lambda: station.outcomes() == ["sent"], "the first file is published")
    broker.freeze()
    fill(station)
    until(lambda: pages.metric(port, "b2stream_gateway_kafka_wait_seconds") > 1, "it shows that it waits")
    assert process.poll() is None
    broker.thaw()
    until(lambda: station.outcomes() == 4 * ["sent"], "the rest is published")
    assert judged(station) == {**CONTENTS, "first.bin": b"1"}
    assert process.poll() is None


def test_a_gateway_that_waits_for_kafka_stops_when_asked_and_the_next_one_goes_on(
    lonely: tuple[StationStand, KafkaBroker],
) -> None:
    station, broker = lonely
    process = station.start()
    (station.folder / "first.bin").write_bytes(b"1")
    until(lambda: station.outcomes() == ["sent"], "the first file is published")
    broker.freeze()
    fill(station)
    journal = station.folder / ".b2stream" / "journal.sqlite-wal"
    size = journal.stat().st_size
    until(lambda: journal.stat().st_size > size, "the next attempt is in the journal")
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    broker.thaw()
    assert station.run("--once", "--wait", "sent").returncode == 0
    assert judged(station) == {**CONTENTS, "first.bin": b"1"}


def test_I11_kafka_away_at_start_is_waited_for(lonely: tuple[StationStand, KafkaBroker]) -> None:
    station, broker = lonely
    broker.stop()
    fill(station)
    process = station.start()
    until(lambda: "does not answer" in station.said(), "it says that Kafka is away")
    assert process.poll() is None
    broker.start()
    until(lambda: station.outcomes() == 3 * ["sent"], "everything is published")
    assert judged(station) == CONTENTS


def test_kafka_away_at_start_can_be_interrupted(lonely: tuple[StationStand, KafkaBroker]) -> None:
    station, broker = lonely
    broker.stop()
    process = station.start()
    until(lambda: "does not answer" in station.said(), "it says that Kafka is away")
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
