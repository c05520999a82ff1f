"""An audit that is upgraded after the processors says so, instead of calling missing what it cannot read."""

import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from b2stream.contracts.envelopes import event_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import FurtherLocation, Record
from b2stream.contracts.upgrades import UPGRADE_WAIT_S
from b2stream.kafka.ranges import LogRange
from b2stream.programs.audit.gathering import log as reading
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.log import Log
from b2stream.programs.audit.gathering.readable import UpgradeAudit
from b2stream.settings import load
from tests.unit.batches.test_history import CLOSE, COMMIT, REPLICA, event
from tests.unit.contracts.later_release import upgrade, value_of

OF = {"commits": COMMIT, "replicas": REPLICA, "events": event(1)}


class Reader:
    """One message of one topic."""

    def __init__(self, messages: list[LogMessage]) -> None:
        self._messages = iter(messages)

    def poll(self, timeout_s: float) -> LogMessage | None:
        return next(self._messages, None)

    def close(self) -> None: ...


@pytest.fixture
def log_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Record], Log]:
    """A log with one message, which a later release wrote just now."""

    def make(topic: str, record: Record) -> Log:
        headers = event_headers(record.SCHEMA, "id", "HTM", source="test")
        message = LogMessage(f"icos.{topic}", 0, 0, b"HTM", value_of(record), headers, time.time_ns() // 1000)
        held = {f"icos.{topic}": [message]}
        admin = SimpleNamespace(
            ranges=lambda name, partitions: {0: LogRange(0, len(held.get(name, ())))},
            topic=lambda name: SimpleNamespace(topic_id="id"),
        )
        monkeypatch.setattr(reading, "Admin", lambda *about: admin)
        monkeypatch.setattr(reading, "Consumer", lambda kafka, name, **how: Reader(held[name]))
        log = Log(load(environment={"B2STREAM_KAFKA_PARTITIONS": "1"}).settings, Framing())
        log.fix_ends()
        return log

    return make


READINGS: dict[str, Callable[[Log], Iterable[Any]]] = {
    "commits": Log.commits,
    "replicas": Log.replicas,
    "events": Log.object_events,
}


@pytest.mark.parametrize("topic", OF)
def test_an_event_of_a_later_release_ends_an_audit_with_a_sentence(
    log_of: Callable[[str, Record], Log], topic: str
) -> None:
    with pytest.raises(UpgradeAudit, match=rf"upgrade this program.*icos\.{topic}\[0\] offset 0"):
        list(READINGS[topic](log_of(topic, OF[topic])))
    with Index() as index, pytest.raises(UpgradeAudit):
        log_of(topic, OF[topic]).read_into(index)
    with Index() as index, pytest.raises(UpgradeAudit):
        log_of(topic, OF[topic]).read_commits(index)


@pytest.mark.parametrize("topic", OF)
def test_an_audit_that_was_upgraded_reads_it(
    log_of: Callable[[str, Record], Log], monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    upgrade(monkeypatch, OF[topic].SCHEMA, "BatchCommitted")
    assert list(READINGS[topic](log_of(topic, OF[topic]))) == [OF[topic]]


@pytest.mark.parametrize("topic", OF)
def test_I11_one_that_is_older_than_a_week_is_passed_over(
    log_of: Callable[[str, Record], Log], monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    in_a_week = SimpleNamespace(time_ns=lambda: time.time_ns() + UPGRADE_WAIT_S * 10**9)
    monkeypatch.setattr("b2stream.programs.audit.gathering.readable.time", in_a_week)
    assert list(READINGS[topic](log_of(topic, OF[topic]))) == []


def test_a_close_of_a_later_release_ends_no_audit_because_it_has_a_letter(
    log_of: Callable[[str, Record], Log],
) -> None:
    with Index() as index:
        log_of("measurements", CLOSE).read_into(index)
        assert index.one("SELECT 1 FROM close") is None


def test_a_record_that_tells_an_audit_nothing_is_passed_over(log_of: Callable[[str, Record], Log]) -> None:
    place = "irods://csc/a"
    nothing = FurtherLocation(
        pid="21.T1/x",
        sha256="d" * 64,
        registered_url=place,
        batch="b" * 64,
        station="HTM",
        series="s",
        centre="csc",
        url=place,
        replica_centre="fzj",
        replica_url=place,
    )
    assert list(log_of("events", nothing).object_events()) == []
