"""What the catalogue says: conditions that GenQuery understands, and objects out of rows, one row per replica.

GenQuery has no way to escape a quote, and in a `like` both `_` and `%`, which names contain, are wildcards. So a condition
may let too much through, and each answer is compared again exactly by whoever asked.
"""

import base64
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from irods.column import In, Like
from irods.models import Collection, DataObject

from b2stream.archive.irods import errors as codes
from b2stream.archive.irods import messages
from b2stream.archive.irods.exchange import refusal
from b2stream.archive.irods.session import Links
from b2stream.archive.location import IrodsLocation
from b2stream.archive.store import ObjectState, ReplicaStatus

_REPLICA_COLUMNS = (
    Collection.name,
    DataObject.name,
    DataObject.size,
    DataObject.checksum,
    DataObject.replica_status,
    DataObject.replica_number,
    DataObject.modify_time,
)
_COLLECTION_COLUMNS = (Collection.name, Collection.parent_name)
_PLAIN = re.compile(r"[^'\\|&\x00-\x1f]+")  # safe between the quotes of a condition; GenQuery has no way to escape one
_PLAIN_IN_LIST = re.compile(r"[A-Za-z0-9._~%=@+-]+")
_GOOD = "1"
_STATUS = {"0": ReplicaStatus.STALE, _GOOD: ReplicaStatus.GOOD}  # 2 intermediate, 3 read-locked, 4 write-locked


class Replica(NamedTuple):
    """A row of the catalogue about one replica of an object."""

    collection: str
    name: str
    size_bytes: int
    checksum: str
    status: str
    number: int
    modified_s: int  # UNIX time


class Catalogue:
    """Questions to the catalogue of one zone; they change nothing."""

    def __init__(self, location: IrodsLocation, links: Links, centre: str) -> None:
        self._links = links
        self._centre = centre
        elsewhere = location.zone if location.user_zone != location.zone else None
        self._replicas = messages.Question([column.icat_id for column in _REPLICA_COLUMNS], elsewhere)
        self._collections = messages.Question([column.icat_id for column in _COLLECTION_COLUMNS], elsewhere)

    def replicas_by_path(self, *conditions: Any) -> dict[str, list[Replica]]:
        """One query, all its pages at once; rows are replicas. What `like` gave too much of is for the caller to leave out."""
        by_path: dict[str, list[Replica]] = {}
        for row in self.rows(self._replicas, conditions):
            collection, name, size, checksum, status, number, modified = row
            replica = Replica(collection, name, int(size), checksum, status, int(number), int(modified))
            by_path.setdefault(f"{collection}/{name}", []).append(replica)
        return by_path

    def collections_in(self, collection: str) -> list[str]:
        rows = self.rows(self._collections, (equal(Collection.parent_name, collection),))
        return sorted(name for name, parent in rows if parent == collection)

    def rows(self, question: messages.Question, conditions: Iterable[Any]) -> list[tuple[str, ...]]:
        """All rows of a question, all pages at once."""
        asked = [(each.query_key.icat_id, f"{each.op} {each.irods_value}") for each in conditions]
        link = self._links.of_this_thread()

        def all_pages(session: Any) -> list[tuple[str, ...]]:
            wire = link.take(session)  # a query's further pages are known to this connection only
            rows: list[tuple[str, ...]] = []
            continuation = 0
            while True:
                reply = wire.exchange(question.asking(asked, continuation))
                if reply.info == codes.CAT_NO_ROWS_FOUND:
                    break
                if reply.info < 0:
                    raise refusal(reply)
                page = messages.page(reply.body)
                rows += page.rows
                continuation = page.continuation
                if not continuation:
                    break
            link.give_back(wire)
            return rows

        return link.ask(f"asking {self._centre}", all_pages)


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


def state_of(path: str, replicas: list[Replica]) -> ObjectState:
    """One object from its replicas; see `ObjectState` for what several of them mean."""
    replicas = sorted(replicas, key=lambda replica: replica.number)
    good = [replica for replica in replicas if replica.status == _GOOD]
    if good:
        checksums = [sha256_of(replica.checksum) for replica in good]
        at = next((number for number, checksum in enumerate(checksums) if checksum), 0)
        chosen, sha256 = good[at], checksums[at]
        agree = len({replica.size_bytes for replica in good}) == 1 and len({*checksums} - {None}) <= 1
        status = ReplicaStatus.GOOD if agree else ReplicaStatus.STALE
    else:
        chosen = next((replica for replica in replicas if replica.status not in _STATUS), replicas[0])
        sha256 = sha256_of(chosen.checksum)
        status = _STATUS.get(chosen.status, ReplicaStatus.INTERMEDIATE)
    return ObjectState(path, status, chosen.size_bytes, sha256, float(chosen.modified_s))


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
