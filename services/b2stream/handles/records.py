"""What stands in a PID record: the EUDAT profile of a data object, made of its commit event or its replica event alone.

Pure. The first centre has a prefix of its own, never the community's: the community's data portal writes its own record under
`<community prefix>/<id24>`. Indices are those of the EUDAT profile, version 1.
"""

from dataclasses import dataclass
from typing import Protocol

from b2stream.batches.identity import irods_checksum
from b2stream.contracts.canonical import iso_utc
from b2stream.handles.service import CHECKSUM, URL, Administrator, HandleRecord, HandleValue

CHECKSUM_TIMESTAMP = "EUDAT/CHECKSUM_TIMESTAMP"
FIXED_CONTENT = "EUDAT/FIXED_CONTENT"
PROFILE_VERSION = "EUDAT/PROFILE_VERSION"
ROR = "EUDAT/ROR"
FIO = "EUDAT/FIO"
PARENT = "EUDAT/PARENT"
REPLICA = "EUDAT/REPLICA"
HS_ADMIN = "HS_ADMIN"

IS_FIXED = "True"
PERMISSIONS = "011111110011"  # all but making and removing prefixes
_INDEX = {
    URL: 1,
    CHECKSUM: 2,
    CHECKSUM_TIMESTAMP: 3,
    FIXED_CONTENT: 4,
    PROFILE_VERSION: 5,
    ROR: 6,
    FIO: 7,
    PARENT: 8,
    REPLICA: 9,
    HS_ADMIN: 100,
}


class Commit(Protocol):
    """The part of a commit event that its record is made of."""

    @property
    def pid(self) -> str | None: ...
    @property
    def id24(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def closed_at_us(self) -> int: ...


class Replica(Protocol):
    """The part of a replica event that its records are made of."""

    @property
    def commit(self) -> Commit: ...
    @property
    def url(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Who registers under which prefix; `second` and `community` may be empty.

    `administrator` is `INDEX:HANDLE`; empty: 200:0.NA/<prefix>, the list of a prefix's owners.
    """

    first: str
    second: str = ""
    community: str = ""
    administrator: str = ""

    def first_pid(self, commit: Commit) -> str:
        """The PID of a data object at the first centre: the one that was announced, if one was."""
        return commit.pid or f"{self.first}/{commit.id24}"

    def second_pid(self, commit: Commit) -> str | None:
        """The PID of its copy, where the second centre has a prefix."""
        return f"{self.second}/{commit.id24}" if self.second else None

    def repository_of_record(self, commit: Commit) -> str:
        """The PID under which the community knows it; without a community prefix that of the first centre."""
        return f"{self.community}/{commit.id24}" if self.community else self.first_pid(commit)


def first_record(commit: Commit, prefixes: Prefixes, replica: Replica | None = None) -> HandleRecord:
    """The record at the first centre; with `replica` it names the copy too, by its PID or else by its URL."""
    pid = prefixes.first_pid(commit)
    texts = _common(commit, commit.url) | {ROR: prefixes.repository_of_record(commit), FIO: pid}
    if replica is not None:
        texts[REPLICA] = prefixes.second_pid(commit) or replica.url
    return _record(pid, texts, prefixes)


def second_record(replica: Replica, prefixes: Prefixes) -> HandleRecord | None:
    """The record of the copy, None where the second centre has no prefix."""
    commit = replica.commit
    pid, parent = prefixes.second_pid(commit), prefixes.first_pid(commit)
    if pid is None:
        return None
    texts = _common(commit, replica.url) | {ROR: prefixes.repository_of_record(commit), FIO: parent, PARENT: parent}
    return _record(pid, texts, prefixes)


def _common(commit: Commit, url: str) -> dict[str, str]:
    return {
        URL: url,
        CHECKSUM: irods_checksum(commit.sha256),
        CHECKSUM_TIMESTAMP: iso_utc(commit.closed_at_us),
        FIXED_CONTENT: IS_FIXED,
        PROFILE_VERSION: "1",
    }


def _record(pid: str, texts: dict[str, str], prefixes: Prefixes) -> HandleRecord:
    index, _, handle = (prefixes.administrator or f"200:0.NA/{pid.partition('/')[0]}").partition(":")
    values = [HandleValue(_INDEX[kind], kind, text) for kind, text in texts.items()]
    values.append(HandleValue(_INDEX[HS_ADMIN], HS_ADMIN, Administrator(handle, int(index), PERMISSIONS)))
    return HandleRecord(pid, tuple(sorted(values, key=lambda value: value.index)))
