"""What the catalogue says: conditions that GenQuery understands, and objects out of rows, one row per replica.

GenQuery has no way to escape a quote, and in a `like` both `_` and `%`, which names contain, are wildcards. So a condition
may let too much through, and each answer is compared again exactly by whoever asked.
"""

import base64
import re
from collections.abc import Iterable
from typing import Any

from irods import keywords
from irods.column import In, Like
from irods.models import Collection, DataObject

from b2stream.archive.irods_session import Links
from b2stream.archive.location import IrodsLocation
from b2stream.archive.store import ObjectState, ReplicaStatus

Row = dict[Any, Any]

_COLUMNS = (
    Collection.name,
    DataObject.name,
    DataObject.size,
    DataObject.checksum,
    DataObject.replica_status,
    DataObject.replica_number,
    DataObject.modify_time,
)
_PLAIN = re.compile(r"[^'\\|&\x00-\x1f]+")  # safe between the quotes of a condition; GenQuery has no way to escape one
_PLAIN_IN_LIST = re.compile(r"[A-Za-z0-9._~%=@+-]+")
_STATUS = {"0": ReplicaStatus.STALE, "1": ReplicaStatus.GOOD}  # 2 intermediate, 3 read-locked, 4 write-locked


class Catalogue:
    """Questions to the catalogue of one zone; they change nothing."""

    def __init__(self, location: IrodsLocation, links: Links, centre: str) -> None:
        self._location = location
        self._links = links
        self._centre = centre

    def replicas_by_path(self, *conditions: Any) -> dict[str, list[Row]]:
        """One query, all its pages at once; rows are replicas. What `like` gave too much of is for the caller to leave out."""
        rows = self._query(_COLUMNS, *conditions)
        by_path: dict[str, list[Row]] = {}
        for row in rows:
            by_path.setdefault(f"{row[Collection.name]}/{row[DataObject.name]}", []).append(row)
        return by_path

    def collections_in(self, collection: str) -> list[str]:
        rows = self._query((Collection.name, Collection.parent_name), equal(Collection.parent_name, collection))
        return sorted(row[Collection.name] for row in rows if row[Collection.parent_name] == collection)

    def _query(self, columns: Iterable[Any], *conditions: Any) -> list[Row]:
        def question(session: Any) -> list[Row]:
            query = session.query(*columns).filter(*conditions)
            if self._location.user_zone != self._location.zone:
                query = query.add_keyword(keywords.ZONE_KW, self._location.zone)
            return list(query)

        return self._links.of_this_thread().ask(f"asking {self._centre}", question)


def checksum_text(sha256: str) -> str:
    """As iRODS writes it: `sha2:` and base64 of the digest."""
    return "sha2:" + base64.b64encode(bytes.fromhex(sha256)).decode()


def sha256_of(checksum: str | None) -> str | None:
    """None too where the zone registered another kind of checksum, or none that can be read."""
    if not checksum or not checksum.startswith("sha2:"):
        return None
    try:
        return base64.b64decode(checksum.removeprefix("sha2:"), validate=True).hex()
    except ValueError:
        return None


def state_of(path: str, rows: list[Row]) -> ObjectState:
    """One object from its replicas; see `ObjectState` for what several of them mean."""
    rows = sorted(rows, key=lambda row: int(row[DataObject.replica_number]))
    good = [row for row in rows if str(row[DataObject.replica_status]) == "1"]
    if good:
        chosen = next((row for row in good if sha256_of(row[DataObject.checksum])), good[0])
        sizes = {int(row[DataObject.size]) for row in good}
        checksums = {sha256_of(row[DataObject.checksum]) for row in good} - {None}
        status = ReplicaStatus.GOOD if len(sizes) == 1 and len(checksums) <= 1 else ReplicaStatus.STALE
    else:
        chosen = next((row for row in rows if str(row[DataObject.replica_status]) not in _STATUS), rows[0])
        status = _STATUS.get(str(chosen[DataObject.replica_status]), ReplicaStatus.INTERMEDIATE)
    return ObjectState(
        path,
        status,
        int(chosen[DataObject.size]),
        sha256_of(chosen[DataObject.checksum]),
        chosen[DataObject.modify_time].timestamp(),
    )


def equal(column: Any, value: str) -> Any:
    """A condition that at least this value meets; where the value cannot be quoted, a pattern that more may meet."""
    return column == value if _PLAIN.fullmatch(value) else Like(column, pattern(value))


def pattern(value: str) -> str:
    """For `like`, where `_` is any one character and `%` any number of them."""
    return re.sub(r"['\\|&%\x00-\x1f]", "_", value)


def one_of(names: Iterable[str]) -> list[Any]:
    """Conditions that together find these names: one where all may stand in a list."""
    names = list(names)
    if len(names) > 1 and all(_PLAIN_IN_LIST.fullmatch(name) for name in names):
        return [In(DataObject.name, names)]
    return [equal(DataObject.name, name) for name in names]
