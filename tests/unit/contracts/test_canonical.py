"""Canonical JSON against the examples of RFC 8785, and instants as text."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2stream.contracts.canonical import (
    EARLIEST_US,
    LATEST_US,
    MOST_WHOLE,
    canonical_json,
    canonical_sha256,
    from_iso_utc,
    iso_utc,
)


def test_the_example_of_rfc_8785_section_3_2_4() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '€$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical_json(value) == expected.encode()


def test_members_are_sorted_by_utf_16_code_units_as_rfc_8785_section_3_2_3_wants() -> None:
    keys = ["€", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "ö"]
    found = canonical_json(dict.fromkeys(keys, 0)).decode()
    assert [part.partition('"')[0] for part in found.split(":0")[:-1]] == ["{", *[","] * 6]
    order = [
        found.index(key if key != "\r" else "\\r") for key in ["\r", "1", "\u0080", "ö", "€", "\U0001f600", "\ufb33"]
    ]
    assert order == sorted(order)


def test_sha256_of_canonical_json_is_that_of_its_bytes() -> None:
    assert canonical_sha256({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_a_whole_number_that_json_readers_would_round_is_refused() -> None:
    assert canonical_json(MOST_WHOLE) == b"9007199254740991"
    with pytest.raises(ValueError, match="safe integer"):
        canonical_json(MOST_WHOLE + 1)


@pytest.mark.parametrize(
    ("instant_us", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_709_288_100_000_001, "2024-03-01T10:15:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (-50_000_000_000_000_000, "0385-07-25T07:06:40.000000Z"),
        (EARLIEST_US, "0001-01-02T00:00:00.000000Z"),
        (LATEST_US, "9999-12-31T00:00:00.000000Z"),
    ],
)
def test_an_instant_as_text(instant_us: int, text: str) -> None:
    assert iso_utc(instant_us) == text
    assert from_iso_utc(text) == instant_us


@given(st.integers(EARLIEST_US, LATEST_US))
def test_every_instant_comes_back_and_sorts_as_text(instant_us: int) -> None:
    text = iso_utc(instant_us)
    assert from_iso_utc(text) == instant_us
    assert len(text) == 27
    assert datetime.fromisoformat(text) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant_us)
    assert (iso_utc(instant_us) < iso_utc(0)) == (instant_us < 0)
