"""What a later release tells of files waits until the gateway is upgraded, and costs nothing."""

import pytest

from b2stream.contracts.envelopes import event_headers
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import BatchClosed, CoverageStarted, Record
from b2stream.contracts.upgrades import UPGRADE_WAIT_S
from b2stream.programs.gateway.journal.journal import now_us
from b2stream.programs.gateway.outstanding import Outstanding
from b2stream.programs.gateway.receipts import CHECK_EVERY_S, Receipts, UpgradeGateway
from tests.unit.contracts import later_release
from tests.unit.gateway.events import commit_of, repeat_of, replica_of, value_of
from tests.unit.gateway.stands import STATION, Stand
from tests.unit.gateway.topics_in_memory import COMMITS, EVENTS, REPLICAS, Topics, reader


def _recent(topics: Topics, topic: str, value: bytes, kind: str = "BatchCommitted") -> None:
    headers = event_headers(kind, "id", STATION, source="test")
    offset = len(topics.messages[topic])
    topics.messages[topic].append(LogMessage(topic, 0, offset, STATION.encode(), value, headers, now_us()))


@pytest.mark.parametrize("topic", [COMMITS, EVENTS, REPLICAS])
def test_I1_an_event_of_a_later_release_waits_for_the_gateways_upgrade_and_costs_no_receipt(
    stand: Stand, topics: Topics, sent: BatchClosed, monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    events: dict[str, Record] = {COMMITS: commit_of(sent), EVENTS: repeat_of(sent), REPLICAS: replica_of(sent)}
    event = events[topic]
    now = 0.0
    receipts = reader(stand, topics)
    receipts.monotonic = lambda: now
    _recent(topics, topic, later_release.value_of(event), event.SCHEMA)
    for _ in range(3):
        with pytest.raises(UpgradeGateway, match=f"upgrade this gateway.*{topic}"):
            receipts.poll()
    assert receipts.journal.outcomes()["a.bin"] == "sent"
    assert len(topics.opened) == 4, "Kafka is not asked each time"
    later_release.upgrade(monkeypatch, event.SCHEMA)
    now = CHECK_EVERY_S + 1
    receipts.poll()
    assert receipts.journal.outcomes()["a.bin"] == ("replicated" if topic == REPLICAS else "committed")


def test_what_came_before_an_event_of_a_later_release_is_written_down(
    stand: Stand, topics: Topics, sent: BatchClosed
) -> None:
    topics.put(COMMITS, value_of(commit_of(sent)))
    _recent(topics, COMMITS, later_release.value_of(commit_of(sent)))
    receipts = reader(stand, topics)
    with pytest.raises(UpgradeGateway):
        receipts.poll()
    assert receipts.journal.outcomes()["a.bin"] == "committed"
    assert receipts.journal.position(COMMITS, "first") == 1


def test_I11_an_event_that_nobody_could_read_for_a_week_is_passed_over(
    stand: Stand, topics: Topics, sent: BatchClosed
) -> None:
    _recent(topics, COMMITS, later_release.value_of(commit_of(sent)))
    topics.put(COMMITS, value_of(commit_of(sent)))
    receipts = reader(stand, topics)
    receipts.clock_us = lambda: now_us() + UPGRADE_WAIT_S * 1_000_000
    receipts.poll()
    assert receipts.journal.outcomes()["a.bin"] == "committed"


def test_an_event_that_tells_a_gateway_nothing_is_passed_over_whatever_release_wrote_it(
    stand: Stand, topics: Topics, sent: BatchClosed
) -> None:
    started = CoverageStarted(group="g", topic_id="t", partition=0, offset=0, append_time_us=None)
    _recent(topics, EVENTS, later_release.value_of(started), started.SCHEMA)
    topics.put(COMMITS, value_of(commit_of(sent)))
    receipts = reader(stand, topics)
    receipts.poll()
    assert receipts.journal.outcomes()["a.bin"] == "committed"
    assert receipts.journal.position(EVENTS, "first") == 1


def test_nothing_is_sent_again_for_want_of_receipts_that_a_later_release_wrote(
    stand: Stand, topics: Topics, sent: BatchClosed
) -> None:
    """And what is new is published all the same."""
    _recent(topics, COMMITS, later_release.value_of(commit_of(sent)))
    gateway = stand.start()
    gateway.receipts = Receipts(gateway.journal, STATION, "test", lambda name: topics.ids[name], topics.open)
    gateway.outstanding = Outstanding(gateway.journal, lambda: pytest.fail("nothing is decided now"), 1.0)
    stand.write("b.bin", b"more")
    with pytest.raises(UpgradeGateway):
        gateway.step()
    assert [close.name for close in stand.log.closes()] == ["a.bin", "b.bin"]
