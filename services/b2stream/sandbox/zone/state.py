"""What calls work on: the zone, the session of one connection, and the files that session has open."""

import threading
import uuid
from dataclasses import dataclass, field

from b2stream.sandbox.zone.catalogue import Catalogue
from b2stream.sandbox.zone.faults import Faults
from b2stream.sandbox.zone.numbers import Code, Refusal
from b2stream.sandbox.zone.people import User
from b2stream.sandbox.zone.vault import Vault

# The lowest descriptor that a real server hands out; 0 to 2 are its standard streams.
FIRST_DESCRIPTOR = 3


@dataclass(slots=True)
class OpenFile:
    """A data object that a session has open: what was asked for at open decides what close does."""

    data_id: int
    path: str
    file: str
    descriptor: int
    writes: bool
    keywords: dict[str, str]
    declared_bytes: int
    open_flags: int
    # Opened together with the writer that holds the lock (parallel put): closing it does not finish the replica.
    shares_token: bool = False
    created: bool = False
    changed: bool = False
    status_before: int = 0


class WriteTokens:
    """Which objects are open for writing; a token lets further connections of the same writer in (parallel put).

    It lives in memory only, so a replica that a killed zone left intermediate has no token, and nobody can open it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[int, str] = {}

    def issue(self, data_id: int) -> None:
        """A fresh token for a new writer."""
        with self._lock:
            self._tokens[data_id] = str(uuid.uuid4())

    def of(self, data_id: int) -> str:
        """The token of the writer of this object, or nothing."""
        with self._lock:
            return self._tokens.get(data_id, "")

    def withdraw(self, data_id: int) -> None:
        """The writer has closed."""
        with self._lock:
            self._tokens.pop(data_id, None)


@dataclass(slots=True)
class Zone:
    """Everything that the connections of a zone share."""

    name: str
    resource: str
    resource_id: int
    catalogue: Catalogue
    vault: Vault
    faults: Faults
    tokens: WriteTokens = field(default_factory=WriteTokens)


@dataclass(slots=True)
class Session:
    """One connection's state after its user has authenticated."""

    zone: Zone
    user: User
    open_files: dict[int, OpenFile] = field(default_factory=dict)
    queries: dict[int, list[tuple[object, ...]]] = field(default_factory=dict)

    def add(self, opened: OpenFile) -> int:
        """The lowest free descriptor for it."""
        number = FIRST_DESCRIPTOR
        while number in self.open_files:
            number += 1
        self.open_files[number] = opened
        return number

    def opened(self, number: int) -> OpenFile:
        """The file of that descriptor. Raises SYS_FILE_DESC_OUT_OF_RANGE when there is none."""
        if number not in self.open_files:
            raise Refusal(Code.SYS_FILE_DESC_OUT_OF_RANGE)
        return self.open_files[number]
