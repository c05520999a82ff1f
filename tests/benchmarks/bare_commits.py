"""The ceiling of commits: as many threads with plain python-irodsclient that make the server calls of a commit, and nothing else.

`python -m tests.benchmarks.bare_commits ROOT_URL THREADS PAIRS SIZE_BYTES MANIFEST_BYTES` prints JSON: seconds for all pairs. The
password is in B2STREAM_FIRST_PASSWORD. Each pair: look up, then stage and query both objects, move both, query both.
"""

import json
import os
import secrets
import sys
import time
from queue import Empty, SimpleQueue
from threading import Barrier, Thread

from irods.column import Like
from irods.models import Collection, DataObject

from b2stream.archive.irods.session import Link
from b2stream.archive.location import parse_location
from tests.benchmarks.archive import COLUMNS, Bare, checksum_of


def main(url: str, threads: int, pairs: int, size_bytes: int, manifest_bytes: int) -> None:
    """Commit `pairs` pairs and print how long it took."""
    location = parse_location(url, role="first")
    work: SimpleQueue[bytes] = SimpleQueue()
    block = os.urandom(size_bytes)
    for number in range(pairs):
        work.put(number.to_bytes(8, "big") + block[8:])
    manifest = os.urandom(manifest_bytes)
    ready = Barrier(threads + 1)

    def commit() -> None:
        session = Link(location, 120.0).connected("connecting")
        for collection in (".staging", "bare"):
            session.collections.create(f"{location.root}/{collection}")
        bare = Bare(session, location.root)
        ready.wait()
        while True:
            try:
                content = work.get_nowait()
            except Empty:
                return
            name = secrets.token_hex(16)
            list(
                session.query(*COLUMNS).filter(Like(Collection.name, f"{location.root}/bare%"), DataObject.name == name)
            )
            bare.commit(name, content, checksum_of(content), manifest)

    workers = [Thread(target=commit) for _ in range(threads)]
    for worker in workers:
        worker.start()
    ready.wait()
    began_s = time.monotonic()
    for worker in workers:
        worker.join()
    print(json.dumps({"seconds": time.monotonic() - began_s}))


if __name__ == "__main__":
    main(sys.argv[1], *(int(argument) for argument in sys.argv[2:]))
