"""Descriptions of stations: when a key holds, how it is called, and what a new description must never do to the old one."""

import base64
import hashlib
import json
from dataclasses import replace

import pytest

from b2stream.contracts.stations import (
    Position,
    StationDescription,
    StationKey,
    key_id,
    public_bytes,
    wrong_changes,
)

FROM_US, UNTIL_US, NOW_US = 1_700_000_000_000_000, 1_800_000_000_000_000, 1_750_000_000_000_000
PUBLIC = bytes(range(32))
KEY = StationKey(key_id(PUBLIC), base64.b64encode(PUBLIC).decode(), FROM_US, None)
HTM = StationDescription(station="SE-Htm", name="Hyltemossa", theme="ecosystem", keys=(KEY,))


@pytest.mark.parametrize(
    ("until_us", "instant_us", "holds"),
    [
        (None, FROM_US - 1, False),
        (None, FROM_US, True),
        (None, 2**60, True),
        (UNTIL_US, UNTIL_US - 1, True),
        (UNTIL_US, UNTIL_US, False),
    ],
)
def test_a_key_holds_from_its_first_instant_to_before_its_last(
    until_us: int | None, instant_us: int, holds: bool
) -> None:
    assert replace(KEY, valid_until_us=until_us).holds_at(instant_us) is holds


def test_a_period_is_told_to_people() -> None:
    assert KEY.period() == "2023-11-14T22:13:20.000000Z to further notice"
    assert replace(KEY, valid_until_us=UNTIL_US).period().endswith(" to 2027-01-15T08:00:00.000000Z")


def test_a_keys_id_is_made_of_its_bytes() -> None:
    assert key_id(PUBLIC) == hashlib.sha256(PUBLIC).hexdigest()[:16] == "630dcd2966c43366"


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "AAAA", "é" * 44),
        *(base64.b64encode(bytes(size_bytes)).decode() for size_bytes in (31, 33)),
        base64.b64encode(bytes(32)).decode() + "\n",
        base64.b64encode(bytes(32)).decode()[:-2] + "B=",
    ],
)
def test_what_is_no_public_key_is_none(text: str) -> None:
    assert public_bytes(KEY.public) == PUBLIC
    assert public_bytes(text) is None


def test_a_description_finds_its_keys() -> None:
    assert HTM.key(KEY.id) == KEY
    assert HTM.key("0" * 16) is None


def test_the_json_of_a_description_has_instants_that_people_read() -> None:
    ended = replace(HTM, keys=(replace(KEY, valid_until_us=UNTIL_US),), position=Position(56.1, 13.4))
    document = json.loads(json.dumps(ended.to_json()))
    assert document["keys"] == [
        {
            "id": KEY.id,
            "public": KEY.public,
            "valid_from": "2023-11-14T22:13:20.000000Z",
            "valid_until": "2027-01-15T08:00:00.000000Z",
        }
    ]
    assert document["position"] == {"latitude": 56.1, "longitude": 13.4, "elevation_m": None}


OTHER = StationKey("0" * 16, base64.b64encode(bytes(32)).decode(), FROM_US, None)


@pytest.mark.parametrize(
    "keys",
    [
        (KEY,),
        (KEY, OTHER),
        (OTHER, KEY),
        (replace(KEY, valid_until_us=NOW_US), OTHER),
        (replace(KEY, valid_until_us=UNTIL_US),),
    ],
)
def test_keys_may_be_added_and_ended(keys: tuple[StationKey, ...]) -> None:
    assert wrong_changes(HTM, replace(HTM, name="Other", keys=keys), NOW_US) == []


def test_an_end_that_is_still_to_come_may_be_moved_or_taken_back() -> None:
    ending = replace(HTM, keys=(replace(KEY, valid_until_us=UNTIL_US),))
    for until_us in (NOW_US, UNTIL_US + 1, None):
        assert wrong_changes(ending, replace(HTM, keys=(replace(KEY, valid_until_us=until_us),)), NOW_US) == []


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (KEY, None, "never removed"),
        (KEY, OTHER, "never removed"),
        (KEY, replace(KEY, public=OTHER.public), "other bytes"),
        (KEY, replace(KEY, valid_from_us=FROM_US + 1), "began at"),
        (KEY, replace(KEY, valid_from_us=FROM_US - 1), "began at"),
        (KEY, replace(KEY, valid_until_us=NOW_US - 1), "that is past, and batches may rest on it"),
        (replace(KEY, valid_until_us=UNTIL_US), replace(KEY, valid_until_us=NOW_US - 1), "that is past, and batches"),
        (replace(KEY, valid_until_us=NOW_US - 1), KEY, "is past and cannot change"),
        (replace(KEY, valid_until_us=NOW_US - 1), replace(KEY, valid_until_us=UNTIL_US), "is past and cannot change"),
    ],
)
def test_I9_no_key_is_removed_and_the_past_of_none_is_changed(
    before: StationKey, after: StationKey | None, why: str
) -> None:
    found = wrong_changes(
        replace(HTM, keys=(before,)), replace(HTM, keys=() if after is None else (after,)), now_us=NOW_US
    )
    assert len(found) == 1
    assert why in found[0]
    assert KEY.id in found[0]
