"""Two topics read as one: nothing is confused, nothing is starved."""

from b2stream.programs.registrar.reading import ReadTogether
from tests.replication.fakelog import FakeLog

PARTITIONS = 3


def reading() -> tuple[FakeLog, FakeLog, ReadTogether]:
    one, two = FakeLog(), FakeLog()
    return one, two, ReadTogether([one, two], PARTITIONS)  # type: ignore[list-item]


def test_partitions_are_numbered_through_and_back() -> None:
    one, two, together = reading()
    one.append_raw(2, b"a", b"1", [])
    two.append_raw(0, b"b", b"2", [])
    found = sorted((message.partition, message.value) for message in (together.poll(0), together.poll(0)) if message)
    assert found == [(2, b"1"), (3, b"2")]
    assert together.poll(0) is None
    together.done_up_to(2, 1)
    together.done_up_to(3, 7)
    assert (one.committed, two.committed) == ({2: 1}, {0: 7})


def test_a_topic_with_a_backlog_does_not_hold_up_the_other() -> None:
    one, two, together = reading()
    for number in range(10):
        one.append_raw(0, b"a", str(number).encode(), [])
    two.append_raw(0, b"b", b"late", [])
    assert b"late" in [message.value for message in (together.poll(0), together.poll(0)) if message]


def test_what_is_taken_away_is_told_by_its_own_number() -> None:
    one, two, together = reading()
    told: list[list[int]] = []
    together.on_revoked = told.append
    one.revoke(1)
    two.revoke(0, 2)
    together.poll(0)
    assert sorted(told) == [[1], [3, 5]]


def test_both_are_paused_and_their_lags_are_added() -> None:
    one, two, together = reading()
    one.append_raw(0, b"a", b"1", [])
    two.append_raw(0, b"a", b"1", [])
    together.pause()
    assert (one.paused, two.paused) == (True, True)
    assert together.lag() == 2
    together.resume()
    assert (one.paused, two.paused) == (False, False)
