"""The ceiling of an audit: plain python-irodsclient that lists both centres, reads each manifest once, and lets the centres verify.

`python -m tests.benchmarks.bare_looking THREADS FIRST_URL SECOND_URL [recompute]` prints JSON: objects, and seconds of wall time and of
processor. Passwords are in B2STREAM_FIRST_PASSWORD and B2STREAM_SECOND_PASSWORD. It keeps nothing and compares nothing.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from irods import keywords
from irods.column import Like
from irods.models import Collection, DataObject

from b2stream.archive.irods.session import Link
from b2stream.archive.location import IrodsLocation, parse_location
from tests.benchmarks.archive import COLUMNS


def main(threads: int, urls: list[str], recompute: bool) -> None:
    """Look at everything once and print how long it took."""
    locations = [parse_location(url, role=role) for url, role in zip(urls, ("first", "second"), strict=True)]
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    listed = [_list(location) for location in locations]
    manifests = [path for path in listed[0] if path.endswith(".manifest.json")]
    _all(threads, locations[0], manifests, _read)
    if recompute:
        for location, paths in zip(locations, listed, strict=True):
            _all(threads, location, paths, _verify)
    seconds, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
    print(json.dumps({"objects": sum(map(len, listed)), "seconds": seconds, "cpu_s": cpu_s}))


def _session(location: IrodsLocation) -> Any:
    return Link(location, 120.0).connected("connecting")


def _list(location: IrodsLocation) -> list[str]:
    rows = _session(location).query(*COLUMNS).filter(Like(Collection.name, f"{location.root}%"))
    return [f"{row[Collection.name]}/{row[DataObject.name]}" for row in rows]


def _all(threads: int, location: IrodsLocation, paths: Iterable[str], work: Callable[[Any, str], None]) -> None:
    own = threading.local()

    def one(path: str) -> None:
        if not hasattr(own, "session"):
            own.session = _session(location)
        work(own.session, path)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, paths))


def _read(session: Any, path: str) -> None:
    with session.data_objects.open(path, "r") as handle:
        assert handle.read()


def _verify(session: Any, path: str) -> None:
    session.data_objects.chksum(path, **{keywords.VERIFY_CHKSUM_KW: ""})


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:4], "recompute" in sys.argv[4:])
