"""The archive's adapter against a bare python-irodsclient loop that makes the same server calls, in one run.

`python -m tests.benchmarks.archive` measures on an embedded zone: figures say what the adapter adds, never what a centre can do.
With `B2STREAM_TEST_ZONE=irods://…` on a real one. Both take turns at each object and the median of the rounds' ratios counts,
so that a slow moment of the machine hits both. The client's `open` asks the position once more, which the adapter leaves out.
"""

import base64
import contextlib
import hashlib
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irods import keywords
from irods.api_number import api_number
from irods.column import In
from irods.message import FileOpenRequest, ObjCopyRequest, StringStringMap, iRODSMessage
from irods.models import Collection, DataObject

from b2stream.archive.irods.session import Link
from b2stream.archive.location import IrodsLocation, open_store, parse_location
from b2stream.archive.placing import NewObject, Placing, Writer
from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import StoppableClock
from b2stream.sandbox.zone.process import EmbeddedZone

AIM = 0.95
ROUNDS = 7
COLUMNS = (
    *(Collection.name, DataObject.name, DataObject.size, DataObject.checksum),
    *(DataObject.replica_status, DataObject.replica_number, DataObject.modify_time),
)


@dataclass(frozen=True)
class Case:
    """Pairs (data object and manifest) of one size, committed one after the other by one thread."""

    name: str
    size_bytes: int
    pairs: int


CASES = (Case("1 KB, small objects", 1_000, 40), Case("1 MB", 1_000_000, 20), Case("64 MiB", 64 << 20, 2))


class Bare:
    """The calls themselves: open, write in 1 MiB, close, query back, rename, query both; no care for anything that may fail."""

    def __init__(self, session: Any, root: str) -> None:
        self.session = session
        self.root = root

    def commit(self, name: str, content: bytes, checksum: str, manifest: bytes = b"{}") -> None:
        pair = ((name, content, checksum), (f"{name}.manifest.json", manifest, checksum_of(manifest)))
        for new, what, expected in pair:
            staged = f"{self.root}/.staging/{new}"
            options = {keywords.DATA_SIZE_KW: str(len(what)), keywords.VERIFY_CHKSUM_KW: expected}
            handle = self.session.data_objects.open(staged, "w", auto_close=False, allow_redirect=False, **options)
            for start in range(0, len(what), 1 << 20):
                handle.raw.write(what[start : start + (1 << 20)])
            handle.raw.close()
        names = In(DataObject.name, [new for new, _, _ in pair])
        assert len(self._query(Collection.name == f"{self.root}/.staging", names)) == 2
        for new, _, _ in pair:
            self._rename(f"{self.root}/.staging/{new}", f"{self.root}/bare/{new}")
        assert len(self._query(Collection.name == f"{self.root}/bare", names)) == 2

    def read(self, name: str) -> int:
        (state,) = self._query(Collection.name == f"{self.root}/bare", DataObject.name == name)
        handle = self.session.data_objects.open(f"{self.root}/bare/{name}", "r", auto_close=False, allow_redirect=False)
        size = 0
        while size < state[DataObject.size]:
            size += len(handle.raw.conn.read_file(handle.raw.desc, 4 << 20))
        handle.raw.close()
        return size

    def _query(self, *conditions: Any) -> list[Any]:
        return list(self.session.query(*COLUMNS).filter(*conditions))

    def _rename(self, source: str, target: str) -> None:
        def request(path: str) -> FileOpenRequest:
            return FileOpenRequest(
                objPath=path, createMode=0, openFlags=0, offset=0, dataSize=0, numThreads=0, oprType=11,
                KeyValPair_PI=StringStringMap(),
            )  # fmt: skip

        message = ObjCopyRequest(srcDataObjInp_PI=request(source), destDataObjInp_PI=request(target))
        with self.session.pool.get_connection() as connection:
            connection.send(iRODSMessage("RODS_API_REQ", msg=message, int_info=api_number["DATA_OBJ_RENAME_AN"]))
            connection.recv()


def main() -> int:
    """Print the table; 1 where an aim is missed."""
    with _zone() as (location, store, kind):
        session = Link(location, 120.0).connected("connecting")
        for collection in (".staging", "bare", "adapter"):
            session.collections.create(f"{location.root}/{collection}")
        bare = Bare(session, location.root)
        print(
            f"{kind}; Python {sys.version.split()[0]}, {os.cpu_count()} cores; one thread; medians of {ROUNDS} rounds"
        )
        print(f"{'':24}{'adapter':>14}{'bare':>14}{'ratio':>8}  aim {AIM}")
        ratios = [ratio for case in CASES for ratio in _measure(case, store, bare)]
    return 0 if min(ratios) >= AIM else 1


def _measure(case: Case, store: ObjectStore, bare: Bare) -> Iterator[float]:
    content = os.urandom(case.size_bytes)
    sha256, checksum = hashlib.sha256(content).hexdigest(), checksum_of(content)
    writer, clock = Writer(), StoppableClock()
    names: dict[str, list[str]] = {"adapter": [], "bare": []}

    def adapter_commit() -> None:
        name = _new(names["adapter"])
        path = f"adapter/{name}"
        data_object = NewObject(path, len(content), sha256, lambda: _chunks(content))
        manifest = NewObject.of(f"{path}.manifest.json", b"{}")
        Placing(store, writer, name, clock=clock).place_pair(data_object, manifest, lambda _: True)

    def bare_commit() -> None:
        bare.commit(_new(names["bare"]), content, checksum)

    def adapter_read() -> None:
        size = sum(len(piece) for piece in store.read(f"adapter/{names['adapter'].pop()}"))
        assert size == case.size_bytes

    def bare_read() -> None:
        assert bare.read(names["bare"].pop()) == case.size_bytes

    for what, ours, theirs in (("commit", adapter_commit, bare_commit), ("read", adapter_read, bare_read)):
        times = [_side_by_side(ours, theirs, case.pairs) for _ in range(ROUNDS)]
        ratio = statistics.median(bare_s / adapter_s for adapter_s, bare_s in times)
        shown = [_rate(case, what, statistics.median(column)) for column in zip(*times, strict=True)]
        print(f"{what + ' ' + case.name:24}{shown[0]:>14}{shown[1]:>14}{ratio:8.2f}")
        yield ratio


def _rate(case: Case, what: str, seconds: float) -> str:
    if case.size_bytes < 100_000:
        objects = case.pairs * (2 if what == "commit" else 1)
        return f"{objects / seconds:.0f} objects/s"
    return f"{case.pairs * case.size_bytes / seconds / 1e6:.0f} MB/s"


def _side_by_side(ours: Callable[[], None], theirs: Callable[[], None], times: int) -> tuple[float, float]:
    """Seconds of each; they take turns, and take turns at being first."""
    seconds = {ours: 0.0, theirs: 0.0}
    for n in range(times):
        for work in (ours, theirs) if n % 2 else (theirs, ours):
            started_s = time.perf_counter()
            work()
            seconds[work] += time.perf_counter() - started_s
    return seconds[ours], seconds[theirs]


def _chunks(content: bytes) -> Iterator[bytes]:
    return (content[start : start + (1 << 20)] for start in range(0, len(content), 1 << 20))


def _new(names: list[str]) -> str:
    names.append(secrets.token_hex(8))
    return names[-1]


def checksum_of(content: bytes) -> str:
    """As iRODS writes it."""
    return "sha2:" + base64.b64encode(hashlib.sha256(content).digest()).decode()


@contextlib.contextmanager
def _zone() -> Iterator[tuple[IrodsLocation, ObjectStore, str]]:
    root = f"b2stream-bench-{secrets.token_hex(4)}"
    real = os.environ.get("B2STREAM_TEST_ZONE")
    with contextlib.ExitStack() as stack:
        if real:
            url, environment, kind = f"{real.rstrip('/')}/{root}", dict(os.environ), "real zone"
        else:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            zone = stack.enter_context(EmbeddedZone(Path(directory), "benchZone"))
            url = f"irods://{zone.user}@{zone.host}:{zone.port}{zone.home}/{root}"
            environment, kind = {"HOME": directory, "B2STREAM_FIRST_PASSWORD": zone.password}, "embedded zone"
        store = open_store(url, "bench", role="first", environment=environment)
        yield parse_location(url, role="first", environment=environment), store, kind
        store.close()


if __name__ == "__main__":
    sys.exit(main())
