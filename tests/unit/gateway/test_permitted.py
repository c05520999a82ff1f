"""What its station's description does not allow is said by the gateway before it is sent, and by `inspect` without any server."""

import itertools
import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from b2stream.contracts.stations import SeriesVariable, StationDescription, StationSeries
from b2stream.errors import Retryable
from b2stream.programs.gateway.inspect import inspect
from b2stream.programs.gateway.permitted import BEFORE_SAYING_NO_S, LOOK_AGAIN_S, Permitted
from tests.unit.gateway.stands import STATION, Clock, Stand, judge, toa5
from tests.waiting import PATIENCE_S, until

SERIES = "Met_1234"
OURS, OTHER = StationSeries(SERIES, 0), StationSeries("EC_L99_F01", 0)


def described(*series: StationSeries) -> dict[str, StationDescription]:
    return {STATION: StationDescription(station=STATION, name="Test", theme="ecosystem", series=series)}


class Topic:
    """What the topic of stations says at the moment; counts how often it is read."""

    def __init__(self, says: Mapping[str, StationDescription] | Retryable) -> None:
        self.says = says
        self.reads = 0

    def load(self) -> Mapping[str, StationDescription]:
        self.reads += 1
        if isinstance(self.says, Retryable):
            raise self.says
        return self.says


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


def test_it_is_said_before_it_is_sent_and_sent_all_the_same(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    gateway = stand.start()
    gateway.warn = Permitted(Topic(described(OTHER)).load, {}, wait_s=PATIENCE_S).warn
    sent_before_it_was_said: list[int] = []
    stand.log.before_append = lambda: sent_before_it_was_said.append(len(warnings(caplog)))
    stand.write("met.dat", toa5(5))
    gateway.step()
    assert len(stand.log.closes()) == 1, "the processor decides, by what it knows then"
    assert sent_before_it_was_said[0] == 1
    (said,) = warnings(caplog)
    for word in (STATION, SERIES, "EC_L99_F01", "b2stream gateway retry"):
        assert word in said


@pytest.mark.parametrize("says", [{}, described(), described(OURS), Retryable("Kafka is away")])
def test_nothing_is_said_where_nothing_is_wrong_or_known(
    stand: Stand, caplog: pytest.LogCaptureFixture, says: Mapping[str, StationDescription] | Retryable
) -> None:
    gateway = stand.start()
    gateway.warn = Permitted(Topic(says).load, {"campbell-toa5": 0}, wait_s=PATIENCE_S).warn
    stand.write("met.dat", toa5(5))
    gateway.step()
    assert len(stand.log.closes()) == 1
    assert not warnings(caplog)


def test_a_description_is_read_again_now_and_then_and_before_somebody_is_alarmed(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    clock, topic = Clock(), Topic(described(OURS))
    gateway = stand.start()
    gateway.warn = Permitted(topic.load, {}, clock, PATIENCE_S).warn

    def publish(rows: int) -> int:
        stand.write("met.dat", toa5(rows))
        gateway.step()
        return topic.reads

    assert publish(1) == 1
    assert publish(2) == 1, "not for every file"
    clock.now += LOOK_AGAIN_S
    assert publish(3) == 2
    topic.says = described(OTHER)
    clock.now += LOOK_AGAIN_S
    assert publish(4) == 3
    assert len(warnings(caplog)) == 1
    topic.says = described(OTHER, OURS)
    clock.now += BEFORE_SAYING_NO_S
    assert publish(5) == 4
    assert len(warnings(caplog)) == 1, "by now it is allowed"


def test_the_first_file_is_warned_of_because_the_description_was_read_before_it(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    topic = Topic(described(OTHER))
    permitted = Permitted(topic.load, {}, Clock(), 0.0)
    permitted.begin(PATIENCE_S)
    assert topic.reads == 1
    gateway = stand.start()
    gateway.warn = permitted.warn
    stand.write("met.dat", toa5(5))
    gateway.step()
    assert len(warnings(caplog)) == 1
    assert topic.reads == 1


def test_no_file_waits_for_a_kafka_that_does_not_tell_and_what_it_tells_later_counts(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    topic, asked, tells = Topic(described(OTHER)), threading.Event(), threading.Event()
    told: list[bool] = []

    def load() -> Mapping[str, StationDescription]:
        asked.set()
        told.append(tells.wait(PATIENCE_S))
        return topic.load()

    gateway = stand.start()
    gateway.warn = Permitted(load, {}, Clock(), 0.0).warn
    try:
        for rows in range(1, 4):
            stand.write("met.dat", toa5(rows))
            gateway.step()
        assert len(stand.log.closes()) == 3
        assert asked.wait(PATIENCE_S)
        assert not told, "still being read, and only once"
    finally:
        tells.set()

    more_rows = itertools.count(4)

    def next_file_warns() -> bool:
        stand.write("met.dat", toa5(next(more_rows)))
        gateway.step()
        return bool(warnings(caplog))

    until(next_file_warns)
    assert told == [True]
    assert topic.reads == 1


def inspected(path: Path, description: Path, *more: str) -> str:
    result = CliRunner().invoke(
        inspect,
        [str(path), "--utc-offset-h", "1", "--description", str(description), *more],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        ("", None),
        (f'[[series]]\nid = "{SERIES}"\ndata_level = 0\n', None),
        ('[[series]]\nid = "EC_L99_F01"\ndata_level = 0\n', "series_not_listed"),
        (f'[[series]]\nid = "{SERIES}"\ndata_level = 2\n', "data_level_differs"),
        (
            f'[[series]]\nid = "{SERIES}"\ndata_level = 0\nvariables = [{{name = "T_air", unit = "degC"}}]\n',
            "variable_not_listed",
        ),
        (
            f'[[series]]\nid = "{SERIES}"\ndata_level = 0\nvariables = [{{name = "T_air", unit = "K"}}, '
            '{name = "RH", unit = "%"}, {name = "RECORD", unit = "RN"}]\n',
            "unit_differs",
        ),
    ],
)
def test_inspect_says_whether_a_description_allows_a_file(tmp_path: Path, series: str, reason: str | None) -> None:
    description, path = tmp_path / "station.toml", tmp_path / "met.dat"
    description.write_text(f'id = "{STATION}"\nname = "Test"\ntheme = "ecosystem"\n{series}')
    path.write_bytes(toa5(5))
    said = json.loads(inspected(path, description, "--json"))
    assert said["series"] == SERIES
    assert (said["refused"] and said["refused"]["reason"]) == reason
    assert (reason or "refused") in inspected(path, description) or reason is None


@pytest.mark.parametrize(("name", "content"), [("met.dat", toa5(5)), ("blob.bin", b"\x00" * 9)])
def test_inspect_writes_the_series_that_allow_a_file(tmp_path: Path, name: str, content: bytes) -> None:
    description, path = tmp_path / "station.toml", tmp_path / name
    head = f'id = "{STATION}"\nname = "Test"\ntheme = "ecosystem"\n[[series]]\nid = "other"\ndata_level = 0\n'
    description.write_text(head)
    path.write_bytes(content)
    assert json.loads(inspected(path, description, "--json"))["refused"]["reason"] == "series_not_listed"
    snippet = inspected(path, description, "--as-series")
    description.write_text(head + snippet)
    assert json.loads(inspected(path, description, "--json"))["refused"] is None
    assert ("T_air" in snippet) == (name == "met.dat")


def test_the_gateway_judges_the_variables_that_the_processor_finds(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    """Else it would warn of what nobody refuses."""
    stand.write("met.dat", toa5(5))
    stand.start().step()
    (batch,) = judge(stand.log).values()
    variables = tuple(SeriesVariable(name, unit) for name, unit, _ in batch.examined.variables)
    gateway = stand.start()
    gateway.warn = Permitted(Topic(described(StationSeries(SERIES, 0, variables))).load, {}, wait_s=PATIENCE_S).warn
    stand.write("met.dat", toa5(6))
    gateway.step()
    assert len(variables) == 3
    assert len(stand.log.closes()) == 2
    assert not warnings(caplog)
