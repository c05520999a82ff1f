"""The events on Kafka by plain confluent-kafka and fastavro: commits, replicas, dead letters, repeated closes."""

import io
import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import fastavro
from confluent_kafka import Consumer, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from fastavro.schema import fingerprint, to_parsing_canonical_form

from .plan import CannotCheck, Centre, Kafka

ANSWER_S = 15.0
READ_S = 120.0
SINGLE_OBJECT = b"\xc3\x01"  # Avro 1.12, "Single-object encoding"; then eight bytes of fingerprint


@dataclass
class Events:
    """All that the event topics hold. Commit and replica events are dictionaries as their schemas say, and when Kafka had them."""

    commits: list[dict[str, Any]] = field(default_factory=list)
    replicas: list[dict[str, Any]] = field(default_factory=list)
    letters: list[dict[str, str]] = field(default_factory=list)  # the headers of each, without `b2stream_`
    repeats: list[dict[str, Any]] = field(default_factory=list)
    dead_closes: list[dict[str, Any]] = field(default_factory=list)  # closes that became letters, as their schema says
    accepted: list[dict[str, Any]] = field(default_factory=list)  # ranges of the log that someone accepted as lost
    dead_batches: list[dict[str, Any]] = field(default_factory=list)  # letters that each stand for an object of blocks


def read(kafka: Kafka) -> Events:
    """Read all topics from begin to end. Raises CannotCheck."""
    schemas = _schemas(kafka.schemas)
    events = Events()
    for message in _messages(kafka, "commits"):
        events.commits.append(_record(message, schemas))
    for message in _messages(kafka, "replicas"):
        events.replicas.append(_record(message, schemas))
    for message in _messages(kafka, "dead-letters"):
        headers: Any = message.headers() or []
        letter = {name.removeprefix("b2stream_"): (value or b"").decode("utf-8", "replace") for name, value in headers}
        letter["appended_s"] = str(message.timestamp()[1] / 1000)
        events.letters.append(letter)
        record = _what_died(message, schemas)
        if {"series_number", "content_digest"} <= record.keys():
            events.dead_closes.append(record)
        elif {"path", "first_offset", "last_offset"} <= record.keys():  # it stands for the blocks in that object
            letter["dead_batch"] = str(record["path"])
            events.dead_batches.append(record)
    for message in _messages(kafka, "events"):
        record = _record(message, schemas)
        if {"series_number", "close"} <= record.keys():
            events.repeats.append(record)
        elif {"first_lost", "next"} <= record.keys():
            events.accepted.append(record)
    return events


def measurements_id(kafka: Kafka) -> str:
    """The id of the topic of measurements, as manifests name the log that they come from. Raises CannotCheck."""
    name = f"{kafka.community}.measurements"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 2})
    try:
        asked = admin.describe_topics(TopicCollection([name]), request_timeout=ANSWER_S)[name]
        return str(asked.result(timeout=2 * ANSWER_S).topic_id)
    except (KafkaException, TimeoutError) as error:
        raise CannotCheck(f"{name}: {error!r}") from error


def only_of(events: Events, first: Centre, second: Centre, began_s: float) -> Events:
    """Those that name objects of these centres, and the letters of this run, where other archives use the same topics."""
    return Events(
        [event for event in events.commits if _below(event["url"], first)],
        [event for event in events.replicas if _below(event["url"], second)],
        [letter for letter in events.letters if float(letter["appended_s"]) >= began_s],
        events.repeats,
        events.dead_closes,
        events.accepted,
        events.dead_batches,
    )


def _below(url: str, centre: Centre) -> bool:
    account = centre.account
    return unquote(url).startswith(f"irods://{account['host']}:{account['port']}{centre.root}/")


def _messages(kafka: Kafka, topic: str) -> Iterator[Message]:
    name = f"{kafka.community}.{topic}"
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": "b2stream-independent-check",  # asked for by the client; nothing is committed
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 2,
        }
    )
    try:
        found = consumer.list_topics(name, timeout=ANSWER_S).topics[name]
        if found.error is not None:
            raise CannotCheck(f"{name}: {found.error}")
        left: dict[int, int] = {}
        for partition in found.partitions:
            first, end = consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=ANSWER_S)
            if end > first:
                left[partition] = end
        consumer.assign([TopicPartition(name, partition, 0) for partition in left])
        deadline = time.monotonic() + READ_S
        while left:
            message = consumer.poll(1.0)
            if message is None or message.error():
                if time.monotonic() > deadline:
                    raise CannotCheck(f"{name} could not be read to its end within {READ_S:.0f} s")
                continue
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            if partition in left and offset + 1 >= left[partition]:
                del left[partition]
            yield message
    except KafkaException as error:
        raise CannotCheck(f"{name}: {error}") from error
    finally:
        consumer.close()


def _schemas(folder: Path) -> dict[bytes, Any]:
    """The released schemas by the fingerprint as it stands in a message; instants stay whole microseconds."""
    found = {}
    for file in sorted(folder.glob("*.avsc")):
        declared = json.loads(file.read_text(encoding="utf-8"))
        code = fingerprint(to_parsing_canonical_form(declared), "CRC-64-AVRO")
        found[bytes.fromhex(code)] = fastavro.parse_schema(_plain(declared))
    if not found:
        raise CannotCheck(f"no schemas in {folder}")
    return found


def _record(message: Message, schemas: dict[bytes, Any]) -> dict[str, Any]:
    value = message.value() or b""
    where = f"{message.topic()}[{message.partition()}] {message.offset()}"
    if value[:2] != SINGLE_OBJECT or value[2:10] not in schemas:
        raise CannotCheck(f"{where} is framed with {value[:10].hex()}, which no released schema has")
    record: Any = fastavro.schemaless_reader(io.BytesIO(value[10:]), schemas[value[2:10]], None)
    return {**record, "_where": where, "appended_s": message.timestamp()[1] / 1000}


def _what_died(message: Message, schemas: dict[bytes, Any]) -> dict[str, Any]:
    """The record that a letter holds; an empty one where it holds none, for it can be anything."""
    try:
        return _record(message, schemas)
    except (CannotCheck, ValueError, IndexError, EOFError, struct.error):
        return {}


def _plain(declared: Any) -> Any:
    if isinstance(declared, dict):
        return {key: _plain(value) for key, value in declared.items() if key != "logicalType"}
    return [_plain(one) for one in declared] if isinstance(declared, list) else declared
