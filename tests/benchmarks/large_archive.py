"""An audit of an archive that is made up while it is listed: what it costs the auditor, whatever a real centre costs besides.

`python -m tests.benchmarks.large_archive 100000` audits so many objects at each of two centres in this process, and prints a line of JSON:
objects, seconds, seconds of processor time, and the largest resident memory in bytes.
"""

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from b2stream.archive.memory import MemoryStore
from b2stream.archive.store import READ_BYTES, ObjectState, ReplicaStatus
from b2stream.batches.examining import Examination
from b2stream.batches.identity import id24
from b2stream.batches.manifest import InLog, batch_of, build_manifest, paths_of
from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed
from b2stream.programs.audit.auditing import Auditor, Plan
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.log import Lag
from b2stream.settings import Settings
from tests.unit.processor.stations import StationBatch, attempt_name

SERIES = 100
WRITTEN_S = 1_780_000_000.0
APPENDED_AT_US = int(WRITTEN_S * 1e6)
_ONE = StationBatch()


class Batches:
    """`count` batches of a hundred series, each with one small file; the same whenever it is asked for."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._close = _ONE.record(attempt_name(1))
        examination = Examination(self._close)
        for sent in _ONE.blocks(attempt_name(1)):
            examination.take(Framing().unframe(sent.value))
        self._examined = examination.result()
        self.close = lru_cache(maxsize=1_000)(self._made)  # what is asked for next lies near
        self.manifest = lru_cache(maxsize=1_000)(self._manifest)

    def _made(self, number: int) -> BatchClosed:
        """The close of a batch; it names the one before it."""
        series, place = f"S{number % SERIES:03d}", number // SERIES
        previous = hashlib.sha256(self.close(number - SERIES).signed_bytes()).hexdigest() if place % 8 else None
        # A chain of eight, then a fork at 0: a chain without end would have to be hashed from its begin for each link.
        raw_sha256 = hashlib.sha256(self.content(number)).hexdigest()
        return replace(
            self._close, series=f"{series}-{place // 8}", stem=f"f{number:07d}", attempt=attempt_name(number),
            series_number=place % 8, previous=previous, raw_sha256=raw_sha256,
        )  # fmt: skip

    def content(self, number: int) -> bytes:
        """The bytes of its data object."""
        return (b"%d" % number).ljust(self._close.raw_size_bytes)

    def _manifest(self, number: int) -> bytes:
        """The manifest of a batch."""
        log = InLog("topic", 0, ((number, number),), number, APPENDED_AT_US)
        return build_manifest(self.close(number), self._examined, log)


class LargeStore(MemoryStore):
    """A centre that makes its objects up."""

    def __init__(self, centre: str, batches: Batches) -> None:
        super().__init__(centre)
        self._batches = batches

    def list(self, folder: str = "") -> Iterator[ObjectState]:
        for number in range(self._batches.count):
            close, manifest = self._batches.close(number), self._batches.manifest(number)
            paths = paths_of(close)
            yield _state(paths.data_object, close.raw_size_bytes, close.raw_sha256)
            yield _state(paths.manifest, len(manifest), hashlib.sha256(manifest).hexdigest())

    def read(self, path: str, chunk_bytes: int = READ_BYTES, *, state: ObjectState | None = None) -> Iterator[bytes]:
        yield self._batches.manifest(int(path.rpartition("/f")[2][:7]))


def _state(path: str, size_bytes: int, sha256: str) -> ObjectState:
    return ObjectState(path, ReplicaStatus.GOOD, size_bytes, sha256, WRITTEN_S)


@dataclass
class LargeLog:
    """The commit and replica events of those batches."""

    batches: Batches
    held = 0

    def fix_ends(self) -> None:
        """Nothing comes later."""

    def done(self, group: str, topic: topics.Topic) -> dict[int, int]:
        return {0: self.batches.count}

    def lag(self, program: str, topic: topics.Topic, done: Mapping[int, int]) -> Lag:
        return Lag(program, topic.name, 0, None)

    def read_into(self, index: Index, progress: Callable[[int], None] = lambda _: None) -> None:
        index.put("committed", map(self._commit, range(self.batches.count)), keep_first=True)
        batches = (batch_of(self.batches.close(number)) for number in range(self.batches.count))
        index.put("replicated", ({"batch": batch, "centre": "fzj", "url": ""} for batch in batches))
        index.keep()

    def _commit(self, number: int) -> dict[str, Any]:
        close, manifest = self.batches.close(number), self.batches.manifest(number)
        paths = paths_of(close)
        return {
            "batch": batch_of(close), "station": close.station, "series": close.series, "number": close.series_number,
            "attempt": close.attempt, "path": paths.data_object, "size_bytes": close.raw_size_bytes,
            "sha256": close.raw_sha256, "manifest_path": paths.manifest, "manifest_size_bytes": len(manifest),
            "manifest_sha256": hashlib.sha256(manifest).hexdigest(), "id24": id24(close.raw_sha256), "url": "",
            "stop_us": close.stop_us, "partition": 0, "offset": number, "appended_at_us": APPENDED_AT_US,
        }  # fmt: skip


def main(objects: int) -> dict[str, float]:
    """Audit so many objects at each of two centres."""
    batches = Batches(objects // 2)
    stores = [LargeStore("csc", batches), LargeStore("fzj", batches)]
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Index(Path(folder) / "index") as index:
        report = Auditor(Settings(), list(stores), LargeLog(batches), index, Plan()).run()  # type: ignore[arg-type]
    assert report.findings == [], report.findings[:3]
    peak_kib = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    seconds = time.monotonic() - began_s
    peak_bytes = int(peak_kib.split()[1]) * 1024
    return {"objects": report.objects, "seconds": seconds, "cpu_s": time.process_time(), "peak_bytes": peak_bytes}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
