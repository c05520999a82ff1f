"""A subscriber that is upgraded after the processors misses no event."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from b2stream.contracts.upgrades import UPGRADE_WAIT_S
from b2stream.reader import following
from b2stream.reader.following import UpgradeReader, follow
from b2stream.settings import load
from tests.replication.batches import committed, event_header_list, event_partition
from tests.replication.fakelog import FakeLog
from tests.unit.contracts.later_release import upgrade, value_of

COMMIT = committed(1, b"wind")
KNOWN = committed(2, b"rain")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> FakeLog:
    """A topic whose first event is of a later release."""
    log = FakeLog()
    log.append_raw(event_partition(COMMIT), COMMIT.station.encode(), value_of(COMMIT), event_header_list(COMMIT))
    log.append(KNOWN)

    def consumer(*about: Any, **more: Any) -> FakeLog:
        log.revoke(*log.messages)  # it begins at the group's offsets
        return log

    def close() -> None:
        pass

    monkeypatch.setattr(log, "close", close, raising=False)
    monkeypatch.setattr(following, "Consumer", consumer)
    topic = SimpleNamespace(topic_id="id", partitions=4)
    monkeypatch.setattr(following, "Admin", lambda *about: SimpleNamespace(topic=lambda name: topic))
    return log


def found(count: int) -> list[str]:
    settings = load(environment={}).settings
    return [batch.event.batch for batch in follow(settings, group="me", count=count, timeout_s=5.0)]


def test_an_event_of_a_later_release_stops_the_reader_and_is_read_once_it_is_upgraded(
    log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UpgradeReader, match=r"upgrade b2stream here.*test\.commits\[\d\] offset 0"):
        found(2)
    assert log.committed == {}
    upgrade(monkeypatch, "BatchCommitted")
    assert found(2) == [COMMIT.batch, KNOWN.batch]


@pytest.mark.usefixtures("log")
def test_I11_one_that_nobody_could_read_for_a_week_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_week = SimpleNamespace(
        time_ns=lambda: time.time_ns() + UPGRADE_WAIT_S * 10**9, monotonic=time.monotonic, sleep=time.sleep
    )
    monkeypatch.setattr(following, "time", in_a_week)
    assert found(1) == [KNOWN.batch]
