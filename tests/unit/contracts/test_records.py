"""Records: Avro there and back, the bytes that a station signs, and closes that no station can mean."""

import dataclasses
import io
import json
from dataclasses import replace
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2stream.contracts import schemas
from b2stream.contracts.canonical import LATEST_US
from b2stream.contracts.framing import Framed
from b2stream.contracts.records import (
    Aggregate,
    BatchAbandoned,
    BatchClosed,
    BatchCommitted,
    BatchRepeated,
    BatchReplicated,
    CoverageStarted,
    DeadLetter,
    FurtherLocation,
    ObjectEvent,
    OffsetsAccepted,
    Record,
    Relation,
)
from b2stream.contracts.stations import Position, SeriesVariable, StationDescription, StationKey, StationSeries
from b2stream.errors import Poison

CLOSE = BatchClosed(
    station="SE-Htm",
    series="EC_L99_F01",
    stem="day",
    extension=".csv",
    name="day.csv",
    attempt="0" * 32,
    count=3,
    rows=36_000,
    start_us=1_709_288_100_000_000,
    stop_us=1_709_289_899_950_000,
    container_format=0,
    schema_fingerprint="5c04f7f9116eb30e",
    content_digest="c" * 64,
    raw_sha256="d" * 64,
    raw_size_bytes=3_189_167,
    relation=Relation("replaces", "e" * 64),
    series_number=7,
    previous="f" * 64,
    supersedes=("1" * 32,),
    input_format="etc-eddy-covariance",
    notes={"time": "end of the half hour, from the name"},
    software="b2stream/0.1.0",
)
COMMIT = BatchCommitted(
    batch="b" * 64,
    station="SE-Htm",
    series="EC_L99_F01",
    stem="day",
    name="day.csv",
    id24="3d3d3d3d3d3d3d3d3d3d3d3d",
    rows=36_000,
    start_us=None,
    stop_us=None,
    input_format="opaque",
    container_format=0,
    centre="csc",
    url="irods://csc:1247/zone/day.csv",
    path="SE-Htm/EC_L99_F01/undated/day~3d3d3d3d3d3d.csv",
    size_bytes=9,
    sha256="d" * 64,
    manifest_path="SE-Htm/EC_L99_F01/undated/day~3d3d3d3d3d3d.csv.manifest.json",
    manifest_size_bytes=8,
    manifest_sha256="a" * 64,
    content_digest="c" * 64,
    series_number=7,
    attempt="0" * 32,
    topic_id="xBUJ0zq9S3mZ1n2y3w4v5A",
    partition=3,
    close_offset=99,
    closed_at_us=1_709_289_900_123_000,
    committed_at_us=1_709_289_901_000_000,
    software="b2stream/0.1.0",
)
EVERY: list[Record] = [
    CLOSE,
    replace(CLOSE, name=None, start_us=None, stop_us=None, relation=None, previous=None, supersedes=(), notes={}),
    BatchAbandoned(station="HTM", attempt="0" * 32, last_offset=2**40),
    COMMIT,
    replace(COMMIT, relation=Relation("supplements", "e" * 64), supersedes=("1" * 32, "2" * 32), pid="21.T1/x"),
    replace(COMMIT, who="b2stream@csc-1", theme="ecosystem", data_level=0),
    BatchReplicated(commit=COMMIT, centre="fzj", url="irods://fzj/day", replicated_at_us=1, software="s"),
    BatchReplicated(commit=COMMIT, centre="fzj", url="irods://fzj/day", replicated_at_us=1, software="s", who="me@fzj"),
    Aggregate(
        batch="b" * 64,
        station="HTM",
        series="s",
        rule=1,
        window_s=1800,
        windows=[
            {
                "start": 1_709_287_200_000_000,
                "rows": 3,
                "variables": [
                    {"name": "CO2", "unit": "ppm", "count": 1, "mean": 4.1, "sd": None, "min": 4.1, "max": 4.1}
                ],
            }
        ],
    ),
    DeadLetter(
        station="HTM",
        attempt="0" * 32,
        path=".dead/x",
        blocks=1,
        size_bytes=2,
        sha256="a" * 64,
        first_offset=3,
        last_offset=4,
    ),
    CoverageStarted(group="g", topic_id="t", partition=1, offset=2, append_time_us=None),
    CoverageStarted(group="g", topic_id="t", partition=1, offset=2, append_time_us=1_709_289_900_123_000),
    OffsetsAccepted(group="g", topic_id="t", partition=1, first_lost=2, next=9, who="w", why="y"),
    BatchRepeated(
        batch="b" * 64,
        station="HTM",
        series="s",
        series_number=1,
        close="{}",
        topic_id="t",
        partition=0,
        close_offset=1,
    ),
    FurtherLocation(
        pid="21.T1/x",
        sha256="d" * 64,
        registered_url="irods://csc/a",
        batch="b" * 64,
        station="HTM",
        series="s",
        centre="csc",
        url="irods://csc/b",
        replica_centre="fzj",
        replica_url="irods://fzj/b",
    ),
    ObjectEvent(
        event="fixity check",
        outcome="fail",
        batch="b" * 64,
        station="HTM",
        path="HTM/s/2024/03/f~x.csv",
        centre="csc",
        at_us=1_709_289_900_123_000,
        sha256="a" * 64,
        size_bytes=7,
        detail="other bytes",
        who="someone@somewhere",
        software="b2stream-scrub 0.1.0",
    ),
    StationDescription(station="26NA", name="Nuka Arctica", theme="ocean"),
    StationDescription(
        station="SE-Htm",
        name="Hyltemossa",
        theme="ecosystem",
        position=Position(56.09763, 13.41897, 115.0),
        utc_offset_h=1.0,
        keys=(StationKey("0" * 16, "AA==", 1, None), StationKey("1" * 16, "AA==", -5, 1_709_289_900_123_000)),
        series=(StationSeries("EC_L99_F01", 0, (SeriesVariable("CO2", "µmol mol-1"), SeriesVariable("flag"))),),
    ),
]


def framed(record: Record) -> Framed:
    return Framed(schemas.current(record.SCHEMA), memoryview(record.to_body()))


@pytest.mark.parametrize("record", EVERY, ids=lambda record: record.SCHEMA)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    assert type(record).from_framed(framed(record)) == record


def test_every_schema_of_a_topic_has_its_record() -> None:
    assert {record.SCHEMA for record in EVERY} == set(schemas.names()) - {"MeasurementBlock", "DeadBlock"}


@pytest.mark.parametrize("record", EVERY, ids=lambda record: record.SCHEMA)
def test_the_schemas_fields_are_the_attributes_and_their_defaults_agree(record: Record) -> None:
    declared = {field["name"]: field for field in json.loads(schemas.current(record.SCHEMA).text)["fields"]}
    attributes = {each.name.removesuffix("_us"): each for each in dataclasses.fields(record)}
    assert list(declared) == list(attributes)
    for name, field in declared.items():
        instant = "timestamp-micros" in json.dumps(field["type"]) and name not in ("commit", "windows", "keys")
        assert attributes[name].name.endswith("_us") == instant
        ours = attributes[name]
        if "default" in field and ours.default is not dataclasses.MISSING:
            assert ours.default == (tuple(field["default"]) if isinstance(field["default"], list) else field["default"])


@pytest.mark.parametrize("record", EVERY, ids=lambda record: record.SCHEMA)
def test_another_reader_sees_instants_as_instants(record: Record) -> None:
    """Any Avro reader takes the frozen text as it stands, logical types included."""
    schema = fastavro.parse_schema(json.loads(schemas.current(record.SCHEMA).text))
    value: Any = fastavro.schemaless_reader(io.BytesIO(record.to_body()), schema, None)
    if isinstance(record, BatchClosed) and record.start_us is not None:
        assert value["start"].isoformat() == "2024-03-01T10:15:00+00:00"
    assert isinstance(value, dict)


@pytest.mark.parametrize("record", EVERY, ids=lambda record: record.SCHEMA)
@given(data=st.data())
def test_I11_cut_off_or_altered_bytes_are_poison_or_a_record_and_nothing_else(
    record: Record, data: st.DataObject
) -> None:
    body = bytearray(record.to_body())
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(body)) | st.just(len(body)))
    view = memoryview(bytes(body[:end]))
    try:
        read = type(record).from_framed(Framed(schemas.current(record.SCHEMA), view))
    except Poison as poison:
        reason = poison.reason
    else:
        reason = "read"
        if isinstance(read, BatchClosed):
            read.signed_bytes()
    assert reason in ("read", "damaged_avro", "bad_close")


def test_a_commit_event_of_an_older_release_says_neither_who_nor_theme_nor_level() -> None:
    older = schemas.released("3b9aa98f3a26c9f6")
    out = io.BytesIO()
    fastavro.schemaless_writer(out, older.parsed, replace(COMMIT, who="me@csc", theme="ocean", data_level=2).to_avro())
    assert BatchCommitted.from_framed(Framed(older, memoryview(out.getvalue()))) == COMMIT


def test_a_replica_event_of_an_older_release_says_who_in_neither_of_its_records() -> None:
    older = schemas.released("86521777217936c2")
    copy = BatchReplicated(commit=COMMIT, centre="fzj", url="irods://fzj/day", replicated_at_us=1, software="s")
    told = replace(copy, who="me@fzj", commit=replace(COMMIT, who="me@csc"))
    out = io.BytesIO()
    fastavro.schemaless_writer(out, older.parsed, told.to_avro())
    assert BatchReplicated.from_framed(Framed(older, memoryview(out.getvalue()))) == copy


def test_bytes_behind_a_record_and_another_record_are_poison() -> None:
    schema = schemas.current("BatchClosed")
    with pytest.raises(Poison, match="1 bytes too many"):
        BatchClosed.from_framed(Framed(schema, memoryview(CLOSE.to_body() + b"\0")))
    with pytest.raises(Poison, match="BatchClosed where BatchCommitted is expected"):
        BatchCommitted.from_framed(framed(CLOSE))


def test_the_bytes_that_a_station_signs_are_frozen() -> None:
    expected = (
        b"b2stream close 1\n"
        b'{"attempt":"00000000000000000000000000000000","container_format":0,'
        b'"content_digest":"' + b"c" * 64 + b'","count":3,"extension":".csv","input_format":"etc-eddy-covariance",'
        b'"key":null,"name":"day.csv","notes":{"time":"end of the half hour, from the name"},"opaque_detail":null,'
        b'"opaque_reason":null,"previous":"' + b"f" * 64 + b'","raw_sha256":"' + b"d" * 64 + b'",'
        b'"raw_size_bytes":3189167,"relation":{"batch":"' + b"e" * 64 + b'","kind":"replaces"},"rows":36000,'
        b'"schema_fingerprint":"5c04f7f9116eb30e","series":"EC_L99_F01","series_number":7,"software":"b2stream/0.1.0",'
        b'"start":"2024-03-01T10:15:00.000000Z","station":"SE-Htm","stem":"day","stop":"2024-03-01T10:44:59.950000Z",'
        b'"supersedes":["11111111111111111111111111111111"],"window_s":1800}'
    )
    assert CLOSE.signed_bytes() == expected


def test_I9_the_signature_is_not_part_of_what_is_signed_and_everything_else_is() -> None:
    assert replace(CLOSE, signature="c2ln").signed_bytes() == CLOSE.signed_bytes()
    others: dict[str, Any] = {
        "relation": None,
        "supersedes": (),
        "notes": {},
        "name": None,
        "key": "k",
        "opaque_reason": "r",
    }
    for each in dataclasses.fields(CLOSE):
        value = getattr(CLOSE, each.name)
        other = others.get(each.name, value + 1 if isinstance(value, int) else f"{value}x")
        if each.name not in ("signature", "start_us", "stop_us"):
            assert replace(CLOSE, **{each.name: other}).signed_bytes() != CLOSE.signed_bytes(), each.name
    assert replace(CLOSE, start_us=0).signed_bytes() != CLOSE.signed_bytes()


def test_I9_a_field_of_a_later_release_does_not_change_what_an_older_gateway_signed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BatchClosed, "ADDED_LATER", frozenset({"key", "sources"}))
    assert "key" not in CLOSE.to_json()
    assert replace(CLOSE, key="2026").to_json()["key"] == "2026"
    assert BatchClosed.from_json(CLOSE.to_json()) == CLOSE


@pytest.mark.parametrize("close", [each for each in EVERY if isinstance(each, BatchClosed)])
def test_a_close_comes_back_from_its_json(close: BatchClosed) -> None:
    assert BatchClosed.from_json(json.loads(json.dumps(close.to_json()))) == close
    assert BatchClosed.from_json(close.to_json(), "c2ln") == replace(close, signature="c2ln")


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempt": "../../escape"},
        {"sources": ("no pid",)},
        {"sources": ("11676/one", "11676")},
        {"sources": tuple(f"11676/{number:0200d}" for number in range(400))},
        {"count": -1},
        {"count": 2**40},
        {"rows": -1},
        {"rows": 2**53},
        {"start_us": None},
        {"stop_us": None},
        {"start_us": LATEST_US + 1},
        {"stop_us": -(2**63)},
        {"schema_fingerprint": "../BatchClosed"},
        {"content_digest": "C" * 64},
        {"raw_sha256": "d" * 63},
        {"raw_sha256": "not hexadecimal"},
        {"raw_size_bytes": -1},
        {"raw_size_bytes": 2**53},
        {"relation": Relation("replaces", "x")},
        {"series_number": -1},
        {"series_number": 2**53},
        {"previous": ""},
        {"supersedes": ("x",)},
        {"window_s": 0},
        {"window_s": -1800},
        {"window_s": 86_401},
    ],
    ids=repr,
)
def test_a_close_that_no_station_can_mean_is_poison_and_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(Poison, match=f"{next(iter(wrong)).removesuffix('_us')}") as caught:
        BatchClosed.from_framed(framed(replace(CLOSE, **wrong)))
    assert caught.value.reason == "bad_close"
