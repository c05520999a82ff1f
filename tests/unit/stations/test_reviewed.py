"""I9: where reviewers are named, a description counts that one of them signed; a signature holds for one time, schema and body."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2stream.batches.signing import public_key_of
from b2stream.contracts import schemas
from b2stream.contracts.canonical import iso_utc
from b2stream.contracts.framing import Framed
from b2stream.errors import ConfigurationError
from b2stream.settings import Settings, load
from b2stream.stations.reviewed import KEY, SIGNATURE, SIGNED_PREFIX, TIME, NotReviewed, Reviewers, signature_headers
from tests.unit.stations.test_known import HTM, NOR, NOW_US

REVIEWER, SECOND, NOBODY = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (101, 102, 103))
SCHEMA = schemas.current("StationDescription")
BODY = HTM.to_body()


def public(private: Ed25519PrivateKey) -> str:
    """As it stands in the setting."""
    return base64.b64encode(public_key_of(private)).decode()


REVIEWERS = Reviewers([public(REVIEWER), public(SECOND)])


def headers(private: Ed25519PrivateKey = REVIEWER) -> dict[str, bytes]:
    return dict(signature_headers(SCHEMA.fingerprint, BODY, private, NOW_US))


@pytest.mark.parametrize("private", [REVIEWER, SECOND])
def test_each_reviewer_is_believed_and_the_time_is_theirs(private: Ed25519PrivateKey) -> None:
    assert REVIEWERS.signed_at_us(headers(private), Framed(SCHEMA, memoryview(BODY))) == NOW_US
    assert REVIEWERS.has(private)
    assert not REVIEWERS.has(NOBODY)


@pytest.mark.parametrize("missing", [TIME, KEY, SIGNATURE])
def test_I9_what_is_not_signed_is_not_reviewed(missing: str) -> None:
    found = headers()
    del found[missing]
    with pytest.raises(NotReviewed, match="not signed"):
        REVIEWERS.signed_at_us(found, Framed(SCHEMA, memoryview(BODY)))


OTHER_SCHEMA = schemas.current("BatchClosed")


@pytest.mark.parametrize(
    ("changes", "framed", "why"),
    [
        (headers(NOBODY), Framed(SCHEMA, memoryview(BODY)), "not in general.reviewer_keys"),
        ({SIGNATURE: headers(SECOND)[SIGNATURE]}, Framed(SCHEMA, memoryview(BODY)), "is not that of key"),
        ({TIME: iso_utc(NOW_US + 1).encode()}, Framed(SCHEMA, memoryview(BODY)), "is not that of key"),
        ({SIGNATURE: b"\xff nonsense"}, Framed(SCHEMA, memoryview(BODY)), "is not that of key"),
        ({SIGNATURE: b""}, Framed(SCHEMA, memoryview(BODY)), "is not that of key"),
        ({KEY: b"\xff\xfe"}, Framed(SCHEMA, memoryview(BODY)), "not in general.reviewer_keys"),
        ({}, Framed(SCHEMA, memoryview(NOR.to_body())), "is not that of key"),
        ({}, Framed(SCHEMA, memoryview(BODY[:-1])), "is not that of key"),
        ({}, Framed(OTHER_SCHEMA, memoryview(BODY)), "is not that of key"),
    ],
    ids=[
        "somebody else's",
        "under another's name",
        "another time",
        "nonsense",
        "empty",
        "no text",
        "another",
        "cut",
        "schema",
    ],
)
def test_I9_a_signature_holds_for_one_key_time_schema_and_body(
    changes: dict[str, bytes], framed: Framed, why: str
) -> None:
    with pytest.raises(NotReviewed, match=why):
        REVIEWERS.signed_at_us(headers() | changes, framed)


def test_a_time_that_is_none_is_not_reviewed_even_where_it_is_signed() -> None:
    signature = REVIEWER.sign(SIGNED_PREFIX + b"soon\n" + SCHEMA.fingerprint.encode() + b"\n" + BODY)
    found = headers() | {TIME: b"soon", SIGNATURE: base64.b64encode(signature)}
    with pytest.raises(NotReviewed):
        REVIEWERS.signed_at_us(found, Framed(SCHEMA, memoryview(BODY)))


def test_the_setting_names_them_and_without_it_nobody_has_to_sign() -> None:
    assert Reviewers.of(Settings()) is None
    named = load(environment={"B2STREAM_GENERAL_REVIEWER_KEYS": f" {public(REVIEWER)}  {public(SECOND)} "}).settings
    found = Reviewers.of(named)
    assert found is not None
    assert found.has(REVIEWER)
    assert found.has(SECOND)


def test_a_text_that_is_no_key_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"general\.reviewer_keys: bm9uZQ==: not 32 bytes in base64"):
        Reviewers([public(REVIEWER), "bm9uZQ=="])


@pytest.mark.parametrize("text", ["none", "bm9uZQ==", "$KEY", "two" + public(REVIEWER)])
def test_a_setting_that_is_no_list_of_keys_stops_a_program_at_its_start(text: str) -> None:
    """Else an audit would go on without any station's keys, as before there were any."""
    with pytest.raises(ConfigurationError, match=r"general\.reviewer_keys|B2STREAM_GENERAL_REVIEWER_KEYS"):
        load(environment={"B2STREAM_GENERAL_REVIEWER_KEYS": text})
