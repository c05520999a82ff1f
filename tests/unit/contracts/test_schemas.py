"""Released schemas are frozen byte for byte, and no change may hurt old readers or old data."""

import copy
import hashlib
import io
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_many

from b2stream.contracts import schemas, topics
from b2stream.contracts.records import BatchClosed
from tests.unit.contracts.schema_evolution import differences, undocumented

FOLDER = Path(__file__).parents[3] / "schemas"
NAMES = schemas.names()
FROZEN = {
    # A released text, doc strings included, goes into archived containers: it never changes. A new schema adds a line.
    "20c053a6b35995df": "fa9815fee79741cd3f3c6916c032dc77a3624ccdf520ae5b0a207c91fc5df953",  # DeadLetter
    "26f08eb1308a9f20": "c95b7d3588a4229d11621d929a754e00fe41e8316505577d9e01d008b951a35e",  # ObjectEvent
    "3ef6894fef112806": "38681f33b9dd1a9a41a448b7916b2b5f3e3242f38a3f9515567f5160a47de175",  # BatchAbandoned
    "3b9aa98f3a26c9f6": "86a235c2c61178455e34dd8b5c77c6f5ce6e7b26618021f6031bbd4d591a1ac2",  # BatchCommitted, with copies
    "41efcc4aed7f3c14": "b393e48d109aaa6802119ea115797be638d40d649e450e631ee0827e4d214cc2",  # BatchClosed
    "44561b6e376b8066": "c6fa2cf9b8295e03445f200e61b9ad54fe66e60519845b912c3f6467bdc15bca",  # BatchCommitted, with who
    "49d08606186e4fe6": "cfc9a54cf6691f02941e24d787d29ee1e2d879fb434112fef46d94cd648ee36a",  # BatchClosed, with sources
    "5c04f7f9116eb30e": "2578a0636b7e98b7b532ef7574c17842187c93cd21f0527d90f0e618850af0fb",  # MeasurementBlock
    "5ecd276371c1bcc2": "690fa8762c9d7979153ac7f5182b59b284e56d49340a7133c2c0607b967b8fcc",  # FurtherLocation
    "5f35e7efe3f1e41e": "c7b7bb7fbb65974e6a5baa1f262d986e05266e2ece787f28dc3cde81bfd1f663",  # BatchCommitted
    "602c40e187b4e470": "9277ae53157e688ef4840130ad8467bbea0499180f900e4a29cd447032de3af8",  # Aggregate
    "86521777217936c2": "3a2cba1afece2700ec13e2453396cfbc5c5d1c57fb485b7ed79924015ce15aa3",  # BatchReplicated, with copies
    "92a280a613c32692": "201a1463d0036774f09d39183c18e47a95d8ee3c3d66dbb120855f6b2fe99548",  # BatchReplicated, with who
    "a9664aa688b69e8e": "4d30eb823ea8657c66e9c273fa2a110379dc286d0e175b1eaa1230af4e974293",  # OffsetsAccepted
    "a9d0c74a6e3f2da6": "67052ef6e424b890e2c02a4a70a4a858f02ec01d872bf26130acd07f6821dcff",  # CoverageStarted
    "c8fdfc4b6c0607eb": "6964a4cc56df32ecfc114490cfb515d42f64f5c75f97edb18e32096ceb319427",  # StationDescription
    "ce0bf7e419298f47": "4dc1a115d69b460496c819a55bb390ac408adc1ef93b84c1842648e542a2f8b7",  # DeadBlock
    "e99c6b622d80a18f": "d14d670e1cbf3c176a193fe8ad72ba3414b63f809c204e206c983a3758cd4397",  # BatchReplicated
    "f59e572db5d585af": "5509929c2317f7390f400c51f17a03d57b912332ca7dda6590b210a7f8264d2c",  # BatchRepeated
}


def test_released_texts_are_frozen_byte_for_byte() -> None:
    found = {
        code: hashlib.sha256((FOLDER / "released" / f"{code}.avsc").read_bytes()).hexdigest()
        for code in schemas.released_fingerprints()
    }
    assert found == FROZEN


@pytest.mark.parametrize("code", schemas.released_fingerprints())
def test_a_released_file_is_named_after_its_own_fingerprint(code: str) -> None:
    assert schemas.released(code).fingerprint == code


@pytest.mark.parametrize("name", NAMES)
def test_the_current_text_is_released_byte_for_byte_doc_strings_included(name: str) -> None:
    current = schemas.current(name)
    assert (FOLDER / f"{name}.avsc").read_bytes() == (FOLDER / "released" / f"{current.fingerprint}.avsc").read_bytes()
    assert current.text == (FOLDER / f"{name}.avsc").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_record_and_field_is_documented(name: str) -> None:
    assert json.loads(schemas.current(name).text)["doc"].endswith(".")
    assert undocumented(schemas.current(name).text) == []


@pytest.mark.parametrize("name", NAMES)
def test_old_readers_and_old_data_survive_the_current_schema(name: str) -> None:
    releases = [schemas.released(code) for code in schemas.released_fingerprints()]
    same_name = [release for release in releases if release.name == name]
    assert same_name
    for release in same_name:
        assert differences(release.text, schemas.current(name).text) == []
        assert unreadable(release.text, schemas.current(name).text) == []


def test_a_replica_event_holds_the_commit_event_of_today() -> None:
    inside = json.loads(schemas.current("BatchReplicated").text)["fields"][0]["type"]
    assert inside == json.loads(schemas.current("BatchCommitted").text)


def test_fields_that_an_older_gateway_did_not_sign_are_known() -> None:
    """A close that an older release signed must give the same bytes today: its later fields are left out at their default."""
    today = {field["name"] for field in json.loads(schemas.current("BatchClosed").text)["fields"]}
    for release in map(schemas.released, schemas.released_fingerprints()):
        if release.name == "BatchClosed":
            assert today - {field["name"] for field in json.loads(release.text)["fields"]} <= BatchClosed.ADDED_LATER


def test_every_record_is_on_a_topic_or_in_the_archive() -> None:
    on_topics = [record for topic in topics.ALL for record in topic.records]
    assert len(on_topics) == len(set(on_topics))
    assert set(NAMES) - set(on_topics) == {"DeadBlock"}  # the container of a dead batch


def unreadable(old_text: str, new_text: str) -> list[str]:
    """Data written with one schema that fastavro cannot read with the other, in both directions."""
    found = []
    for writer_text, reader_text in ((old_text, new_text), (new_text, old_text)):
        writer, reader = schemas.parse(writer_text).parsed, schemas.parse(reader_text).parsed
        random.seed(1)
        for value in generate_many(writer, 40):
            out = io.BytesIO()
            fastavro.schemaless_writer(out, writer, value)
            try:
                read: Any = fastavro.schemaless_reader(io.BytesIO(out.getvalue()), writer, reader)
                if not _agree(value, read):
                    found.append(f"{value} became {read}")
            except Exception as error:
                found.append(repr(error))
    return found


def _agree(written: Any, read: Any) -> bool:
    """Whether what both know is equal."""
    if isinstance(written, dict) and isinstance(read, dict):
        return all(_agree(written[name], read[name]) for name in written.keys() & read.keys())
    if isinstance(written, list) and isinstance(read, list):
        return len(written) == len(read) and all(map(_agree, written, read))
    return repr(written) == repr(read)


def change(name: str, edit: Callable[[dict[str, Any], list[Any]], object]) -> tuple[str, str]:
    """The current text, and the text with an edit of (fields by name, list of fields)."""
    text = schemas.current(name).text
    declared = copy.deepcopy(json.loads(text))
    edit({field["name"]: field for field in declared["fields"]}, declared["fields"])
    return text, json.dumps(declared)


def without(name: str) -> Callable[[dict[str, Any], list[Any]], object]:
    return lambda by_name, fields: fields.remove(by_name[name])


def with_field(**field: Any) -> Callable[[dict[str, Any], list[Any]], object]:
    return lambda by_name, fields: fields.append(field)


def typed(name: str, new_type: Any) -> Callable[[dict[str, Any], list[Any]], object]:
    return lambda by_name, fields: by_name[name].update(type=new_type)


def _relation_symbols(symbols: list[str]) -> Callable[[dict[str, Any], list[Any]], object]:
    return lambda by_name, fields: by_name["relation"]["type"][1]["fields"][0]["type"].update(symbols=symbols)


@pytest.mark.parametrize(
    ("edit", "why", "data_shows_it"),
    [
        (without("station"), "BatchClosed.station: was removed", True),
        (with_field(name="operator", type="string"), "BatchClosed.operator: was added without a default", True),
        (typed("count", "string"), "BatchClosed.count: long became string", True),
        (typed("count", "int"), "BatchClosed.count: long became int", True),
        (typed("count", "double"), "BatchClosed.count: long became double", True),
        (typed("name", "string"), "BatchClosed.name: union became string", True),
        (typed("stem", ["null", "string"]), "BatchClosed.stem: string became union", True),
        (typed("previous", ["null", "string", "long"]), "BatchClosed.previous: 2 branches became 3", True),
        (typed("start", ["null", "long"]), "timestamp-micros became no logical type", False),
        (
            typed("start", ["null", {"type": "long", "logicalType": "timestamp-millis"}]),
            "timestamp-micros became timestamp-millis",
            False,
        ),
        (typed("notes", {"type": "map", "values": "long"}), r"notes\[\]: string became long", True),
        (typed("supersedes", {"type": "array", "items": "bytes"}), r"supersedes\[\]: string became bytes", True),
        (_relation_symbols(["replaces"]), "symbols .* became", True),
        (_relation_symbols(["replaces", "supplements", "retracts"]), "symbols .* became", True),
        (_relation_symbols(["supplements", "replaces"]), "symbols .* became", False),
        (lambda by_name, fields: by_name["rows"].update(name="lines"), "rows: was removed", True),
        (lambda by_name, fields: by_name["window_s"].update(default=600), "window_s: its default changed", False),
        (lambda by_name, fields: by_name["window_s"].pop("default"), "window_s: its default changed", False),
    ],
)
def test_a_change_that_someone_could_not_survive_is_refused(
    edit: Callable[[dict[str, Any], list[Any]], object], why: str, data_shows_it: bool
) -> None:
    old, new = change("BatchClosed", edit)
    assert re.search(why, "\n".join(differences(old, new)))
    assert differences(new, old), "in the other direction too"
    assert bool(unreadable(old, new)) == data_shows_it


@pytest.mark.parametrize(
    "edit",
    [
        with_field(name="operator", type=["null", "string"], default=None, doc="Who was there."),
        without("software"),
        lambda by_name, fields: by_name["rows"].update(doc="Other words."),
        lambda by_name, fields: fields.reverse(),
    ],
)
def test_a_change_that_all_survive_is_allowed(edit: Callable[[dict[str, Any], list[Any]], object]) -> None:
    old, new = change("BatchClosed", edit)
    assert differences(old, new) == []
    assert unreadable(old, new) == []
