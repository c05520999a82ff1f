"""The PID service interface: all that b2stream asks of a Handle server.

Implementations: `rest.py` (the Handle HTTP JSON API) and `memory.py` (unit tests); one conformance suite runs on all of them.
A handle is `<prefix>/<suffix>`. Handle servers compare without regard to letter case, so each implementation does.
Each method raises only errors of `b2stream.errors`: `Retryable` (nobody answered, and nothing was changed), `LostReply` (it
may or may not have been done), `Stuck` (this record is refused), `Fatal` (credentials, configuration).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

CHECKSUM = "EUDAT/CHECKSUM"
URL = "URL"


@dataclass(frozen=True, slots=True)
class Administrator:
    """Who may change a record, the value of a HS_ADMIN: a handle, an index in it, and twelve permissions as 0 and 1."""

    handle: str
    index: int
    permissions: str


@dataclass(frozen=True, slots=True)
class HandleValue:
    """One value of a record. `value` is text; of HS_ADMIN an Administrator; of any other kind the server's JSON as text."""

    index: int
    type: str
    value: str | Administrator


@dataclass(frozen=True, slots=True)
class HandleRecord:
    """A handle and its values, in order of index. The server's timestamps and lifetimes are left out."""

    handle: str
    values: tuple[HandleValue, ...]

    def text(self, kind: str) -> str | None:
        """The value of the first entry of this type, None where there is none or it is not text."""
        for each in self.values:
            if each.type == kind and isinstance(each.value, str):
                return each.value
        return None

    def says_the_same(self, other: "HandleRecord") -> bool:
        """Whether both have the same values; letter case of the handle itself does not count."""
        return self.handle.casefold() == other.handle.casefold() and self.values == other.values


class HandleService(Protocol):
    """One Handle server. Instances may be used from several threads at once; each thread has its own connection."""

    def create(self, record: HandleRecord) -> bool:
        """Write a new record, whole. False where the handle exists already; then nothing is changed."""
        ...

    def rewrite(self, record: HandleRecord) -> None:
        """Replace the whole record; what it had besides is gone. Makes it where there is none."""
        ...

    def read(self, handle: str) -> HandleRecord | None:
        """The record as the server has it now, not a copy of a cache; None where there is none."""
        ...

    def delete(self, handle: str) -> None:
        """Remove a record; no error where there is none. For tests and repair alone: a PID is for ever."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """All handles of a prefix, in pages, in no order; a server may give them in upper case."""
        ...

    def close(self) -> None:
        """Close the connections of all threads; the service may be used again afterwards."""
        ...
