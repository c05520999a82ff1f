"""Framing: single-object encoding without a registry, Confluent's with one; readers take both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2stream.contracts import schemas
from b2stream.contracts.framing import Framing, UnknownSchemaId
from b2stream.contracts.schemas import Schema
from b2stream.errors import Poison, Retryable

BLOCK = schemas.current("MeasurementBlock")
CLOSE = schemas.current("BatchClosed")
EMPTY_64 = 0xC15D213AA4D7A795


def crc_64_avro(data: bytes) -> int:
    """The fingerprint as the Avro 1.12 specification prints it, "Schema Fingerprints"."""
    table = []
    for number in range(256):
        fingerprint = number
        for _ in range(8):
            fingerprint = (fingerprint >> 1) ^ (EMPTY_64 & -(fingerprint & 1))
        table.append(fingerprint)
    fingerprint = EMPTY_64
    for byte in data:
        fingerprint = (fingerprint >> 8) ^ table[(fingerprint ^ byte) & 0xFF]
    return fingerprint


def test_single_object_encoding_is_the_mark_and_the_fingerprint_little_endian() -> None:
    canonical = b'{"name":"b2stream.BatchAbandoned","type":"record","fields":[{"name":"station","type":"string"},'
    canonical += b'{"name":"attempt","type":"string"},{"name":"last_offset","type":"long"}]}'
    header = Framing().header(schemas.current("BatchAbandoned"))
    assert header == b"\xc3\x01" + crc_64_avro(canonical).to_bytes(8, "little")


def test_a_frame_comes_apart_again_without_a_copy() -> None:
    value = Framing().frame(BLOCK, b"body")
    framed = Framing().unframe(value)
    assert framed.schema.fingerprint == BLOCK.fingerprint
    assert bytes(framed.body) == b"body"
    assert framed.body.obj is value


def test_a_reader_takes_both_forms_by_the_first_byte() -> None:
    with_registry = Framing(text_by_id={7: CLOSE.text}.__getitem__, id_of=lambda schema: 7)
    value = with_registry.frame(CLOSE, b"body")
    assert value == b"\x00\x00\x00\x00\x07body"
    for frame in (value, Framing().frame(CLOSE, b"body")):
        framed = with_registry.unframe(frame)
        assert (framed.schema.fingerprint, bytes(framed.body)) == (CLOSE.fingerprint, b"body")


def test_with_a_registry_too_the_frozen_text_goes_into_containers() -> None:
    """A registry may hand the text back with other spaces and without doc strings; the fingerprint is the same."""
    import json

    squeezed = json.dumps(json.loads(BLOCK.text), separators=(",", ":"))
    framing = Framing(text_by_id=lambda number: squeezed)
    assert framing.unframe(b"\x00\x00\x00\x00\x01").schema.text == BLOCK.text


def test_a_registry_is_asked_once_for_an_id() -> None:
    asked: list[int] = []

    def text_by_id(number: int) -> str:
        asked.append(number)
        return BLOCK.text

    framing = Framing(text_by_id=text_by_id)
    for _ in range(3):
        framing.unframe(b"\x00\x00\x00\x00\x09x")
    assert asked == [9]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", "unknown_schema"),
        ('{"type": "nonsense"}', "unknown_schema"),
        ('"string"', "unknown_schema"),
        # A record of our name, but of no release: an array of null would be read for ever.
        (
            '{"type": "record", "name": "MeasurementBlock", "namespace": "b2stream", "fields": '
            '[{"name": "x", "type": {"type": "array", "items": "null"}}]}',
            "unknown_schema",
        ),
    ],
)
def test_I10_a_schema_of_no_release_is_poison_whatever_the_registry_says(text: str, reason: str) -> None:
    with pytest.raises(Poison) as caught:
        Framing(text_by_id=lambda number: text).unframe(b"\x00\x00\x00\x00\x01" + b"\x80" * 9 + b"\x01\x00")
    assert caught.value.reason == reason


def test_only_a_definite_unknown_is_poison() -> None:
    def nobody_answers(number: int) -> str:
        raise Retryable("the registry does not answer")

    with pytest.raises(Retryable):
        Framing(text_by_id=nobody_answers).unframe(b"\x00\x00\x00\x00\x01")
    with pytest.raises(UnknownSchemaId, match="no registry is configured"):
        Framing().unframe(b"\x00\x00\x00\x00\x01")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty_value"),
        (b"", "empty_value"),
        (b"\xc3", "not_avro"),
        (b"\xc3\x01" + bytes(7), "not_avro"),
        (b"\xc3\x02" + bytes(8), "not_avro"),
        (b"\x00\x00\x00\x00", "not_avro"),
        (b"Obj\x01", "not_avro"),
        (b"\xc3\x01" + bytes(8), "unknown_schema"),
    ],
)
def test_a_value_that_is_not_framed_is_poison(value: bytes | None, reason: str) -> None:
    with pytest.raises(Poison) as caught:
        Framing().unframe(value)
    assert caught.value.reason == reason


@given(st.binary(max_size=64))
def test_any_bytes_are_framed_or_poison(value: bytes) -> None:
    try:
        schema: Schema | None = Framing().unframe(value).schema
    except Poison:
        schema = None
    assert schema is None or schema.fingerprint in schemas.released_fingerprints()


@pytest.mark.parametrize(
    "code", ["", "../BatchClosed", "/etc/passwd", "a" * 5000, "\0", BLOCK.fingerprint.upper(), f"{BLOCK.fingerprint}/"]
)
def test_a_fingerprint_that_is_none_names_no_file(code: str) -> None:
    with pytest.raises(Poison) as caught:
        schemas.released(code)
    assert caught.value.reason == "unknown_schema"
