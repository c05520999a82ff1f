"""I1, I2, I3, I5, I8, I9 and I12 against the oracle. What the independent check compares besides stands there."""

import hashlib
from collections import defaultdict
from typing import Any

from b2stream.sandbox.demo.check.centres import Found
from b2stream.sandbox.demo.check.events import Events
from b2stream.sandbox.demo.check.findings import Findings
from b2stream.sandbox.demo.check.manifests import Batch

from .decoding import Decoder, NotReadable, body, comparable, container
from .fates import NEVER_S, Fates, Read, blocks_of, key_of, learn
from .oracle import ABANDONED, Acknowledged, Oracle

MOST_NAMED = 5
CONTAINER_FILE, CONTAINER_AVRO = 0, 1
_INSTANTS = {"start", "stop"}  # text in a manifest, whole microseconds in a message


def check(
    oracle: Oracle,
    decoder: Decoder,
    first: Found,
    second: Found,
    said: Events,
    read: Read,
    topic_id: str,
    findings: Findings,
    events_id: str = "",
) -> None:
    """All of it. `read` gives the bytes of an object at the first centre; `topic_id` is that of the measurements now, `events_id`
    names the topics of events as they are now.
    """
    fates = learn(oracle, decoder, first, said, read)
    check_messages(oracle, fates, first, topic_id, findings)
    for found in (first, second):
        for path in found.batches:
            check_batch(found.batches[path], found, oracle, decoder, fates, read, findings)
    check_announcements(first, said, findings)
    check_offsets(oracle, fates, topic_id, findings, events_id)


def check_messages(oracle: Oracle, fates: Fates, first: Found, topic_id: str, findings: Findings) -> None:
    """I1: each acknowledged message is in exactly one committed batch, or in a dead letter, or superseded; I12 for a log that is gone."""
    lost: dict[tuple[str, str, str], list[Acknowledged]] = defaultdict(list)
    for message in oracle.messages:
        invariant = "I1" if message.topic_id == topic_id else "I12"
        what = "messages" if invariant == "I1" else "messages of a log that is gone"
        findings.count(invariant, f"acknowledged {what}, each looked for")
        is_lost = message.kind != ABANDONED and not fates.is_committed(message) and fates.settled_s(message) == NEVER_S
        if is_lost:
            lost[key_of(message)].append(message)
    for (topic, station, attempt), messages in lost.items():
        named = ", ".join(f"[{one.partition}] {one.offset}" for one in messages[:MOST_NAMED])
        kinds = {one.kind for one in messages}
        told = f"{len(messages)} acknowledged messages ({', '.join(sorted(kinds))}) of attempt {attempt}"
        invariant = "I1" if topic == topic_id else "I12"
        what = f"{told} are in no committed batch, in no dead letter, and not superseded: {named}"
        findings.add(invariant, what, station=station)
    for batch, places in fates.committed.items():
        findings.count("I1", "committed batches, each once")
        if len(places) > 1:
            paths = ", ".join(sorted(one.path for one in places))
            findings.add(
                "I1", f"batch {batch} is committed {len(places)} times: {paths}", **first.file_of(places[0].path)
            )


def check_batch(
    batch: Batch, found: Found, oracle: Oracle, decoder: Decoder, fates: Fates, read: Read, findings: Findings
) -> None:
    """I9: the station closed it; I2: its blocks are whole; I3: its bytes and rows are the published ones."""
    place = found.file_of(batch.path)
    log = batch.document["log"]
    close = fates.closes.get((log["topic_id"], log["partition"], log["close_offset"]))
    findings.count("I9", "committed batches whose close was looked for among the acknowledged ones")
    if close is None:
        findings.add("I9", "no close of its station that Kafka acknowledged stands where the manifest says", **place)
        return
    if wrong := _other_words(batch, close):
        findings.add("I9", f"the manifest's close is not the acknowledged one: {', '.join(wrong)}", **place)
    pieces = blocks_of(batch, oracle)
    sequences = [one.sequence for one in pieces]
    findings.count("I2", "committed batches whose sequences run from 0 without a hole")
    if sequences != list(range(close["count"])):
        told = f"the close says {close['count']} blocks, the acknowledged ones have sequences {_short(sequences)}"
        findings.add("I2", told, **place)
        return
    _compare_content(batch, found, close, [oracle.value(one) for one in pieces], decoder, read, findings)


def check_announcements(first: Found, said: Events, findings: Findings) -> None:
    """I5: the objects of a batch were there before its first commit event was."""
    announced: dict[str, float] = {}
    for event in said.commits:
        for path in (event["path"], event["manifest_path"]):
            announced[path] = min(announced.get(path, NEVER_S), event["appended_s"])
    for path, at_s in announced.items():
        stored = first.objects.get(path)
        if stored is None:
            continue  # said already
        findings.count("I5", "objects that were there when they were announced")
        if stored.created_s > at_s:
            told = f"announced {stored.created_s - at_s:.1f} s before it was made"
            findings.add("I5", told, **first.file_of(path))


def check_offsets(oracle: Oracle, fates: Fates, topic_id: str, findings: Findings, events_id: str = "") -> None:
    """I8: at each look nothing before a committed offset was undone, in a log that is gone as well: only where the events
    are gone, too, nobody knows any more.
    """
    settled: dict[tuple[str, int], dict[int, tuple[float, Acknowledged]]] = defaultdict(dict)
    for message in oracle.messages:
        settled[message.place[:2]][message.offset] = (fates.passable_s(message), message)
    for look in oracle.looks():
        if look.topic_id != topic_id and (not look.events_id or look.events_id != events_id):
            continue
        for partition, committed in look.committed.items():
            findings.count("I8", "committed offsets, each at the time of a look")
            before = [at for offset, at in settled[look.topic_id, partition].items() if offset < committed]
            late = [message for at_s, message in before if at_s > look.at_s]
            if late:
                first = min(late, key=lambda one: one.offset)
                told = f"offset {committed} of partition {partition} was committed, and {len(late)} messages before it"
                findings.add("I8", f"{told} were not done with, the first is {first}", station=first.station)


def _compare_content(
    batch: Batch,
    found: Found,
    close: dict[str, Any],
    values: list[bytes],
    decoder: Decoder,
    read: Read,
    findings: Findings,
) -> None:
    place, stored = found.file_of(batch.path), found.objects.get(batch.path)
    if stored is None or stored.trouble:
        return  # said already
    try:
        records = [decoder.record(value) for value in values]
    except NotReadable as error:
        findings.add("I3", f"a block of it is not readable: {error}", **place)
        return
    rows = sum(len(record["offsets"]) for record in records)
    findings.count("I3", "rows published, and archived as published", rows)
    findings.count("I3", "data objects compared with the acknowledged blocks")
    if rows != batch.rows:
        findings.add("I3", f"{rows} rows were published, the manifest says {batch.rows}", **place)
    if hashlib.sha256(b"".join(body(value) for value in values)).hexdigest() != close["content_digest"]:
        findings.add("I3", "the acknowledged blocks are not those that the close speaks of", **place)
    if close["container_format"] == CONTAINER_FILE:
        published = b"".join(record["raw"] or b"" for record in records)
        if hashlib.sha256(published).hexdigest() != stored.sha256:
            findings.add("I3", f"the bytes are not the published ones ({len(published)} bytes)", **place)
    elif close["container_format"] == CONTAINER_AVRO:
        _compare_container(batch, found, records, read, findings)
    else:
        findings.add("I3", f"container format {close['container_format']} is not known", **place)


def _compare_container(
    batch: Batch, found: Found, records: list[dict[str, Any]], read: Read, findings: Findings
) -> None:
    if found.centre.role != "first":
        return  # the same bytes as at the first centre (I7)
    try:
        archived = [comparable(each) for each in container(read(batch.path))]
    except NotReadable as error:
        findings.add("I3", f"the container is not readable: {error}", **found.file_of(batch.path))
        return
    if archived != [comparable(each) for each in records]:
        findings.add("I3", "the container's records are not the published ones", **found.file_of(batch.path))


def _other_words(batch: Batch, close: dict[str, Any]) -> list[str]:
    """The fields in which a manifest's close and the acknowledged one differ; what is empty may be left out of the former."""
    told = {**batch.close, "signature": batch.document["signature"]}
    compared = {name: value for name, value in close.items() if name not in _INSTANTS and (name in told or value)}
    return sorted(name for name, value in compared.items() if told.get(name) != value)


def _short(sequences: list[int | None]) -> str:
    return f"{sequences[:MOST_NAMED]}" + (f" … ({len(sequences)})" if len(sequences) > MOST_NAMED else "")
