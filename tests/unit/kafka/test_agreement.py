"""What every program asks of a topic before it uses it, in one place; on a cluster that is played."""

import re
from typing import cast

import pytest
from click.testing import CliRunner

from b2stream.cli import cli
from b2stream.commands import topics as command
from b2stream.contracts import topics as contract
from b2stream.errors import ConfigurationError, Retryable
from b2stream.kafka.admin import Admin, TopicFacts
from b2stream.kafka.agreement import TopicReplaced, agreed_topic, still_agreed
from b2stream.kafka.errors import NoSuchTopic
from b2stream.programs.gateway.cluster import Cluster
from b2stream.settings import load

GOOD = {**contract.COMMITS.config(), "min.insync.replicas": "1"}


class Played:
    """Describes every topic alike."""

    def __init__(self, partitions: int = 12, **config: str) -> None:
        self.facts = TopicFacts(
            "id", partitions, GOOD | {name.replace("_", "."): text for name, text in config.items()}
        )

    def topic(self, name: str) -> TopicFacts:
        return self.facts

    def offsets_retention_ms(self) -> int:
        return 10 * contract.MEASUREMENTS_RETENTION_MS


def played(partitions: int = 12, **config: str) -> Admin:
    return cast(Admin, Played(partitions, **config))


def test_a_topic_as_agreed_is_described() -> None:
    assert agreed_topic(played(), "icos.commits", 12).topic_id == "id"


@pytest.mark.parametrize("partitions", [11, 13, 24])
def test_another_number_of_partitions_is_named_alike_everywhere(
    partitions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"icos.measurements has {partitions} partitions, kafka.partitions is 12"
    admin = played(partitions)
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        agreed_topic(admin, "icos.measurements", 12)
    settings = load(environment={}, overrides={("gateway", "station"): "SE-Htm"}).settings
    cluster = Cluster(settings, lambda _: admin)
    for ask in (lambda: cluster.check(with_receipts=False), cluster.facts):
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            ask()
    monkeypatch.setattr(command, "Admin", lambda *_: admin)
    assert said in str(CliRunner().invoke(cli, ["topics", "check"]).exception)


def test_a_topic_that_is_stamped_by_the_stations_clock_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"icos\.commits has message\.timestamp\.type=CreateTime"):
        agreed_topic(played(message_timestamp_type="CreateTime"), "icos.commits", 12)


def test_I8_a_topic_that_was_made_again_under_a_program_stops_it() -> None:
    still_agreed(played(), "icos.measurements", 12, "id")
    with pytest.raises(TopicReplaced, match=r"start it again.*icos\.measurements was old and is id"):
        still_agreed(played(), "icos.measurements", 12, "old")


def test_partitions_that_are_added_under_a_program_stop_it() -> None:
    with pytest.raises(ConfigurationError, match=r"icos\.measurements has 14 partitions, kafka\.partitions is 12"):
        still_agreed(played(14), "icos.measurements", 12, "id")


def test_a_broker_that_does_not_know_the_topic_for_a_moment_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = played()

    def unknown(_name: str) -> TopicFacts:
        raise NoSuchTopic("Kafka: unknown topic")

    monkeypatch.setattr(admin, "topic", unknown)
    with pytest.raises(Retryable, match="unknown topic"):
        still_agreed(admin, "icos.measurements", 12, "id")
    with pytest.raises(ConfigurationError, match="topics create"):
        agreed_topic(admin, "icos.measurements", 12)
