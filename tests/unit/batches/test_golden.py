"""The bytes of a container, a manifest and a summary are frozen; `golden_batches` says how they are made and how to make them again."""

import base64
import hashlib
import io
import json
from dataclasses import replace

import fastavro
import pytest

from b2stream.batches.container import container_chunks, container_size, sync_marker
from b2stream.batches.examining import Examined
from b2stream.batches.identity import batch_id, id24, irods_checksum, sha256_hex
from b2stream.batches.manifest import batch_of, build_manifest, paths_of, read_manifest
from b2stream.batches.summary import SummaryBuilder
from b2stream.contracts import schemas
from b2stream.contracts.canonical import canonical_json, iso_utc
from b2stream.errors import DamagedObject
from tests.unit.batches.golden_batches import A_FILE, FOLDER, IN_LOG, STREAM, container, manifest, rows

CONTAINER_SHA256 = "226f86648c0059464a2f54ef171e03b0d25184e73dcabe9bdc228c37c770137b"


def test_the_bytes_of_a_container_are_frozen() -> None:
    found = container()
    assert found == (FOLDER / "stream.avro").read_bytes()
    assert hashlib.sha256(found).hexdigest() == CONTAINER_SHA256
    # "Obj" 1; two items: 10 letters, 4 letters, 11 letters, 2259 letters
    assert found[:35].hex(" ") == (
        "4f 62 6a 01 04 14 61 76 72 6f 2e 63 6f 64 65 63 08 6e 75 6c 6c 16 61 76 72 6f 2e 73 63 68 65 6d 61 a6 23"
    )
    assert found[-16:].hex(" ") == "d4 9e 88 42 8f 01 18 38 92 90 58 c0 8c 04 74 66"


def test_the_sync_marker_is_the_hash_of_station_series_and_start() -> None:
    expected = hashlib.sha256(b"SE-Htm\0EC_L99_F01\x001709288100000000").digest()[:16]
    assert sync_marker("SE-Htm", "EC_L99_F01", 1_709_288_100_000_000) == expected
    assert container().count(expected) == 4  # behind the header and behind each of three blocks


def test_any_avro_reader_opens_the_container_and_finds_the_released_text_with_its_doc_strings() -> None:
    reader = fastavro.reader(io.BytesIO(container()))
    assert reader.metadata == {"avro.codec": "null", "avro.schema": schemas.current("MeasurementBlock").text}
    assert "seconds after start" in reader.metadata["avro.schema"]
    found = list(reader)
    assert [len(record["offsets"]) for record in found] == [15, 15, 10]
    values = [value for record in found for value in record["variables"][1]["values"]]
    assert values == rows().variables[1].values.tolist()


def test_each_message_is_one_avro_block() -> None:
    assert [block.num_records for block in fastavro.block_reader(io.BytesIO(container()))] == [1, 1, 1]


def test_the_size_of_a_container_is_known_before_it_is_made() -> None:
    schema = schemas.current("MeasurementBlock")
    for bodies in ([], [b""], [b"x" * 63, b"x" * 64, b"x" * 8_191, b"x" * 8_192], [bytes(3_000_000)]):
        chunks = container_chunks(schema, "HTM", "s", 0, bodies)
        assert container_size(schema, map(len, bodies)) == sum(map(len, chunks))


@pytest.mark.parametrize(("batch", "name"), [(STREAM, "stream"), (A_FILE, "file")], ids=["stream", "file"])
def test_the_bytes_of_a_manifest_are_frozen(batch: object, name: str) -> None:
    found = manifest(STREAM if name == "stream" else A_FILE)
    assert found.decode() == (FOLDER / f"{name}.manifest.json").read_text(encoding="utf-8")
    assert found == canonical_json(json.loads(found))


def test_the_bytes_of_a_summary_are_frozen() -> None:
    builder = SummaryBuilder(1_800)
    builder.take(rows())
    expected = (
        '{"omitted":null,"rule":1,"window_s":1800,"windows":[{"rows":15,"start":"2024-03-01T10:00:00.000000Z",'
        '"variables":[{"count":13,"max":410.5,"mean":410.221154,"min":410,"name":"CO2","sd":0.185080544,'
        '"unit":"µmol mol-1"},{"count":15,"max":284.666667,"mean":282.333333,"min":280,"name":"T_SONIC",'
        '"sd":1.49071198,"unit":"K"}]},{"rows":25,"start":"2024-03-01T10:30:00.000000Z","variables":[{"count":22,'
        '"max":410.5,"mean":410.255682,"min":410,"name":"CO2","sd":0.170246988,"unit":"µmol mol-1"},{"count":25,'
        '"max":293,"mean":289,"min":285,"name":"T_SONIC","sd":2.45326691,"unit":"K"}]}]}'
    )
    assert canonical_json(builder.summary().to_json(iso_utc)).decode() == expected


def test_batch_id_and_id24_are_frozen() -> None:
    raw_sha256 = "0fb094fd481358334950b83d683e1bfd51f7c7c2f7b0bc1fb33a1f1f0a6a4cf1"
    expected = hashlib.sha256(f'["SE-Htm","EC_L99_F01","Tag%201","{raw_sha256}"]'.encode()).hexdigest()
    assert batch_id("SE-Htm", "EC_L99_F01", "Tag%201", raw_sha256) == expected
    assert expected == "b86b3f72f0a4247d406cbadf9b86b06693cb2d06838ebc728e7cb37dc404d178"
    assert id24(raw_sha256) == "D7CU_UgTWDNJULg9aD4b_VH3"
    assert irods_checksum(raw_sha256) == "sha2:D7CU/UgTWDNJULg9aD4b/VH3x8L3sLwfszofHwpqTPE="
    assert sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_identity_is_station_series_name_and_content_and_nothing_else() -> None:
    close = A_FILE.close
    for same in (
        replace(close, attempt="9" * 32, series_number=99, start_us=0, content_digest="0" * 64, count=1, relation=None),
        replace(close, schema_fingerprint="0" * 16, rows=1, software="b2stream/9"),
    ):
        assert batch_of(same) == batch_of(close)
    for other in (
        replace(close, station="HTM"),
        replace(close, series="files"),
        replace(close, stem="other"),
        replace(close, extension=".other"),  # one content under two extensions lies at two paths: two batches
        replace(close, raw_sha256="0" * 64),
    ):
        assert batch_of(other) != batch_of(close)


@pytest.mark.parametrize("batch", [STREAM, A_FILE], ids=["stream", "file"])
def test_a_manifest_says_again_what_went_into_it(batch: object) -> None:
    sent = STREAM if batch is STREAM else A_FILE
    found = read_manifest(manifest(sent))
    assert (found.close, found.log, found.batch) == (sent.close, IN_LOG, batch_of(sent.close))
    assert found.document["data_object"]["path"] == paths_of(sent.close).data_object
    builder = SummaryBuilder(1_800)
    builder.take(rows())
    assert found.summary() == builder.summary()


def test_a_manifest_names_the_data_object_where_it_lies() -> None:
    examined = Examined(SummaryBuilder(1_800).summary(), [], [])
    document = json.loads(build_manifest(A_FILE.close, examined, IN_LOG, "SE-Htm/EC_L99_F01/2024/02/elsewhere.csv"))
    assert document["data_object"]["path"] == "SE-Htm/EC_L99_F01/2024/02/elsewhere.csv"


def broken(**changes: object) -> bytes:
    document = json.loads(manifest(A_FILE))
    for name, value in changes.items():
        member, _, inner = name.partition("__")
        if inner:
            document[member][inner] = value
        elif value is None:
            del document[member]
        else:
            document[member] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        manifest(A_FILE)[:-1],
        broken(batch=None),
        broken(batch="0" * 64),
        broken(close=None),
        broken(close=[]),
        broken(close__station="HTM"),
        broken(close__start="yesterday"),
        broken(close__count=-1),
        broken(close__window_s="1800"),
        broken(close__raw_sha256="x"),
        broken(signature=None),
        broken(data_object=None),
        broken(data_object__sha256="0" * 64),
        broken(data_object__size_bytes=1),
        broken(log=None),
        broken(log__blocks=[[1]]),
        broken(log__closed_at=5),
    ],
    ids=lambda content: repr(content[:30]),
)
def test_what_is_no_manifest_or_contradicts_itself_is_a_damaged_object(content: bytes) -> None:
    with pytest.raises(DamagedObject):
        read_manifest(content)


def test_base64_of_the_carbon_portals_rule_has_no_character_that_a_path_minds() -> None:
    seen = "".join(id24(hashlib.sha256(bytes([number])).hexdigest()) for number in range(256))
    assert set(seen) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert base64.urlsafe_b64decode(id24("ab" * 32)) == bytes.fromhex("ab" * 18)
