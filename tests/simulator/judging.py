"""The judge: what must hold, from what was sent, what lies at the centres and what was announced; none of the pipeline's code.

Records are read by fastavro with the schemas of `/schemas`, signatures by `cryptography`, manifests as JSON.
"""

import base64
import hashlib
import io
import json
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import fastavro
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from b2stream.archive.store import ReplicaStatus
from b2stream.contracts.messages import LogMessage
from tests.simulator import fleet
from tests.simulator.centres import Centre
from tests.simulator.kafka import COMMITS, LETTERS, MEASUREMENTS, REPLICAS, Log

_SCHEMAS = Path(__file__).parents[2] / "schemas"
_HEADER_BYTES = 10  # of single-object encoding: two marker bytes and the schema's fingerprint
_SUFFIX = ".manifest.json"
_REFUSALS = ("refused", "there", "moved")
"""Words in the kinds of faults that make one batch stuck."""


@cache
def _schema(name: str) -> Any:
    found = [path for path in _SCHEMAS.glob("*.avsc") if json.loads(path.read_text())["name"] == name]
    return fastavro.schema.load_schema(found[0])


@lru_cache(maxsize=4096)
def decoded(name: str, value: bytes) -> dict[str, Any]:
    record = fastavro.schemaless_reader(io.BytesIO(value[_HEADER_BYTES:]), _schema(name))
    assert isinstance(record, dict)
    return record


@lru_cache(maxsize=4096)
def _manifest(content: bytes) -> dict[str, Any]:
    """What a manifest says; empty where it is none."""
    try:
        document = json.loads(content)
        return document if {"batch", "close", "data_object", "signature"} <= document.keys() else {}
    except (ValueError, AttributeError):
        return {}


@lru_cache(maxsize=4096)
def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@lru_cache(maxsize=4096)
def _signature_holds(manifest: bytes) -> bool:
    """Whether a manifest's close is signed by its station, where that signs."""
    document = _manifest(manifest)
    description = fleet.DESCRIPTIONS.get(document["close"]["station"])
    if description is None:
        return True
    signed = (
        b"b2stream close 1\n"
        + json.dumps(document["close"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    )
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(description.keys[0].public))
    try:
        key.verify(base64.b64decode(document["signature"] or ""), signed)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=4096)
def _rows_are_published(number: int, content: bytes) -> bool:
    """I3: a file's bytes; or each row of a container equals the published block's."""
    batch = fleet.FLEET[number]
    if not batch.is_stream:
        return content == b"".join(batch.content)
    try:
        archived = list(fastavro.reader(io.BytesIO(content)))
    except Exception:  # whatever broken bytes lead fastavro to
        return False
    blocks = [fleet.block(number, 0, at).sent.value for at in range(len(batch.content))]
    return archived == [decoded("MeasurementBlock", value) for value in blocks]


class Judge:
    """Watches one run and judges its end; `violations` are what it found."""

    def __init__(self, first: Centre, second: Centre) -> None:
        self.violations: list[str] = []
        self.first, self.second = first, second
        self.batches = {fleet.identity(number): number for number in range(len(fleet.FLEET))}
        self.forget_log("topic-1")

    def forget_log(self, topic_id: str) -> None:
        """Kafka was lost: what it held counts no more, and the measurements are another topic."""
        self._topic_id = topic_id
        self.sent: dict[tuple[int, int], fleet.Message] = {}
        self.superseded: dict[str, str] = {}  # attempt -> the batch whose close supersedes it
        self.announced: dict[str, dict[str, Any]] = {}  # batch -> its first commit event
        self.replicated: set[str] = set()
        self.letters: dict[tuple[int, int], dict[str, str]] = {}
        self._dead: set[tuple[str, str]] = set()  # attempt and kind of messages that have a letter
        self._last_close: dict[tuple[str, str], int] = {}  # of the batches of a series that are announced

    # While it runs ----------------------------------------------------------------------------------------------------

    def saw(self, message: LogMessage) -> None:
        """A message became visible."""
        if message.topic == COMMITS:
            self._announced(decoded("BatchCommitted", message.value or b""))
        elif message.topic == REPLICAS:
            self._replicated(decoded("BatchReplicated", message.value or b"")["commit"])
        elif message.topic == LETTERS:
            said = {name.removeprefix("b2stream_"): value.decode() for name, value in message.headers}
            place = int(said["partition"]), int(said["offset"])
            self.letters[place] = said
            if place in self.sent:
                self._dead.add((self.sent[place].attempt, self.sent[place].what))

    def _announced(self, event: dict[str, Any]) -> None:
        batch = event["batch"]
        self._verifies(self.first, event, "I5", "announced")
        prefix, _, suffix = (event["pid"] or "/").partition("/")
        expected = base64.urlsafe_b64encode(bytes.fromhex(event["sha256"])).decode()[:24]
        if (prefix, suffix) != ("21.T1", expected):
            self._complain("I6", f"{batch[:8]} is announced with PID {event['pid']}")
        if batch not in self.announced:
            self.announced[batch] = event
            self._in_order(event)

    def _in_order(self, event: dict[str, Any]) -> None:
        """Batches of a series are announced in the order of their closes, but for one that was refused or dead in between."""
        series, close_offset = (event["station"], event["series"]), event["close_offset"]
        before = self._last_close.get(series, -1)
        may_be_overtaken = self.letters or any(word in kind for kind in self.first.hit for word in _REFUSALS)
        if event["topic_id"] != self._topic_id:
            return  # its manifest was placed before Kafka was lost
        if close_offset < before and not may_be_overtaken:
            self._complain(
                "I2", f"{event['batch'][:8]}, closed at {close_offset}, is announced after one closed at {before}"
            )
        self._last_close[series] = max(before, close_offset)

    def _replicated(self, event: dict[str, Any]) -> None:
        self._verifies(self.second, event, "I7", "called replicated")
        self.replicated.add(event["batch"])

    def _verifies(self, centre: Centre, event: dict[str, Any], rule: str, what: str) -> None:
        for path, size_bytes, sha256 in (
            (event["path"], event["size_bytes"], event["sha256"]),
            (event["manifest_path"], event["manifest_size_bytes"], event["manifest_sha256"]),
        ):
            stored = centre.placed.get(path)
            if stored is None:
                self._complain(rule, f"{path} is {what}, and nothing is there")
            elif stored.status is not ReplicaStatus.GOOD:
                self._complain(rule, f"{path} is {what}, and it is {stored.status.value}")
            elif (len(stored.content), _sha256(stored.content)) != (size_bytes, sha256):
                self._complain(rule, f"{path} is {what}, and other bytes lie there")

    def acknowledged(self, partition: int, before: int, offset: int) -> None:
        """I8 as the processors commit an offset."""
        for each in range(before, offset):
            message = self.sent.get((partition, each))
            if message is not None and not self._is_accounted((partition, each), message):
                self._complain(
                    "I8", f"offset {offset} of partition {partition} passes {message.what} of {message.attempt}"
                )

    def copies_acknowledged(self, log: Log, partition: int, before: int, offset: int) -> None:
        """I8 as the replicator commits an offset of the commit events."""
        for message in log.topics[COMMITS][partition][before:offset]:
            batch = decoded("BatchCommitted", message.value or b"")["batch"]
            if batch not in self.replicated:
                self._complain("I8", f"the replicator's offset {offset} passes {batch[:8]}, which is not replicated")

    def _is_accounted(self, place: tuple[int, int], message: fleet.Message) -> bool:
        return (
            message.batch in self.announced
            or place in self.letters
            or (message.attempt, message.what) in self._dead
            or self.superseded.get(message.attempt) in self.announced
        )

    # At the end -------------------------------------------------------------------------------------------------------

    def judge(self, log: Log, closed: set[str], owed: set[str]) -> None:
        """All is healed and drained. `closed` are the batches that their stations closed as they should, `owed` those of them
        whose last close was not refused for good: all of these must be there, and none but those may be."""
        committed = self._archive(closed)
        for batch in owed - committed.keys():
            self._complain("I1", f"{batch[:8]} was closed and is not committed")
        for batch in committed.keys() - self.announced.keys():
            self._complain("I5", f"{batch[:8]} is committed and not announced")
        for place, message in self.sent.items():
            if not self._is_accounted(place, message):
                self._complain("I1", f"{message.what} of {message.attempt} is nowhere")
        for partition, offset in self.letters:
            if partition >= log.partitions or offset >= len(log.topics[MEASUREMENTS][partition]):
                self._complain("I1", f"a letter names {partition}/{offset}, which does not exist")
        self._two_copies(committed)

    def _archive(self, closed: set[str]) -> dict[str, str]:
        """What is committed: batch and path of its manifest."""
        committed: dict[str, str] = {}
        for path, stored in self.first.placed.items():
            if path.startswith("."):
                continue
            if not path.endswith(_SUFFIX):
                if path + _SUFFIX not in self.first.placed:
                    self._complain("I1", f"{path} lies there without a manifest")
                continue
            batch = _manifest(stored.content).get("batch")
            if batch is None:
                self._complain("I3", f"{path} is no manifest")
                continue
            if batch in committed:
                self._complain("I1", f"{batch[:8]} is committed twice: {path} and {committed[batch]}")
            committed[batch] = path
            if batch not in closed:
                self._complain("I9", f"{path}: {batch[:8]} was never closed as it should be")
            if not _signature_holds(stored.content):
                self._complain("I9", f"{path}: the signature is not its station's")
            self._pair(path, _manifest(stored.content))
        return committed

    def _pair(self, path: str, document: dict[str, Any]) -> None:
        data_path = path.removesuffix(_SUFFIX)
        data, number = self.first.placed.get(data_path), self.batches.get(document["batch"])
        if data is None or document["data_object"]["path"] != data_path:
            self._complain("I1", f"{path} has no data object beside it")
        elif number is None or not _rows_are_published(number, data.content):
            self._complain("I3", f"{path}: its data object is not what was published")
        elif document["close"]["count"] != len(fleet.FLEET[number].content):
            self._complain("I2", f"{path}: {document['close']['count']} blocks")
        elif _sha256(data.content) != document["data_object"]["sha256"]:
            self._complain("I3", f"{path} names another checksum")

    def _two_copies(self, committed: dict[str, str]) -> None:
        first, second = self.first.placed, self.second.placed
        for path in first.keys() | second.keys():
            if path.startswith("."):
                continue
            one, two = first.get(path), second.get(path)
            if one is None or two is None or one.content != two.content:
                self._complain("I7", f"{path} is not the same at both centres")
        for batch in committed.keys() - self.replicated:
            self._complain("I7", f"{batch[:8]} is committed and not called replicated")
        for centre in (self.first, self.second):
            for forbidden in centre.placed.forbidden:
                self._complain("I4", f"{centre.memory.centre}: {forbidden}")

    def _complain(self, rule: str, what: str) -> None:
        self.violations.append(f"{rule}: {what}")
