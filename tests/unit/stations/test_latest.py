"""I9: what the topic of stations says is not believed because it stands there: keys are never taken away by anybody who may write to it,
and where reviewers are named, nothing counts that they did not sign, or that is older than what they signed last."""

import logging
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2stream.contracts import schemas
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.stations import StationDescription, StationKey
from b2stream.stations.latest import Latest
from b2stream.stations.reviewed import signature_headers
from tests.unit.stations.test_known import HTM, NOR, NOW_US, key, message
from tests.unit.stations.test_reviewed import NOBODY, REVIEWER, REVIEWERS

ATTACKERS = key(66)
BOTH = replace(HTM, keys=(key(1), key(3)))
DAY_US = 86_400_000_000


def fed(*messages: LogMessage, into: Latest | None = None) -> Latest:
    """What is known after these messages, in this order in one partition."""
    latest = into or Latest(Framing())
    for offset, each in enumerate(messages):
        latest.take(replace(each, offset=offset))
    return latest


def signed(description: StationDescription, by: Ed25519PrivateKey = REVIEWER, at_us: int = NOW_US) -> LogMessage:
    fingerprint = schemas.current("StationDescription").fingerprint
    return replace(message(description), headers=signature_headers(fingerprint, description.to_body(), by, at_us))


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ((), "is missing"),
        ((ATTACKERS,), "is missing"),
        ((replace(key(1), public=ATTACKERS.public), ATTACKERS), "has other bytes"),
        ((replace(key(1), valid_from_us=1),), "began at"),
        ((key(1, NOW_US - DAY_US),), "cannot end at"),
    ],
    ids=["no key", "the attacker's key alone", "other bytes under its id", "another begin", "ended in the past"],
)
def test_I9_no_message_takes_a_key_away_or_changes_its_past(
    keys: tuple[StationKey, ...], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        latest = fed(message(HTM), message(NOR), message(replace(HTM, keys=keys)))
    assert dict(latest.descriptions) == {"SE-Htm": HTM, "SE-Nor": NOR}
    assert latest.version == 2
    assert set(latest.refused) == {"SE-Htm"}
    assert why in latest.refused["SE-Htm"]
    assert "icos.stations[0] offset 2, station 'SE-Htm': what was known stays" in caplog.text


def test_I9_a_key_that_ended_does_not_come_back() -> None:
    ended = replace(HTM, keys=(key(1, NOW_US - 2 * DAY_US), key(3)))
    latest = fed(message(ended), message(BOTH))
    assert latest.descriptions["SE-Htm"] == ended
    assert "that is past and cannot change" in latest.refused["SE-Htm"]


def test_keys_are_added_and_ended_in_the_future_as_ever() -> None:
    ending = replace(HTM, keys=(key(1, NOW_US + 1), key(3)))
    assert fed(message(HTM), message(BOTH), message(ending)).descriptions["SE-Htm"] == ending


def test_a_key_may_end_now_although_the_clocks_of_publisher_and_broker_differ() -> None:
    ending = replace(HTM, keys=(key(1, NOW_US - 600_000_000), key(3)))
    latest = fed(message(BOTH), message(ending))
    assert latest.descriptions["SE-Htm"] == ending
    assert not latest.refused


def test_the_right_description_ends_the_alarm() -> None:
    latest = fed(message(HTM), message(replace(HTM, keys=(ATTACKERS,))), message(HTM))
    assert not latest.refused
    assert latest.version == 1


def test_a_station_that_is_removed_stays_known_and_is_told() -> None:
    latest = fed(message(HTM), message(None, "SE-Htm"))
    assert dict(latest.descriptions) == {"SE-Htm": HTM}
    assert "removes the station" in latest.refused["SE-Htm"]


def test_what_is_read_again_from_the_beginning_changes_nothing() -> None:
    latest = fed(message(HTM), message(BOTH))
    fed(message(HTM), message(BOTH), message(NOR), into=latest)
    assert dict(latest.descriptions) == {"SE-Htm": BOTH, "SE-Nor": NOR}
    assert latest.version == 3
    assert not latest.refused


def test_a_topic_that_was_made_anew_is_read_and_must_not_take_keys_away_either() -> None:
    latest = fed(message(HTM), message(BOTH))
    later_us = NOW_US + DAY_US
    fed(replace(message(HTM), appended_at_us=later_us), into=latest)
    assert latest.descriptions["SE-Htm"] == BOTH
    assert set(latest.refused) == {"SE-Htm"}
    more = replace(BOTH, name="Hyltemossa 2")
    latest.take(replace(message(more), offset=1, appended_at_us=later_us))
    assert latest.descriptions["SE-Htm"] == more


def test_each_partition_is_counted_for_itself() -> None:
    latest = fed(message(HTM), message(HTM))
    latest.take(replace(message(NOR), partition=1))
    assert set(latest.descriptions) == {"SE-Htm", "SE-Nor"}


def test_I10_rubbish_under_ever_other_keys_fills_no_memory() -> None:
    latest = fed(*(message(b"rubbish", f"XX-{number:0200d}") for number in range(1_200)))
    assert len(latest.refused) <= 1_000
    assert max(map(len, latest.refused)) <= 100


@pytest.mark.parametrize(
    "forged",
    [
        message(replace(HTM, keys=(key(1), ATTACKERS))),
        signed(replace(HTM, keys=(key(1), ATTACKERS)), by=NOBODY),
        replace(signed(HTM), value=message(replace(HTM, keys=(key(1), ATTACKERS))).value),
        replace(signed(NOR, at_us=NOW_US + 1), key=b"SE-Htm"),
    ],
    ids=["not signed", "signed by somebody else", "another's signature", "under another station's key"],
)
def test_I9_where_reviewers_are_named_nobody_else_adds_a_key(forged: LogMessage) -> None:
    latest = fed(signed(HTM), forged, into=Latest(Framing(), REVIEWERS))
    assert dict(latest.descriptions) == {"SE-Htm": HTM}
    assert set(latest.refused) == {"SE-Htm"}


def test_I9_where_reviewers_are_named_the_first_description_must_be_theirs_too() -> None:
    forged = replace(HTM, keys=(ATTACKERS,))
    assert not fed(message(forged), into=Latest(Framing(), REVIEWERS)).descriptions
    latest = fed(message(forged), signed(HTM), into=Latest(Framing(), REVIEWERS))
    assert dict(latest.descriptions) == {"SE-Htm": HTM}
    assert not latest.refused


def test_I9_what_a_reviewer_signed_earlier_is_not_believed_when_it_is_sent_again() -> None:
    first, second = signed(BOTH), signed(replace(BOTH, keys=(key(1), key(3, NOW_US + DAY_US))), at_us=NOW_US + 1)
    latest = fed(first, second, first, into=Latest(Framing(), REVIEWERS))
    assert latest.descriptions["SE-Htm"].keys[1].valid_until_us == NOW_US + DAY_US, "the key ends all the same"
    assert "it was signed at 2026-" in latest.refused["SE-Htm"]
    assert latest.signed_at_us == NOW_US + 1


def test_without_reviewers_a_signature_is_not_asked_for() -> None:
    latest = fed(message(HTM), signed(BOTH, by=NOBODY))
    assert latest.descriptions["SE-Htm"] == BOTH
    assert latest.signed_at_us == 0
