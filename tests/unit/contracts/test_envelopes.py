"""Headers: CloudEvents in binary mode with ids that are the same each time; what is no envelope is poison."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2stream.contracts.envelopes import (
    Envelope,
    Headers,
    abandonment_headers,
    block_headers,
    close_headers,
    event_headers,
    is_attempt,
    read_envelope,
)
from b2stream.contracts.letters import Letter, letter_headers, read_letter
from b2stream.contracts.topics import DEAD_LETTER_EXTRA_BYTES
from b2stream.errors import Poison

ATTEMPT = "0123456789abcdef0123456789abcdef"


def test_the_headers_of_a_block_are_cloudevents_1_0_for_kafka() -> None:
    assert block_headers("SE-Htm", "EC_L99_F01", ATTEMPT, 12) == [
        ("content-type", b"application/avro"),
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{ATTEMPT}/12".encode()),
        ("ce_source", b"b2stream/SE-Htm"),
        ("ce_type", b"b2stream.MeasurementBlock"),
        ("ce_subject", b"SE-Htm/EC_L99_F01"),
        ("ce_attempt", ATTEMPT.encode()),
        ("ce_sequence", b"12"),
    ]


@pytest.mark.parametrize(
    ("headers", "identity"),
    [
        (close_headers("HTM", "s", ATTEMPT), f"{ATTEMPT}/close"),
        (abandonment_headers("HTM", ATTEMPT, 77), f"{ATTEMPT}/abandoned/77"),
        (event_headers("BatchCommitted", "batch-id", "HTM/s", source="processor"), "batch-id"),
    ],
)
def test_sending_a_record_twice_has_one_id(headers: Headers, identity: str) -> None:
    assert dict(headers)["ce_id"] == identity.encode()


@pytest.mark.parametrize(
    ("headers", "envelope"),
    [
        (block_headers("HTM", "s", ATTEMPT, 0), Envelope("MeasurementBlock", ATTEMPT, 0)),
        (block_headers("HTM", "s", ATTEMPT, 2**31 - 1), Envelope("MeasurementBlock", ATTEMPT, 2**31 - 1)),
        (close_headers("HTM", "s", ATTEMPT), Envelope("BatchClosed", ATTEMPT, None)),
        (abandonment_headers("HTM", ATTEMPT, 3), Envelope("BatchAbandoned", ATTEMPT, None)),
    ],
)
def test_an_envelope_comes_back(headers: Headers, envelope: Envelope) -> None:
    assert read_envelope(headers) == envelope


def altered(**changes: bytes | None) -> Headers:
    headers: dict[str, bytes | None] = {**dict(block_headers("HTM", "s", ATTEMPT, 1)), **changes}
    return [(name, value) for name, value in headers.items() if value is not None]


@pytest.mark.parametrize(
    "headers",
    [
        None,
        [],
        altered(ce_type=None),
        altered(ce_type=b"\xff"),
        altered(ce_attempt=None),
        altered(ce_attempt=b""),
        altered(ce_attempt=b"../../etc/passwd"),
        altered(ce_attempt=ATTEMPT.upper().encode()),
        altered(ce_attempt=ATTEMPT.encode() + b"\n"),
        altered(ce_attempt="٠".encode() * 32),
        altered(ce_sequence=None),
        altered(ce_sequence=b""),
        altered(ce_sequence=b"-1"),
        altered(ce_sequence=b"+1"),
        altered(ce_sequence=b" 1"),
        altered(ce_sequence=b"1_0"),
        altered(ce_sequence="²".encode()),
        altered(ce_sequence=b"2147483648"),
        altered(ce_sequence=b"9" * 5000),
    ],
)
def test_headers_that_are_no_envelope_are_poison(headers: Headers | None) -> None:
    with pytest.raises(Poison) as caught:
        read_envelope(headers)
    assert caught.value.reason == "bad_headers"


@given(st.lists(st.tuples(st.sampled_from(["ce_type", "ce_attempt", "ce_sequence"]), st.binary(max_size=40))))
def test_any_headers_are_an_envelope_or_poison(headers: Headers) -> None:
    try:
        envelope = read_envelope(headers)
    except Poison:
        return
    assert is_attempt(envelope.attempt)


LETTER = Letter("topicid", 3, 99, "SE-Htm", "hole", "2 of 3 blocks are here", False, ATTEMPT, "ab" * 32)


def test_a_letters_id_is_the_place_of_the_message_it_stands_for() -> None:
    assert dict(letter_headers(LETTER))["ce_id"] == b"topicid/3/99"


@given(st.text(), st.text(max_size=300), st.booleans())
def test_a_letter_comes_back_from_its_headers(station: str, detail: str, poison: bool) -> None:
    letter = Letter("topicid", 0, 2**60, station, "hole", detail, poison)
    found = read_letter(letter_headers(letter))
    assert found is not None
    assert (found.detail, found.poison, found.offset) == (detail, poison, 2**60)
    assert found.station == station[: len(found.station)]


def test_a_letter_survives_text_that_is_no_utf_8() -> None:
    found = read_letter(letter_headers(Letter("t", 0, 0, "HTM", "bad_name", "file \udcff.csv", True)))
    assert found is not None
    assert found.detail.startswith("file ")


def test_I10_the_headers_of_a_letter_fit_into_what_its_topic_allows_more() -> None:
    """The station may be the key of a message that means harm, as long as a message can be."""
    letter = Letter("t" * 22, 9999, 2**62, "å" * 500_000, "r" * 100, "🌲" * 100_000, True, ATTEMPT, "b" * 64)
    size_bytes = sum(len(name) + len(value) + 16 for name, value in letter_headers(letter))
    assert size_bytes < DEAD_LETTER_EXTRA_BYTES / 2


@pytest.mark.parametrize("broken", [None, [], [("b2stream_partition", b"x")], letter_headers(LETTER)[:-1]])
def test_headers_that_are_no_letters_give_none(broken: Headers | None) -> None:
    assert read_letter(broken) is None
