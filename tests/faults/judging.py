"""What is in the archive after a fault, judged from three sides.

1. The independent check, a process of its own: sources, both centres, events, chains.
2. The archive of an undisturbed chain that was given the same files: the same objects, and the same manifests byte for byte. The member
   `log` is set aside; attempt ids are random, so each stands under the name of its batch, and so does the digest of each close.
3. The log itself: what the pure core makes of the measurements topic, byte for byte, the member `log` included.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from b2stream.contracts import topics
from b2stream.contracts.messages import LogMessage
from b2stream.kafka import Consumer
from b2stream.kafka.admin import Admin
from b2stream.sandbox.demo import checking
from b2stream.sandbox.demo.check import pids
from b2stream.sandbox.demo.check.canonical import canonical, close_digest
from b2stream.sandbox.demo.check.manifests import SUFFIX
from b2stream.sandbox.demo.check.plan import Plan
from b2stream.sandbox.demo.check.zone import Zone
from tests.faults.chain import PARTITIONS, Chain
from tests.unit.batches.log_runner import run_whole

READ_S = 30.0
_DIGEST = re.compile("[0-9a-f]{32,64}")


@dataclass
class Archive:
    """What both centres hold alike: SHA-256 by path, and the bytes of the manifests."""

    objects: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)

    def data_objects(self) -> dict[str, str]:
        """SHA-256 of each data object by its path."""
        return {path: sha256 for path, sha256 in self.objects.items() if path not in self.manifests}

    def comparable(self) -> dict[str, str]:
        """Each data object's SHA-256, and each manifest without what two runs cannot have in common (side 2 above)."""
        documents = {path: json.loads(content) for path, content in self.manifests.items()}
        names: dict[str, str] = {}
        for path, document in documents.items():
            names[document["close"]["attempt"]] = f"attempt of {path}"
            names[close_digest(document["close"])] = f"close of {path}"
        found = self.data_objects()
        for path, document in documents.items():
            text = canonical({key: value for key, value in document.items() if key != "log"})
            found[path] = _DIGEST.sub(lambda match: names.get(match[0], match[0]), text)
        return found


@dataclass(frozen=True)
class Judgement:
    """What the independent check compared and found, and the archive that it saw."""

    archive: Archive
    compared: dict[str, dict[str, int]]
    notes: list[str]

    @property
    def objects(self) -> int:
        """Objects that were read whole, at both centres together."""
        return sum(
            number for what, number in self.compared.get("I4", {}).items() if what.startswith("objects read whole")
        )


class Judge:
    """Judges one chain again and again. What was seen once must stay as it is (I4)."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._manifests: dict[str, bytes] = {}

    def judge(self) -> Judgement:
        """Run the independent check and compare with the log. Raises AssertionError that says what is wrong and where."""
        plan = self._write_plan()
        verdict = checking.run(plan, {}, as_json=True)
        report = json.loads(verdict.said)
        assert verdict.good, f"the independent check found: {_told(report)}; evidence in {self._chain.directory}"
        archive = self._read(plan)
        judgement = Judgement(archive, report["compared"], report["notes"])
        assert judgement.objects == 4 * len(self._chain.given), "not every data object and manifest was compared"
        if self._chain.registers:
            registered = judgement.compared.get("I6", {}).get(pids.COUNTED, 0)
            contents = len(set(archive.data_objects().values()))
            assert registered == contents, f"{registered} of {contents} PID records were compared"
        self._compare_with_log(archive)
        return judgement

    def _write_plan(self) -> Path:
        return write_plan(self._chain)

    def _read(self, plan: Path) -> Archive:
        seen: dict[str, Any] = json.loads(plan.with_name(checking.SEEN_FILE).read_text(encoding="utf-8"))
        objects, copies = ({path: one[2] for path, one in seen[role].items()} for role in ("first", "second"))
        assert objects == copies, "the centres differ, and the independent check did not say so"
        zone = Zone(Plan.read(plan).first)
        try:
            for path in objects:
                if path.endswith(SUFFIX) and path not in self._manifests:
                    self._manifests[path] = b"".join(zone.pieces(path))
        finally:
            zone.close()
        return Archive(objects, dict(self._manifests))

    def _compare_with_log(self, archive: Archive) -> None:
        deployment = self._chain.deployment
        topic = topics.MEASUREMENTS.full_name(deployment.community)
        admin = Admin(deployment.addresses["kafka"])
        topic_id = admin.topic(topic).topic_id
        compared = 0
        for partition, held in admin.ranges(topic, PARTITIONS).items():
            log = read_log(deployment.addresses["kafka"], topic, partition, held.end)
            for path, content in run_whole(log).manifests.items():
                document = json.loads(content)
                document["log"]["topic_id"] = topic_id  # the core's tests have one of their own
                assert archive.manifests[path] == canonical(document).encode(), f"{path} is not what the log says"
                compared += 1
        assert compared == len(archive.manifests) > 0, f"the log gives {compared} of {len(archive.manifests)} manifests"


def write_plan(chain: Chain) -> Path:
    """The plan of the independent check for a chain: servers may be shared with others, its topics, roots and PIDs are not."""
    plan, _ = checking.write_plan(chain.deployment, chain.sources(), chain.began_s, chain.descriptions)
    document = json.loads(plan.read_text(encoding="utf-8"))
    for part in ("first", "second", "handle"):
        if document[part] is not None:
            document[part]["shared"] = False  # a stranger there is wrong
    plan.write_text(json.dumps(document), encoding="utf-8")
    return plan


def read_log(bootstrap: str, topic: str, partition: int, end: int) -> list[LogMessage]:
    """All messages of a partition before offset `end`; the topic is so young that nothing of it is deleted."""
    if end == 0:
        return []
    consumer = Consumer(bootstrap, topic, client_id="judge", partitions=[partition])
    log: list[LogMessage] = []
    try:
        while len(log) < end:
            message = consumer.poll(READ_S)
            assert message is not None, f"{topic}[{partition}] could not be read to {end}"
            assert message.offset == len(log), f"{topic}[{partition}] has a hole before {message.offset}"
            log.append(message)
    finally:
        consumer.close()
    return log[:end]


def assert_same_end(disturbed: Archive, undisturbed: Archive) -> None:
    """The same objects, and the same manifests byte for byte (side 2). Raises AssertionError that names the first that differs."""
    found, expected = disturbed.comparable(), undisturbed.comparable()
    assert found.keys() == expected.keys(), f"only in one of the two: {sorted(found.keys() ^ expected.keys())}"
    for path, content in expected.items():
        assert found[path] == content, f"{path}\nundisturbed: {content}\ndisturbed:   {found[path]}"


def _told(report: dict[str, Any]) -> str:
    found = [
        f"{one['invariant']} {one['station']} {one['file']} {one['path']}: {one['what']}" for one in report["findings"]
    ]
    return "; ".join(found) or "nothing was compared"
