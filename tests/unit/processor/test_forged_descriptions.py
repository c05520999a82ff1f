"""I9: who may write to the topic of stations too, but reviews nothing, gives no station a key: from the description to the archive."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.stations.latest import Latest
from tests.unit.processor.harness import APPENDED_US, Deployment
from tests.unit.processor.signers import NEW, OURS, described
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.unit.processor.virtual_time import run
from tests.unit.stations.test_known import message
from tests.unit.stations.test_latest import signed
from tests.unit.stations.test_reviewed import NOBODY, REVIEWERS

Deploy = Callable[..., Deployment]
ONE, TWO = attempt_name(1), attempt_name(2)
ATTACKER = NEW
TRUE = described("SE-Htm", OURS.key())
THEIRS_ALONE, BESIDE = described("SE-Htm", ATTACKER.key()), described("SE-Htm", OURS.key(), ATTACKER.key())


def attacked(deploy: Deploy, latest: Latest, *messages: LogMessage) -> Deployment:
    """What became of the attacker's batch and of the station's own, with what these messages leave known."""
    for offset, each in enumerate(messages):
        latest.take(replace(each, offset=offset))
    deployment = deploy(unsigned="refuse", unknown_key_s=0.0)
    deployment.stations = latest  # type: ignore[assignment]
    deployment.now_us = APPENDED_US + 60_000_000

    async def scenario() -> None:
        forged, genuine = StationBatch(content=(b"forged",)), StationBatch(number=2)
        deployment.send(ATTACKER.sent(forged, ONE), OURS.sent(genuine, TWO))
        await deployment.running().settle()

    run(scenario())
    return deployment


def test_I9_a_description_with_the_attackers_key_alone_neither_lets_him_in_nor_shuts_the_station_out(
    deploy: Deploy,
) -> None:
    deployment = attacked(deploy, Latest(Framing()), message(TRUE), message(THEIRS_ALONE))
    assert [event.attempt for event in deployment.events()] == [TWO]
    assert {(each.attempt, each.reason) for each in deployment.letters()} == {(ONE, "unknown_key")}


@pytest.mark.parametrize("forged", [THEIRS_ALONE, BESIDE], ids=["instead of the station's", "beside the station's"])
@pytest.mark.parametrize("how", [message, lambda it: signed(it, by=NOBODY)], ids=["not signed", "signed by himself"])
@pytest.mark.parametrize("is_first", [True, False], ids=["after compaction", "after the true one"])
def test_I9_where_reviewers_are_named_no_description_of_his_counts(
    deploy: Deploy, forged: object, how: Callable[[object], LogMessage], is_first: bool
) -> None:
    messages = [how(forged), signed(TRUE)] if is_first else [signed(TRUE), how(forged)]
    deployment = attacked(deploy, Latest(Framing(), REVIEWERS), *messages)
    assert [event.attempt for event in deployment.events()] == [TWO]
    assert {(each.attempt, each.reason) for each in deployment.letters()} == {(ONE, "unknown_key")}


def test_without_reviewers_a_key_that_was_added_is_believed_as_the_documentation_says(deploy: Deploy) -> None:
    """The limit that docs/trust.md names: should this ever be refused, that sentence goes."""
    deployment = attacked(deploy, Latest(Framing()), message(TRUE), message(BESIDE))
    assert {event.attempt for event in deployment.events()} == {ONE, TWO}
