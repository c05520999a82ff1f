"""Our registry client on a real registry. Opt-in by B2STREAM_TEST_REGISTRY=1: it brings 109 MB the first time.

Registered once, known to every program, kept FULL compatible, and still there after a kill.
"""

import io
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest

from b2stream.contracts import schemas
from b2stream.contracts.framing import Framing, UnknownSchemaId
from b2stream.contracts.schemas import Schema
from b2stream.errors import ConfigurationError, Retryable
from b2stream.registry import Registry, framing_from
from b2stream.settings import load
from tests.integration.registry.apicurio import Apicurio
from tests.waiting import until

pytestmark = pytest.mark.skipif(
    os.environ.get("B2STREAM_TEST_REGISTRY") != "1", reason="set B2STREAM_TEST_REGISTRY=1: brings a registry of 109 MB"
)
RECORDS = [name for name in schemas.names() if name != "DeadBlock"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    made = Apicurio(tmp_path_factory.mktemp("apicurio"))
    made.start()
    yield made
    made.kill()


def framing(url: str, community: str) -> Framing:
    environment = {"B2STREAM_KAFKA_REGISTRY_URL": url, "B2STREAM_GENERAL_COMMUNITY": community}
    return framing_from(load(environment=environment).settings)


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.parametrize("name", RECORDS)
def test_every_schema_is_registered_and_read_back_by_another_program(
    registry: Apicurio, community: str, name: str
) -> None:
    schema = schemas.current(name)
    value = framing(registry.url, community).frame(schema, b"body")
    assert value[0] == 0
    framed = framing(registry.url, community).unframe(value)
    assert (framed.schema.text, bytes(framed.body)) == (schema.text, b"body")


def test_a_schema_keeps_its_id_and_its_subject_is_full_compatible(registry: Apicurio, community: str) -> None:
    schema = schemas.current("MeasurementBlock")
    one, other = Registry(registry.url, community), Registry(registry.url, community)
    assert one.id_of(schema) == other.id_of(schema)
    subject = one.subject("MeasurementBlock")
    assert ask(f"{registry.url}/subjects/{subject}/versions") == [1]
    assert ask(f"{registry.url}/config/{subject}")["compatibilityLevel"] == "FULL"


def test_a_change_that_old_readers_cannot_survive_is_refused_by_the_registry_too(
    registry: Apicurio, community: str
) -> None:
    Registry(registry.url, community).id_of(schemas.current("BatchAbandoned"))
    declared = json.loads(schemas.current("BatchAbandoned").text)
    declared["fields"].append({"name": "operator", "type": "string"})
    changed: Schema = schemas.parse(json.dumps(declared))
    with pytest.raises(ConfigurationError, match="the registry refuses this schema"):
        Registry(registry.url, community).id_of(changed)


def test_an_id_that_it_does_not_know_is_poison(registry: Apicurio, community: str) -> None:
    with pytest.raises(UnknownSchemaId, match="40403"):
        framing(registry.url, community).unframe(b"\x00\x7f\xff\xff\xff")


def test_another_avro_client_reads_our_message_with_the_registrys_text(registry: Apicurio, community: str) -> None:
    """What Confluent's deserializer does, step by step: the id, the text, the body."""
    schema = schemas.current("BatchAbandoned")
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema.parsed, {"station": "HTM", "attempt": "0" * 32, "last_offset": 7})
    value = framing(registry.url, community).frame(schema, body.getvalue())
    text = ask(f"{registry.url}/schemas/ids/{int.from_bytes(value[1:5], 'big')}")["schema"]
    parsed = fastavro.parse_schema(json.loads(text))
    assert fastavro.schemaless_reader(io.BytesIO(value[5:]), parsed, None) == {
        "station": "HTM",
        "attempt": "0" * 32,
        "last_offset": 7,
    }


@pytest.mark.parametrize("storage", ["file", "kafka"])
def test_while_it_is_dead_everything_waits_and_afterwards_it_knows_everything_still(
    tmp_path: Path, community: str, kafka_bootstrap: str, storage: str
) -> None:
    own = Apicurio(tmp_path, kafka_bootstrap if storage == "kafka" else None)
    own.start()
    try:
        writer = framing(own.url, community)
        value = until(lambda: writer.frame(schemas.current("BatchClosed"), b"body"))  # a cold one takes its time
        own.kill()
        reader = framing(own.url, community)
        with pytest.raises(Retryable):
            reader.unframe(value)
        own.start()
        assert until(lambda: bytes(reader.unframe(value).body)) == b"body"
    finally:
        own.kill()
