"""What Kafka would have acknowledged of an archive made by hand: the oracle's messages, the events, and looks at the offsets."""

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from b2stream.contracts import schemas
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed
from b2stream.sandbox.demo.check import __main__ as independent
from b2stream.sandbox.demo.check.events import Events
from b2stream.sandbox.demo.check.findings import Findings
from b2stream.sandbox.demo.check.plan import Plan
from b2stream.sandbox.demo.check.zone import Zone
from tests.faults.judge import rules
from tests.faults.judge.decoding import Decoder
from tests.faults.judge.oracle import BLOCK, CLOSE, Acknowledged, Look, Oracle
from tests.unit.demo.archives import Archive, Committed

TOPIC_ID = "topic"
LATER_S = 60.0
"""How long after an archive was made its events are announced: the catalogue counts whole seconds."""


@dataclass
class Log:
    """Messages in one partition, and the events about them."""

    archive: Archive
    topic_id: str = TOPIC_ID
    messages: list[tuple[Acknowledged, bytes]] = field(default_factory=list)
    said: Events = field(default_factory=Events)
    looks: list[Look] = field(default_factory=list)
    handle: dict[str, Any] | None = None  # of the plan: where PID records are
    now_s: float = field(default_factory=lambda: time.time() + LATER_S)

    @classmethod
    def of(cls, archive: Archive) -> "Log":
        """The log of a correct archive: each batch's block, then its close; all announced, then all acknowledged."""
        log = cls(archive)
        for batch in archive.batches:
            log.block(batch.close.station, batch.close.attempt, 0, batch.block)
            log.close(batch.close)
            log.announce(batch)
        log.looks.append(Look(log.now_s + 1, TOPIC_ID, {0: len(log.messages)}))
        return log

    def block(self, station: str, attempt: str, sequence: int | None, body: bytes) -> None:
        self._append(BLOCK, station, attempt, sequence, _framed("MeasurementBlock", body))

    def close(self, close: BatchClosed, station: str = "") -> None:
        self._append(CLOSE, station or close.station, close.attempt, None, _framed("BatchClosed", close.to_body()))

    def announce(self, batch: Committed, at_s: float | None = None) -> None:
        """Commit and replica event of a batch."""
        close = batch.close
        commit: dict[str, Any] = {
            "batch": json.loads(batch.manifest)["batch"],
            **{name: getattr(close, name) for name in ("station", "series", "name", "stem", "rows")},
            "path": batch.path,
            "size_bytes": len(batch.content),
            "sha256": close.raw_sha256,
            "manifest_path": batch.manifest_path,
            "manifest_size_bytes": len(batch.manifest),
            "manifest_sha256": hashlib.sha256(batch.manifest).hexdigest(),
            "appended_s": self.now_s if at_s is None else at_s,
        }
        self.said.commits.append(commit)
        self.said.replicas.append({"commit": commit, "appended_s": commit["appended_s"]})

    def bury(self, offset: int, at_s: float | None = None, **more: str) -> None:
        """A dead letter for a message; that its batch is committed elsewhere is not asked for here. `more`: what else it says."""
        message, _ = self.messages[offset]
        place = {"topic_id": message.topic_id, "partition": "0", "offset": str(offset)}
        said = {"reason": "test", "station": "nobody", "attempt": message.attempt}
        appended_s = str(self.now_s if at_s is None else at_s)
        self.said.letters.append(place | said | {"appended_s": appended_s} | more)

    def _append(self, kind: str, station: str, attempt: str, sequence: int | None, value: bytes) -> None:
        sha256, offset = hashlib.sha256(value).hexdigest(), len(self.messages)
        message = Acknowledged(self.topic_id, 0, offset, 0, kind, station, attempt, sequence, sha256, 0, len(value))
        self.messages.append((message, value))

    def findings(self, folder: Path, topic_id: str = TOPIC_ID, events_id: str = "") -> Findings:
        """What the judge says of archive and log; `topic_id` is that of the topic now, `events_id` those of the events' topics."""
        oracle = Oracle(folder / "oracle")
        oracle.keep(self.messages)
        for look in self.looks:
            oracle.looked(look)
        plan = Plan.read(self.archive.write_plan(handle=self.handle))
        released = folder / "schemas"
        released.mkdir()
        for code in schemas.released_fingerprints():
            (released / f"{code}.avsc").write_text(schemas.released(code).text, encoding="utf-8")
        findings, zone = Findings(), Zone(plan.first)
        first, second = independent.look(plan, findings)
        independent.hold_against(plan, first, second, self.said, findings)
        read = lambda path: b"".join(zone.pieces(path))  # noqa: E731
        oracle, decoder = Oracle(folder / "oracle"), Decoder(released)
        rules.check(oracle, decoder, first, second, self.said, read, topic_id, findings, events_id)
        zone.close()
        return findings


def _framed(record: str, body: bytes) -> bytes:
    return Framing().frame(schemas.current(record), body)
