"""I9: what a station signs is frozen byte for byte, and each way in which a close is not its own has one reason code."""

import base64
import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2stream.batches.manifest import read_manifest
from b2stream.batches.signing import UnknownKey, check_origin, is_signed_by, public_key_of, sign
from b2stream.contracts.canonical import from_iso_utc
from b2stream.contracts.records import BatchClosed, Relation
from b2stream.contracts.stations import StationDescription, StationKey, key_id
from b2stream.errors import Poison
from tests.unit.batches.golden_batches import A_FILE, STREAM, manifest

# RFC 8032, section 7.1, test 1: secret and public key.
SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
OTHER_SECRET = bytes(range(32))

PRIVATE, OTHER_PRIVATE = map(Ed25519PrivateKey.from_private_bytes, (SECRET, OTHER_SECRET))
FROM_US = from_iso_utc("2024-01-01T00:00:00.000000Z")
CLOSED_US = from_iso_utc("2024-03-01T10:45:03.123000Z")
UNTIL_US = from_iso_utc("2025-01-01T00:00:00.000000Z")


def key(private: Ed25519PrivateKey, valid_from_us: int = FROM_US, valid_until_us: int | None = UNTIL_US) -> StationKey:
    public = public_key_of(private)
    return StationKey(key_id(public), base64.b64encode(public).decode(), valid_from_us, valid_until_us)


def described(station: str, *keys: StationKey) -> StationDescription:
    return StationDescription(station=station, name=station, theme="ecosystem", keys=keys)


CLOSE = replace(A_FILE.close, signature=None)
SIGNED = sign(CLOSE, PRIVATE)
STATIONS = {each.station: each for each in (described("SE-Htm", key(PRIVATE)), described("HTM", key(OTHER_PRIVATE)))}


def reason(
    close: BatchClosed,
    stations: dict[str, StationDescription] = STATIONS,
    *,
    at_us: int = CLOSED_US,
    accept_unsigned: bool = False,
) -> str | None:
    """Why the close is refused; None where it is not."""
    try:
        check_origin(close, at_us, stations, accept_unsigned=accept_unsigned)
    except Poison as refused:
        return refused.reason
    return None


def test_I9_the_signed_bytes_and_the_signature_are_frozen() -> None:
    assert public_key_of(PRIVATE) == PUBLIC
    assert SIGNED.key == "21fe31dfa154a261"
    assert SIGNED.signed_bytes().decode() == (
        "b2stream close 1\n"
        '{"attempt":"c81e728d9d4c2f636f067f89cc14862c","container_format":0,'
        '"content_digest":"bddd7a8a5e4fae7d79fc8b3d27edc7a3ea5b05b5fc9910326d9de1c17203141b","count":3,'
        '"extension":".csv","input_format":"etc-biomet","key":"21fe31dfa154a261","name":"Tag 1 ~ 100%.csv",'
        '"notes":{},"opaque_detail":null,"opaque_reason":null,"previous":null,'
        '"raw_sha256":"cf6aa7cd6b5e72bb6f32d7072cf194246857a60dd68fbb975fc9a46fc9720b1c",'
        '"raw_size_bytes":304,'
        '"relation":{"batch":"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",'
        '"kind":"replaces"},"rows":40,"schema_fingerprint":"5c04f7f9116eb30e","series":"EC_L99_F01",'
        '"series_number":2,"software":"b2stream/0.1.0","start":"2024-03-01T10:15:00.000000Z",'
        '"station":"SE-Htm","stem":"Tag%201%20%7E%20100%25","stop":"2024-03-01T10:54:00.000000Z",'
        '"supersedes":[],"window_s":1800}'
    )
    assert SIGNED.signature == (
        "KJmmZuAa1EncDPivFBgPJojRtQZzfTES5zKQZbzlkQfgxSr/cGzLlUBcTIRe2MpaoVJAfcGm3fuSKJ/Xx6NMCQ=="
    )


def test_I9_the_manifest_holds_the_signed_json_verbatim_with_key_and_signature() -> None:
    close = sign(CLOSE, PRIVATE)
    content = manifest(replace(A_FILE, close=close))
    signed = close.signed_bytes().removeprefix(b"b2stream close 1\n")
    assert b'"close":' + signed + b',"data_object":' in content
    document = json.loads(content)
    assert (document["signature"], document["close"]["key"]) == (close.signature, close.key)
    assert is_signed_by(read_manifest(content).close, key(PRIVATE))


def test_I9_the_chain_stands_in_the_manifest_so_that_a_fork_can_be_told() -> None:
    document = json.loads(manifest(STREAM))
    assert (document["close"]["series_number"], document["close"]["previous"]) == (1, "f" * 64)


def test_I9_sources_of_a_product_are_signed_and_without_any_nothing_changes() -> None:
    """What an older gateway signed, which knew no sources, gives the same bytes: the frozen ones above have no such member."""
    product = sign(replace(CLOSE, sources=("11676/one", "10.18160/two")), PRIVATE)
    assert b'"sources":["11676/one","10.18160/two"]' in product.signed_bytes()
    assert is_signed_by(product, key(PRIVATE))
    for forged in ((), ("11676/one",), ("10.18160/two", "11676/one")):
        assert not is_signed_by(replace(product, sources=forged), key(PRIVATE))
    content = manifest(replace(A_FILE, close=product))
    assert read_manifest(content).close == product
    assert b'"close":' + product.signed_bytes().removeprefix(b"b2stream close 1\n") + b"," in content


@pytest.mark.parametrize("batch", [A_FILE, STREAM])
def test_I9_a_close_that_its_station_signed_is_taken(batch: Any) -> None:
    assert reason(sign(batch.close, PRIVATE)) is None


OTHER_VALUES: dict[str, Any] = {
    "station": "HTM",
    "name": "other.csv",
    "start_us": None,
    "stop_us": 7,
    "relation": Relation("supplements", "e" * 64),
    "previous": "0" * 64,
    "supersedes": ("9" * 32,),
    "opaque_reason": "not_recognised",
    "opaque_detail": "line 1",
    "notes": {"time": "elsewhere"},
    "sources": ("11676/source",),
    "key": key(OTHER_PRIVATE).id,
}


@pytest.mark.parametrize("name", [each.name for each in fields(BatchClosed) if each.name != "signature"])
def test_I9_no_field_of_a_close_can_be_changed_unnoticed(name: str) -> None:
    value = getattr(SIGNED, name)
    other = OTHER_VALUES.get(name, value + 1 if isinstance(value, int) else f"{value}0")
    forged = replace(SIGNED, **{name: other})
    assert not is_signed_by(forged, key(PRIVATE))
    stations = {each: described(each, key(PRIVATE), key(OTHER_PRIVATE)) for each in ("SE-Htm", "HTM")}
    assert reason(forged, stations) == "signature_wrong"


CASES: dict[str, tuple[Callable[[], BatchClosed], str]] = {
    "not signed": (lambda: CLOSE, "signature_missing"),
    "a signature of nobody": (lambda: replace(SIGNED, key=None), "signature_missing"),
    "a key and no signature": (lambda: replace(SIGNED, signature=None), "signature_missing"),
    "an empty signature": (lambda: replace(SIGNED, signature=""), "signature_wrong"),
    "no base64": (lambda: replace(SIGNED, signature="*" * 88), "signature_wrong"),
    "too short": (lambda: replace(SIGNED, signature=base64.b64encode(bytes(63)).decode()), "signature_wrong"),
    "of zeros": (lambda: replace(SIGNED, signature=base64.b64encode(bytes(64)).decode()), "signature_wrong"),
    "written in another way": (lambda: replace(SIGNED, signature=f"{SIGNED.signature}\n"), "signature_wrong"),
    "of another close": (
        lambda: replace(SIGNED, signature=sign(replace(CLOSE, rows=1), PRIVATE).signature),
        "signature_wrong",
    ),
    "of another key under this one's id": (
        lambda: replace(sign(CLOSE, OTHER_PRIVATE), key=SIGNED.key),
        "signature_wrong",
    ),
    "of another station": (lambda: sign(CLOSE, OTHER_PRIVATE), "key_of_another_station"),
    "of nobody": (lambda: sign(CLOSE, Ed25519PrivateKey.from_private_bytes(bytes(32))), "unknown_key"),
}


@pytest.mark.parametrize("case", CASES)
def test_I9_each_close_that_is_not_the_stations_own_has_its_reason(case: str) -> None:
    make, expected = CASES[case]
    assert reason(make()) == expected
    assert reason(make(), accept_unsigned=True) == expected  # that setting is for stations without any key


def test_only_an_unknown_key_may_still_become_known() -> None:
    with pytest.raises(UnknownKey, match="station SE-Htm"):
        check_origin(
            sign(CLOSE, Ed25519PrivateKey.from_private_bytes(bytes(32))), CLOSED_US, STATIONS, accept_unsigned=False
        )


@pytest.mark.parametrize(
    ("at_us", "expected"),
    [
        (FROM_US - 1, "key_not_valid_yet"),
        (FROM_US, None),
        (UNTIL_US - 1, None),
        (UNTIL_US, "key_expired"),
    ],
)
def test_I9_a_key_is_judged_at_the_brokers_append_time(at_us: int, expected: str | None) -> None:
    assert reason(SIGNED, at_us=at_us) == expected


def test_I9_a_key_is_exchanged_without_a_gap() -> None:
    """Old and new overlap: whichever the gateway signs with in between, the close is taken; then the old one is over."""
    overlap_us = UNTIL_US - 86_400_000_000
    both = {"SE-Htm": described("SE-Htm", key(PRIVATE), key(OTHER_PRIVATE, overlap_us, None))}
    new = sign(CLOSE, OTHER_PRIVATE)
    assert [reason(SIGNED, both, at_us=at_us) for at_us in (overlap_us - 1, overlap_us, UNTIL_US)] == [
        None,
        None,
        "key_expired",
    ]
    assert [reason(new, both, at_us=at_us) for at_us in (overlap_us - 1, overlap_us, UNTIL_US)] == [
        "key_not_valid_yet",
        None,
        None,
    ]


@pytest.mark.parametrize("stations", [{}, {"SE-Htm": described("SE-Htm")}])
def test_I9_a_station_without_any_key_is_taken_or_refused_by_one_setting(
    stations: dict[str, StationDescription],
) -> None:
    assert reason(CLOSE, stations, accept_unsigned=True) is None
    assert reason(SIGNED, stations, accept_unsigned=True) is None  # nobody can check it; the manifest keeps it
    assert reason(CLOSE, stations) == "station_without_key"
    assert reason(SIGNED, stations) == "unknown_key"  # its key may still be registered


def test_32_bytes_that_are_no_key_verify_nothing() -> None:
    broken = StationKey("0" * 16, base64.b64encode(b"\xff" * 32).decode(), FROM_US)
    assert not is_signed_by(SIGNED, broken)
    assert not is_signed_by(SIGNED, replace(broken, public="no base64"))
