"""Open data objects and moves, as messages of the protocol.

The client's own file object buffers (each `open` asks the position first), and its destructor closes once more after a failed
close, by then maybe another object's descriptor. Its `move` first asks twice whether the target is a collection, and
then moves *into* it. So these few messages are ours; connections, login and everything else are the client's.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from irods import keywords
from irods.api_number import api_number
from irods.message import FileOpenRequest, ObjCopyRequest, StringStringMap, iRODSMessage

from b2stream.archive.irods_errors import connection_is_lost, translate
from b2stream.errors import B2streamError

SLOWEST_BYTES_PER_S = 10e6

_FLAGS = {"r": 0, "w": 1 | 64 | 512}  # of the protocol: read only; write only, create, truncate
_RENAME_DATA_OBJECT = 11


def patience_s(timeout_s: float, size_bytes: int) -> float:
    """How long to wait for an answer that comes only when the server has hashed a whole file."""
    return timeout_s + size_bytes / SLOWEST_BYTES_PER_S


class Owner(Protocol):
    """Whose connections these are: `Link`."""

    busy: set[Any]

    def mend(self, error: BaseException) -> None: ...


class Handle:
    """An open data object; reads or writes, and closes exactly once."""

    def __init__(self, owner: Owner, connection: Any, descriptor: int, options: Mapping[str, str], about: str) -> None:
        self._owner = owner
        self._connection = connection
        self._descriptor = descriptor
        self._options = options
        self._about = about
        self.open = True
        owner.busy.add(connection)

    def write(self, piece: bytes) -> None:
        with self._translated(changes=True):
            self._connection.write_file(self._descriptor, piece)

    def read(self, size_bytes: int) -> bytes:
        with self._translated(changes=False):
            piece: bytes | None = self._connection.read_file(self._descriptor, size_bytes)
        return piece or b""

    def close(self, timeout_s: float, *, changes: bool) -> None:
        """Close it; the server may hash the whole file before it answers."""
        self.open = False
        with self._translated(changes=changes):
            self._connection.socket.settimeout(timeout_s)
            self._connection.close_file(self._descriptor, **self._options)
            self._owner.busy.discard(self._connection)
            self._connection.release()

    def abandon(self, timeout_s: float) -> None:
        """Close it, whatever comes of it; never raises."""
        if self.open:
            with contextlib.suppress(B2streamError):
                self.close(timeout_s, changes=True)

    @contextlib.contextmanager
    def _translated(self, *, changes: bool) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not self.open or connection_is_lost(error):  # else it is still to be closed, and that unlocks the object
                self.open = False
                self._owner.busy.discard(self._connection)
                self._owner.mend(error)
            raise translate(error, self._about, changes=changes) from error


def open_message(path: str, mode: str, options: Mapping[str, str], server_version: tuple[int, ...]) -> iRODSMessage:
    """DATA_OBJ_OPEN, as the client's `open` sends it."""
    unknown_size = "-1" if server_version >= (4, 3, 1) else "0"
    request = _object(
        path, flags=_FLAGS[mode], size=int(options.get(keywords.DATA_SIZE_KW, unknown_size)), options=options
    )
    return iRODSMessage("RODS_API_REQ", msg=request, int_info=api_number["DATA_OBJ_OPEN_AN"])


def rename_message(source: str, target: str) -> iRODSMessage:
    """DATA_OBJ_RENAME. The server refuses where the target exists."""
    request = ObjCopyRequest(
        srcDataObjInp_PI=_object(source, operation=_RENAME_DATA_OBJECT),
        destDataObjInp_PI=_object(target, operation=_RENAME_DATA_OBJECT),
    )
    return iRODSMessage("RODS_API_REQ", msg=request, int_info=api_number["DATA_OBJ_RENAME_AN"])


def _object(
    path: str, *, flags: int = 0, size: int = 0, operation: int = 0, options: Mapping[str, str] | None = None
) -> FileOpenRequest:
    return FileOpenRequest(
        objPath=path,
        createMode=0,
        openFlags=flags,
        offset=0,
        dataSize=size,
        numThreads=0,
        oprType=operation,
        KeyValPair_PI=StringStringMap(options or {}),
    )


def write_options(size_bytes: int, checksum: str) -> dict[str, str]:
    """What makes the server re-read and compare at close (an empty VERIFY does nothing), and notice a wrong size."""
    return {keywords.DATA_SIZE_KW: str(size_bytes), keywords.VERIFY_CHKSUM_KW: checksum}
