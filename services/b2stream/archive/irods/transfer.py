"""Open data objects: written or read in pieces, and closed exactly once.

The client's own file object buffers (each `open` asks the position first), and its destructor closes once more after a failed
close, by then maybe another object's descriptor.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from irods import keywords

from b2stream.archive.irods import messages
from b2stream.archive.irods.errors import connection_is_lost, translate
from b2stream.archive.irods.exchange import Reply, Wire
from b2stream.errors import B2streamError

SLOWEST_BYTES_PER_S = 10e6
_SMALL_BYTES = 1 << 20  # a tenth of a second more for these is not worth the two calls that set and reset it


def patience_s(timeout_s: float, size_bytes: int) -> float:
    """How long to wait for an answer that comes only when the server has hashed a whole file."""
    return timeout_s + (size_bytes / SLOWEST_BYTES_PER_S if size_bytes > _SMALL_BYTES else 0.0)


class Owner(Protocol):
    """Whose connections these are: `Link`."""

    busy: set[Any]

    def mend(self, error: BaseException) -> None: ...

    def give_back(self, wire: Wire) -> None: ...


class Handle:
    """An open data object; reads or writes, and closes exactly once."""

    def __init__(self, owner: Owner, wire: Wire, descriptor: int, options: Mapping[str, str], about: str) -> None:
        self._owner = owner
        self._wire = wire
        self._descriptor = descriptor
        self._options = options
        self._about = about
        self.open = True
        owner.busy.add(wire.connection)

    def write(self, piece: bytes) -> None:
        with self._translated(changes=True):
            self._wire.answer(messages.writing(self._descriptor, len(piece)), piece)

    def read(self, size_bytes: int) -> bytes:
        with self._translated(changes=False):
            reply: Reply = self._wire.answer(messages.reading(self._descriptor, size_bytes))
        return reply.stream

    def close(self, timeout_s: float, *, changes: bool) -> None:
        """Close it; the server may hash the whole file before it answers."""
        self.open = False
        with self._translated(changes=changes):
            self._wire.wait_at_most(timeout_s)
            self._wire.answer(messages.closing(self._descriptor, self._options))
            self._owner.busy.discard(self._wire.connection)
            self._owner.give_back(self._wire)

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
                self._owner.busy.discard(self._wire.connection)
                self._owner.mend(error)
            raise translate(error, self._about, changes=changes) from error


def write_options(size_bytes: int, checksum: str) -> dict[str, str]:
    """What makes the server re-read and compare at close (an empty VERIFY does nothing), and notice a wrong size."""
    return {keywords.DATA_SIZE_KW: str(size_bytes), keywords.VERIFY_CHKSUM_KW: checksum}
