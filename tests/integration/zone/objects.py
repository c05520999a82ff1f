"""Short words for what the tests of the zone do again and again."""

import base64
import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from irods.exception import NetworkException, PycommandsException, iRODSException
from irods.models import Collection, DataObject
from irods.session import iRODSSession

STALE, GOOD, INTERMEDIATE = "0", "1", "2"
HELLO = b"hello world\n"


def checksum(content: bytes) -> str:
    """As iRODS writes a SHA-256."""
    return "sha2:" + base64.b64encode(hashlib.sha256(content).digest()).decode()


def write(session: iRODSSession, path: str, content: bytes = HELLO, keywords: Mapping[str, Any] | None = None) -> None:
    """Open for writing, write, close."""
    with session.data_objects.open(path, "w", **(keywords or {})) as handle:
        handle.write(content)


def read(session: iRODSSession, path: str) -> bytes:
    """Open, read all, close."""
    with session.data_objects.open(path, "r") as handle:
        content: bytes = handle.read()
    return content


def replica(session: iRODSSession, path: str) -> tuple[str, int, str | None]:
    """Status, size in bytes and checksum, asked with one query as a careful client does."""
    parent, _, name = path.rpartition("/")
    columns = (DataObject.replica_status, DataObject.size, DataObject.checksum)
    row = session.query(*columns).filter(Collection.name == parent, DataObject.name == name).one()
    return tuple(row[column] for column in columns)


@contextlib.contextmanager
def refused(code: int) -> Iterator[None]:
    """The block must be refused with exactly that code, as a class of the client or as its bare KeyError."""
    with pytest.raises((PycommandsException, iRODSException, KeyError)) as caught:
        yield
    error = caught.value
    assert (error.args[0] if isinstance(error, KeyError) else getattr(error, "code", None)) == code


def close_in_vain(handle: Any) -> None:
    """Close a handle whose connection is gone: it must fail, once; the client would try again when it is collected."""
    with pytest.raises(NetworkException):
        handle.close()
    disarm(handle)


def disarm(handle: Any) -> None:
    """Keep the client from closing a handle again when it is collected, in the middle of some other test."""
    handle.do_close = False
    handle.raw.close = lambda: None


def race(steps: Sequence[Callable[[], object]]) -> list[int]:
    """Start all at once; the code of each, 0 for success."""
    outcomes = [1] * len(steps)
    start = threading.Barrier(len(steps))

    def run(number: int) -> None:
        start.wait()
        try:
            steps[number]()
            outcomes[number] = 0
        except iRODSException as error:
            outcomes[number] = error.code
        except KeyError as error:
            outcomes[number] = error.args[0]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(steps))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
