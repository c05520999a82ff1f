"""One iRODS zone by plain python-irodsclient: what is registered below a root, and the bytes that come back."""

import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from irods.column import Criterion, Like
from irods.models import Collection, DataObject
from irods.password_obfuscation import decode
from irods.session import iRODSSession

from .plan import CannotCheck, Centre, read_password

GOOD = "1"
READ_BYTES = 4 << 20
ANSWER_S = 60.0
KEEP_BYTES = 64 << 20  # manifests are kept, data objects only hashed


@dataclass(frozen=True)
class Replica:
    """One replica as the catalogue has it. `checksum` as iRODS writes it."""

    number: int
    status: str
    size_bytes: int
    checksum: str | None


@dataclass
class Stored:
    """One object: what the catalogue says, and what its bytes are."""

    path: str  # below the root
    data_id: int
    created_s: float
    modified_s: float
    replicas: list[Replica] = field(default_factory=list)
    size_bytes: int = -1
    sha256: str = ""
    content: bytes = b""  # of manifests only
    trouble: str = ""  # why it could not be read

    @property
    def registered(self) -> tuple[int, str | None]:
        """Size and checksum of the first good replica, else of the first one."""
        best = next((one for one in self.replicas if one.status == GOOD), self.replicas[0])
        return best.size_bytes, best.checksum


class Zone:
    """A connection to one centre. Raises CannotCheck where the centre cannot be asked."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self._session = _session(centre)

    def objects(self) -> dict[str, Stored]:
        """All objects below the root but not below the staging root, by path below the root."""
        staging = self.centre.staging_root.rstrip("/") + "/"
        found: dict[str, Stored] = {}
        for collection, row in self._rows(self.centre.root):
            absolute = f"{collection}/{row[DataObject.name]}"
            if not absolute.startswith(staging):
                _add(found, absolute.removeprefix(self.centre.root + "/"), row)
        return found

    def staged(self) -> dict[str, Stored]:
        """All objects below the staging root."""
        found: dict[str, Stored] = {}
        for collection, row in self._rows(self.centre.staging_root):
            _add(found, f"{collection}/{row[DataObject.name]}", row)
        return found

    def read(self, stored: Stored, *, keep: bool) -> None:
        """Read an object whole: notes its true size and SHA-256, or why it cannot be read. `keep` keeps the bytes."""
        digest, size_bytes, kept = hashlib.sha256(), 0, bytearray()
        try:
            for piece in self.pieces(stored.path):
                digest.update(piece)
                size_bytes += len(piece)
                if keep and size_bytes <= KEEP_BYTES:
                    kept += piece
        except Exception as error:  # the client raises bare KeyErrors and errors of several roots
            stored.trouble = f"cannot be read: {error!r}"
            return
        stored.size_bytes, stored.sha256, stored.content = size_bytes, digest.hexdigest(), bytes(kept)

    def pieces(self, path: str) -> Iterator[bytes]:
        """The bytes of an object, whatever its status."""
        with self._session.data_objects.open(f"{self.centre.root}/{path}", "r") as opened:
            while piece := opened.read(READ_BYTES):
                yield piece

    def close(self) -> None:
        """Close all connections."""
        self._session.cleanup()

    def _rows(self, root: str) -> Iterator[tuple[str, Any]]:
        """Rows, one per replica, of a collection and everything below it."""
        columns = (
            *(Collection.name, DataObject.name, DataObject.id, DataObject.size, DataObject.checksum),
            *(DataObject.replica_number, DataObject.replica_status, DataObject.create_time, DataObject.modify_time),
        )
        queries = (
            self._session.query(*columns).filter(Criterion("=", Collection.name, root)),
            self._session.query(*columns).filter(Like(Collection.name, root + "/%")),
        )
        try:
            for row in chain.from_iterable(query.get_results() for query in queries):
                name = row[Collection.name]
                if name == root or name.startswith(root + "/"):  # % and _ are wildcards, and names contain them
                    yield name, row
        except Exception as error:
            raise CannotCheck(f"{self.centre.name} cannot be listed: {error!r}") from error


def _add(found: dict[str, Stored], path: str, row: Any) -> None:
    stored = found.get(path)
    if stored is None:
        created, modified = row[DataObject.create_time].timestamp(), row[DataObject.modify_time].timestamp()
        stored = found[path] = Stored(path, int(row[DataObject.id]), created, modified)
    stored.replicas.append(
        Replica(
            int(row[DataObject.replica_number]),
            str(row[DataObject.replica_status]),
            int(row[DataObject.size]),
            row[DataObject.checksum] or None,
        )
    )


def _session(centre: Centre) -> Any:
    account = dict(centre.account)
    password = read_password(centre.password)
    if password is None and centre.password.irods_a is not None:
        password = decode(centre.password.irods_a.read_text().rstrip("\n"))
        account["irods_authentication_scheme"] = "native"
    if centre.verify is not None:
        context = ssl.create_default_context(cafile=centre.ca_file)
        context.check_hostname = centre.verify == "hostname"
        context.verify_mode = ssl.CERT_NONE if centre.verify == "none" else ssl.CERT_REQUIRED
        account["ssl_context"] = context
    return iRODSSession(password=password or "", connection_timeout=ANSWER_S, **account)
