"""What programs know of stations: the latest description of each, all of it before anything is judged, and no message can undo it."""

import base64
from dataclasses import replace

import pytest

from b2stream.contracts import schemas
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.stations import StationDescription, StationKey, key_id
from b2stream.errors import Retryable
from b2stream.stations.files import BadDescription
from b2stream.stations.known import KnownStations, check_changes
from tests.waiting import until

NOW_US = 1_790_000_000_000_000


def key(number: int, until_us: int | None = None) -> StationKey:
    raw = bytes([number]) * 32
    return StationKey(key_id(raw), base64.b64encode(raw).decode(), 0, until_us)


HTM = StationDescription(station="SE-Htm", name="Hyltemossa", theme="ecosystem", keys=(key(1),))
NOR = StationDescription(station="SE-Nor", name="Norunda", theme="ecosystem", keys=(key(2),))

LATER = replace(HTM, keys=(key(1), key(3)))


def message(description: StationDescription | bytes | None, station: str = "") -> LogMessage:
    if isinstance(description, StationDescription):
        station = station or description.station
        description = Framing().frame(schemas.current("StationDescription"), description.to_body())
    return LogMessage("icos.stations", 0, 0, station.encode(), description, [], NOW_US)


class Topic:
    """Gives its messages in order, each with the next offset; has read all once they are gone, and goes on with what is added."""

    def __init__(self, *messages: LogMessage | Retryable) -> None:
        self.messages = list(messages)
        self.closed = 0
        self._offset = 0

    @property
    def has_read_all(self) -> bool:
        return not self.messages

    def poll(self, timeout_s: float) -> LogMessage | None:
        first = self.messages.pop(0) if self.messages else None
        if isinstance(first, Retryable):
            raise first
        if first is None:
            return None
        self._offset += 1
        return replace(first, offset=self._offset - 1)

    def close(self) -> None:
        self.closed += 1


def test_the_latest_description_of_each_station_counts() -> None:
    later = replace(HTM, name="Hyltemossa 2")
    topic = Topic(message(HTM), message(NOR), message(later))
    assert dict(KnownStations(lambda: topic, Framing()).load(60)) == {"SE-Htm": later, "SE-Nor": NOR}
    assert topic.closed == 1


@pytest.mark.parametrize(
    "bad",
    [
        message(None, "SE-Htm"),
        message(b"", "SE-Htm"),
        message(b"nonsense", "SE-Htm"),
        message(replace(NOR, name="forged"), "SE-Htm"),
        message(Framing().frame(schemas.current("StationDescription"), HTM.to_body()[:-3]), "SE-Htm"),
    ],
    ids=["removed", "empty", "nonsense", "under another key", "cut off"],
)
def test_I9_a_message_that_is_no_description_changes_nothing(bad: LogMessage) -> None:
    topic = Topic(message(HTM), bad)
    assert dict(KnownStations(lambda: topic, Framing()).load(60)) == {"SE-Htm": HTM}


def test_a_description_that_comes_again_is_no_change() -> None:
    topic = Topic(message(HTM), message(HTM), message(NOR))
    known = KnownStations(lambda: topic, Framing())
    known.load(60)
    assert known.version == 2


class Silent(Topic):
    """Never reaches its end."""

    @property
    def has_read_all(self) -> bool:
        return False


def test_a_topic_that_is_not_read_in_time_is_retryable() -> None:
    topic = Silent()
    with pytest.raises(Retryable, match="within 0 s"):
        KnownStations(lambda: topic, Framing()).load(0.0)
    assert topic.closed == 1


def test_what_comes_later_is_known_without_a_restart() -> None:
    topic = Topic(message(HTM))
    known = KnownStations(lambda: topic, Framing())
    known.start()
    try:
        assert known.wait_until_loaded(60)
        assert dict(known.descriptions) == {"SE-Htm": HTM}
        topic.messages.append(message(NOR))
        until(lambda: known.version == 2, "the second station")
        assert known.descriptions["SE-Nor"] == NOR
    finally:
        known.close()
    assert topic.closed == 1


def test_I11_what_fails_is_read_again_and_what_was_known_stays_known() -> None:
    topics: list[Topic | Retryable] = [
        Topic(message(HTM), message(LATER), Retryable("the registry")),
        Retryable("Kafka"),
        Topic(message(HTM), message(LATER), message(NOR)),
    ]
    seen: list[Topic] = []

    def connect() -> Topic:
        found = topics.pop(0)
        if isinstance(found, Retryable):
            raise found
        seen.append(found)
        return found

    known = KnownStations(connect, Framing(), again_s=0.01)
    known.start()
    try:
        assert known.wait_until_loaded(60)
        assert dict(known.descriptions) == {"SE-Htm": LATER, "SE-Nor": NOR}
        assert not known.refused, "what is read again is no attempt to go back"
        assert seen[0].closed == 1
    finally:
        known.close()


def test_changes_that_break_no_promise_are_allowed() -> None:
    known = {"SE-Htm": HTM}
    check_changes(known, [("htm.toml", replace(HTM, keys=(key(1, NOW_US + 1), key(3)))), ("nor.toml", NOR)], NOW_US)
    check_changes(known, [("htm.toml", HTM)], NOW_US)


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ([("a.toml", replace(HTM, keys=()))], "a.toml: key .* never removed"),
        ([("a.toml", NOR), ("b.toml", NOR)], "b.toml: SE-Nor is described twice"),
        ([("a.toml", replace(NOR, keys=(key(1),)))], "is of SE-Htm and of SE-Nor: each station has its own"),
        ([("a.toml", replace(HTM, keys=(key(1, NOW_US - 1),)))], "a.toml: key .* that is past"),
    ],
)
def test_I9_changes_that_would_break_a_promise_are_refused(new: list[tuple[str, StationDescription]], why: str) -> None:
    with pytest.raises(BadDescription, match=why):
        check_changes({"SE-Htm": HTM}, new, NOW_US)
