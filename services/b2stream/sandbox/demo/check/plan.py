"""What is to be compared: the source files, both centres, and where the events are. One JSON file; `Plan.read` says its shape."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class CannotCheck(Exception):
    """The check could not be made: read what is named here. This says nothing about the archive."""


@dataclass(frozen=True)
class Source:
    """A file as its station has it. Without `file` (it is gone since) size and SHA-256 from when it was sent stand for it."""

    station: str
    name: str
    file: Path | None
    size_bytes: int
    sha256: str
    rows: int | None  # that someone outside the pipeline knows; None where nobody does


@dataclass(frozen=True)
class Password:
    """Where a password is: a file with it, a variable, or iRODS's own `.irodsA`."""

    file: Path | None
    variable: str | None
    irods_a: Path | None


@dataclass(frozen=True)
class Centre:
    """One centre. `account` are keywords of iRODSSession; `shared` says that the root may hold objects of others too."""

    role: str  # first or second
    name: str
    root: str
    staging_root: str
    account: dict[str, Any]
    password: Password
    ca_file: str | None
    verify: str | None  # hostname, cert or none; None: no TLS
    shared: bool


@dataclass(frozen=True)
class Kafka:
    """Where the events are. `schemas` is the folder of released schemas; `shared` says that there may be events of other archives."""

    bootstrap: str
    community: str
    schemas: Path
    shared: bool


@dataclass(frozen=True)
class Handle:
    """Where PID records are, under the first centre's prefix; `shared` says that there may be records of other archives."""

    url: str
    prefix: str
    user: str
    password: Password
    ca_file: str | None
    shared: bool


@dataclass(frozen=True)
class Key:
    """A public key of a station (base64 of its 32 bytes), and from when to when it holds, microseconds since 1970."""

    id: str
    public: str
    valid_from_us: int
    valid_until_us: int | None


@dataclass(frozen=True)
class Plan:
    """All that is to be compared. `earlier` is where the last check left what it saw, and this one leaves what it sees."""

    sources: list[Source]
    first: Centre
    second: Centre
    kafka: Kafka | None
    handle: Handle | None  # None: nothing is registered
    keys: dict[str, list[Key]]  # by station; of stations without a key nothing can be checked
    earlier: Path | None
    began_s: float  # UNIX time of the run's begin

    @classmethod
    def read(cls, file: Path) -> "Plan":
        """Read a plan. Raises CannotCheck."""
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            kafka = document["kafka"]
            return cls(
                sources=[_source(one) for one in document["sources"]],
                first=_centre("first", document["first"]),
                second=_centre("second", document["second"]),
                kafka=kafka and Kafka(kafka["bootstrap"], kafka["community"], Path(kafka["schemas"]), kafka["shared"]),
                handle=_handle(document.get("handle")),
                keys={station: [Key(**key) for key in keys] for station, keys in document["keys"].items()},
                earlier=_path(document["earlier"]),
                began_s=document["began_s"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CannotCheck(f"{file} is no plan: {error!r}") from error


def read_password(password: Password) -> str | None:
    """The password, None where it stands scrambled in `.irodsA`. Raises CannotCheck."""
    if password.variable is not None:
        if password.variable not in os.environ:
            raise CannotCheck(f"the password should stand in {password.variable}")
        return os.environ[password.variable]
    if password.file is not None:
        try:
            return password.file.read_text(encoding="utf-8").splitlines()[0]
        except (OSError, IndexError) as error:
            raise CannotCheck(f"no password in {password.file}: {error!r}") from error
    return None


def _source(one: dict[str, Any]) -> Source:
    return Source(one["station"], one["name"], _path(one["file"]), one["size_bytes"], one["sha256"], one["rows"])


def _centre(role: str, one: dict[str, Any]) -> Centre:
    return Centre(
        role=role,
        name=one["name"],
        root=one["root"],
        staging_root=one["staging_root"],
        account=one["account"],
        password=_password(one["password"]),
        ca_file=one.get("ca_file"),
        verify=one.get("verify"),
        shared=one["shared"],
    )


def _handle(one: dict[str, Any] | None) -> Handle | None:
    if one is None:
        return None
    return Handle(
        one["url"], one["prefix"], one["user"], _password(one["password"]), one["ca_file"] or None, one["shared"]
    )


def _password(one: dict[str, str]) -> Password:
    return Password(_path(one.get("file")), one.get("variable"), _path(one.get("irods_a")))


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
