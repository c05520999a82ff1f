"""`b2stream station publish`: what it signs, what it publishes once more, and what it refuses before Kafka hears of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from b2stream.commands import station as command
from b2stream.contracts import schemas
from b2stream.contracts.envelopes import Headers
from b2stream.contracts.framing import Framed, Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.stations import StationDescription
from b2stream.errors import ConfigurationError
from b2stream.settings import variable
from b2stream.stations.files import read_description
from b2stream.stations.keys import load_key, make_key
from b2stream.stations.known import KnownStations
from b2stream.stations.reviewed import Reviewers
from tests.unit.stations.test_known import NOW_US, Topic, message
from tests.unit.stations.test_latest import signed
from tests.unit.stations.test_reviewed import public

LONG_AFTER_US = 2 * NOW_US  # by the clock of whoever signed before


@dataclass
class Published:
    """What Kafka holds, and what it was given."""

    holds: list[LogMessage] = field(default_factory=list)
    given: list[tuple[StationDescription, Headers]] = field(default_factory=list)

    def publish(
        self,
        settings: object,
        framing: object,
        descriptions: list[StationDescription],
        timeout_s: float,
        sign: Callable[[str, bytes], Headers],
    ) -> None:
        fingerprint = schemas.current("StationDescription").fingerprint
        self.given += [(each, sign(fingerprint, each.to_body())) for each in descriptions]


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Published:
    made = Published()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "publish_descriptions", made.publish)

    def of(settings: Any, *_: object) -> KnownStations:
        return KnownStations(lambda: Topic(*made.holds), Framing(), reviewers=Reviewers.of(settings))

    monkeypatch.setattr(KnownStations, "of", of)
    for name in ("reviewer", "other"):
        make_key(tmp_path / name)
    key = CliRunner().invoke(command.station, ["keygen", "htm.key"]).stdout
    (tmp_path / "htm.toml").write_text(f'id = "SE-Htm"\nname = "Hyltemossa"\ntheme = "ecosystem"\n{key}')
    return made


def publish(*words: str, reviewers: str = "") -> Result:
    environment = {variable("general", "reviewer_keys"): reviewers}
    return CliRunner().invoke(command.station, ["publish", "htm.toml", *words], env=environment)


def ours() -> StationDescription:
    return read_description(Path("htm.toml"))


def reviewer() -> str:
    """The reviewer's public key."""
    return public(load_key(Path("reviewer")))


def test_what_a_reviewer_publishes_is_signed_and_believed(kafka: Published) -> None:
    done = publish("--sign-with", "reviewer", reviewers=reviewer())
    assert done.exit_code == 0, done.exception
    ((description, headers),) = kafka.given
    assert description == ours()
    framed = Framed(schemas.current("StationDescription"), memoryview(description.to_body()))
    assert Reviewers([reviewer()]).signed_at_us(dict(headers), framed) > 0


def test_what_is_there_already_is_signed_once_more(kafka: Published) -> None:
    kafka.holds = [message(ours())]
    assert "is published already" in publish().stdout
    assert not kafka.given
    assert publish("--sign-with", "reviewer").stdout == "SE-Htm: published (htm.toml)\n"
    assert len(kafka.given) == 1


def test_a_clock_that_is_behind_the_last_reviewers_makes_no_old_signature(kafka: Published) -> None:
    kafka.holds = [signed(ours(), by=load_key(Path("reviewer")), at_us=LONG_AFTER_US)]
    publish("--sign-with", "reviewer", reviewers=reviewer())
    ((description, headers),) = kafka.given
    framed = Framed(schemas.current("StationDescription"), memoryview(description.to_body()))
    assert Reviewers([reviewer()]).signed_at_us(dict(headers), framed) == LONG_AFTER_US + 1


def test_where_a_forgery_lies_on_top_the_right_one_is_published_again(kafka: Published) -> None:
    kafka.holds = [message(ours()), message(replace(ours(), keys=()))]
    assert publish().stdout == "SE-Htm: published (htm.toml)\n"
    assert [each for each, _ in kafka.given] == [ours()]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "say --sign-with"),
        (("--sign-with", "other"), "other: its public key is not in general.reviewer_keys"),
        (("--sign-with", "nowhere"), "nowhere: No such file"),
    ],
)
def test_what_nobody_would_believe_is_not_published(kafka: Published, words: tuple[str, ...], why: str) -> None:
    refused = publish(*words, reviewers=reviewer())
    assert isinstance(refused.exception, ConfigurationError)
    assert why in str(refused.exception)
    assert not kafka.given
