"""The AsyncAPI document says what the code does: topics, messages, headers, payloads, and who sends and receives what."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2stream import __version__
from b2stream.contracts import schemas, topics
from b2stream.contracts.envelopes import Headers, abandonment_headers, block_headers, close_headers, event_headers
from b2stream.contracts.letters import Letter, letter_headers
from b2stream.contracts.topics import Topic
from b2stream.stations.reviewed import KEY, SIGNATURE, TIME, signature_headers

FOLDER = Path(__file__).parents[3] / "schemas"
DOCUMENT: dict[str, Any] = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text(encoding="utf-8"))
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
OPERATIONS: dict[str, Any] = DOCUMENT["operations"]
ATTEMPT = "0123456789abcdef" * 2
LETTER = Letter("topic", 3, 99, "SE-Htm", "hole", "1 of 2", False, ATTEMPT, "b" * 64)


def resolve(reference: str) -> Any:
    """What a reference within the document points to."""
    assert reference.startswith("#/")
    node: Any = DOCUMENT
    for part in reference[2:].split("/"):
        node = node[part]
    return node


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [each for value in node.values() for each in references(value)]
    return [each for value in node for each in references(value)] if isinstance(node, list) else []


def headers_as_object(headers: Headers) -> dict[str, str]:
    return {name: value.decode() for name, value in headers}


def test_it_is_an_asyncapi_3_document_of_this_version_with_nothing_unknown_at_the_top() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"]["version"] == __version__
    assert set(DOCUMENT) == {
        "asyncapi",
        "id",
        "info",
        "defaultContentType",
        "servers",
        "channels",
        "operations",
        "components",
    }
    assert {"title", "version", "description", "license"} == set(DOCUMENT["info"])
    for name, operation in OPERATIONS.items():
        assert set(operation) <= {"action", "title", "summary", "channel", "messages", "tags"}, name
        assert operation["action"] in ("send", "receive")
    for name, message in MESSAGES.items():
        assert set(message) == {"name", "title", "summary", "contentType", "headers", "payload", "bindings"}, name


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)
    assert len(found) > 60
    for reference in found:
        if reference.startswith("./"):
            assert (FOLDER / reference).is_file()
        else:
            assert resolve(reference) is not None


@pytest.mark.parametrize("topic", topics.ALL, ids=lambda topic: topic.name)
def test_a_channel_is_a_topic_with_its_records_and_its_configuration(topic: Topic) -> None:
    channel = DOCUMENT["channels"][topic.name]
    assert channel["address"].format(community="icos") == topic.full_name("icos")
    payloads = [payload(resolve(each["$ref"])) for each in channel["messages"].values()]
    assert {each for each in payloads if each} == set(topic.records)
    configuration = channel["bindings"]["kafka"]["topicConfiguration"]
    ours = {**topic.config(), "cleanup.policy": [topic.config()["cleanup.policy"]]}
    assert ours.pop("message.timestamp.type") in DOCUMENT["info"]["description"]
    assert {name: value if isinstance(value, list) else str(value) for name, value in configuration.items()} == ours
    kept = "Kept for ever" if topic.retention_ms == -1 else f"Kept for {topic.retention_ms // 86_400_000} days"
    assert kept in channel["description"]


def test_there_are_no_other_channels() -> None:
    assert set(DOCUMENT["channels"]) == {topic.name for topic in topics.ALL}


def payload(message: dict[str, Any]) -> str | None:
    """Name of the record that a message's payload refers to; None where the value is whatever it was."""
    schema = message["payload"].get("schema")
    return None if schema is None else Path(schema["$ref"]).stem


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_refers_to_a_released_schema_of_its_name(name: str) -> None:
    message = MESSAGES[name]
    record = payload(message)
    if record is None:
        assert name == "DeadMessage"
        return
    assert record == name
    assert message["name"] == f"b2stream.{record}"
    assert (FOLDER / f"{record}.avsc").read_text(encoding="utf-8") == schemas.current(record).text
    assert message["payload"]["schemaFormat"].startswith("application/vnd.apache.avro;version=")


WRITTEN: dict[str, Headers] = {
    "MeasurementBlock": block_headers("SE-Htm", "s", ATTEMPT, 2**31 - 1),
    "BatchClosed": close_headers("SE-Htm", "s", ATTEMPT),
    "BatchAbandoned": abandonment_headers("SE-Htm", ATTEMPT, 7),
    "DeadMessage": letter_headers(LETTER),
    "DeadLetter": letter_headers(LETTER),
} | {
    record: event_headers(record, "id", "SE-Htm/s", source="processor")
    for record in (
        "Aggregate",
        "BatchCommitted",
        "BatchReplicated",
        "CoverageStarted",
        "OffsetsAccepted",
        "BatchRepeated",
        "FurtherLocation",
        "ObjectEvent",
    )
}
SIGNED = {TIME, KEY, SIGNATURE}  # of a description that a reviewer signed
REVIEWER = Ed25519PrivateKey.from_private_bytes(b"r" * 32)
WRITTEN["StationDescription"] = [
    *event_headers("StationDescription", "id", "SE-Htm", source="station"),
    *signature_headers(schemas.current("StationDescription").fingerprint, b"body", REVIEWER, 0),
]


@pytest.mark.parametrize("name", MESSAGES)
def test_the_headers_that_are_written_are_those_that_are_documented(name: str) -> None:
    schema = resolve(MESSAGES[name]["headers"]["$ref"])
    written = headers_as_object(WRITTEN[name])
    optional = SIGNED if name == "StationDescription" else set()
    assert set(written) == set(schema["properties"]) == set(schema["required"]) | optional
    jsonschema.validate(written, schema, cls=jsonschema.Draft7Validator)
    assert written["ce_type"] == MESSAGES[name]["name"]
    assert all(each["description"] for each in schema["properties"].values())


def test_headers_that_are_not_as_documented_would_be_noticed() -> None:
    schema = resolve(MESSAGES["MeasurementBlock"]["headers"]["$ref"])
    for wrong in ({"ce_attempt": "x"}, {"ce_sequence": "-1"}, {"ce_specversion": "0.3"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(headers_as_object(WRITTEN["MeasurementBlock"]) | wrong, schema)


def exchanged(action: str) -> set[tuple[str, str]]:
    """(topic, message) of all operations with this action; without a list of messages an operation is about all of a channel."""
    found = set()
    for operation in OPERATIONS.values():
        if operation["action"] == action:
            channel = operation["channel"]["$ref"].rpartition("/")[2]
            listed = [each["$ref"] for each in operation.get("messages", [])]
            assert all(each.startswith(f"#/channels/{channel}/messages/") for each in listed)
            names = [each.rpartition("/")[2] for each in listed] or DOCUMENT["channels"][channel]["messages"]
            found |= {(channel, name) for name in names}
    return found


def test_every_message_is_sent_by_someone_and_received_by_someone() -> None:
    every = {(name, message) for name, channel in DOCUMENT["channels"].items() for message in channel["messages"]}
    assert exchanged("send") == every
    assert exchanged("receive") == every


PROGRAMS = {"gateway", "processor", "registrar", "replicator"}


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_the_topics_a_program_is_said_to_use_are_those_its_code_names(program: str) -> None:
    said = {
        operation["channel"]["$ref"].rpartition("/")[2]
        for operation in OPERATIONS.values()
        if operation["tags"][0]["name"] in {program, "offsets"} - ({"offsets"} if program != "processor" else set())
    }
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (FOLDER.parent / "services" / "b2stream" / "programs" / program).rglob("*.py")
    )
    named = {topic.name for topic in topics.ALL if re.search(rf"\b{topic.name.upper().replace('-', '_')}\b", source)}
    assert said == named


def test_every_operation_is_of_one_program_and_explained() -> None:
    for name, operation in OPERATIONS.items():
        (tag,) = operation["tags"]
        assert tag["name"] in {*PROGRAMS, "reader", "audit", "offsets", "station"}
        assert operation["title"]
        assert operation["summary"].endswith("."), name


def test_the_documents_text_can_be_written_as_json() -> None:
    """Other tools read it as JSON: no YAML date or anchor may change its meaning."""
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT
