"""B2SAFE: an `ObjectStore` on iRODS. Of all programs only the modules of this folder know python-irodsclient.

Nothing here overwrites or removes an archived object (I4): objects are opened for writing only under staged names, which are
never used twice; the move to the final path creates or fails; the one unlink is below the staging root.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from irods import keywords
from irods.column import Like
from irods.manager.data_object_manager import Server_Checksum_Warning
from irods.message import RErrorStack
from irods.models import Collection

from b2stream.archive.attributes import Attributes
from b2stream.archive.irods import errors as codes
from b2stream.archive.irods.attributes import ObjectAttributes
from b2stream.archive.irods.catalogue import Catalogue, checksum_text, equal, one_of, pattern, state_of
from b2stream.archive.irods.session import Link, Links
from b2stream.archive.irods.transfer import patience_s, write_options
from b2stream.archive.location import DEFAULT_TIMEOUT_S, IrodsLocation
from b2stream.archive.store import QUARANTINE_FOLDER, READ_BYTES, Chunk, ObjectState, Placement, ReplicaStatus
from b2stream.errors import B2streamError, BrokenInvariant, CutShort, DamagedObject, MissingObject

T = TypeVar("T")

COLLECTION_TRIES = 3
WRITE_BYTES = 1 << 20
"""Bytes of one write. The client's default of 8 MiB is the slowest of 1, 4 and 8 MiB on loopback."""

_COMPUTED = re.compile(r"computed checksum \[sha2:([A-Za-z0-9+/=]+)\]")


class IrodsStore:
    """A root collection at one zone. Each thread has a session of its own."""

    def __init__(self, location: IrodsLocation, centre: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._location = location
        self._centre = centre
        self._timeout_s = timeout_s
        self._links = Links(location, timeout_s)
        self._catalogue = Catalogue(location, self._links, centre)
        elsewhere = location.zone if location.user_zone != location.zone else None
        self._attributes = ObjectAttributes(self._links, self._catalogue, elsewhere, centre)

    @property
    def centre(self) -> str:
        return self._centre

    @property
    def reply_timeout_s(self) -> float:
        return self._timeout_s

    def url(self, path: str) -> str:
        return self._location.url(path)

    # Staging ----------------------------------------------------------------------------------------------------------

    def stage(self, staged_name: str, chunks: Iterable[Chunk], size_bytes: int, sha256: str) -> None:
        path = self._staged_path(staged_name)
        about = f"staging {staged_name} at {self._centre}"
        link = self._links.of_this_thread()
        options = write_options(size_bytes, checksum_text(sha256))
        handle = self._making_collections(link, path, lambda: link.open(about, path, "w", **options))
        try:
            for piece in _pieces(chunks):
                handle.write(piece)
            handle.close(patience_s(self._timeout_s, size_bytes), changes=True)
        except BaseException:
            handle.abandon(self._timeout_s)  # an open descriptor would keep the object locked
            raise

    def describe_staged(self, staged_name: str) -> ObjectState | None:
        return next(iter(self.find_staged(staged_name)), None)

    def find_staged(self, *staged_names: str) -> list[ObjectState]:
        root = self._location.staging_root
        paths = [self._staged_path(staged_name) for staged_name in staged_names]
        return self._found(equal(Collection.name, root), [path.rpartition("/")[2] for path in paths], root, root)

    def discard_staged(self, staged_name: str) -> None:
        path = self._staged_path(staged_name)
        about = f"discarding {staged_name} at {self._centre}"
        link = self._links.of_this_thread()
        assert path.startswith(self._location.staging_root + "/"), "I4: nothing else is ever removed"
        try:
            link.tell(about, lambda session: session.data_objects.unlink(path, force=True))
        except MissingObject:
            return

    def list_staged(self) -> Iterator[ObjectState]:
        root = self._location.staging_root
        for path, rows in self._catalogue.replicas_by_path(equal(Collection.name, root)).items():
            if path.rpartition("/")[0] == root:
                yield state_of(path.rpartition("/")[2], rows)

    # Placing ----------------------------------------------------------------------------------------------------------

    def place(self, staged_name: str, path: str) -> Placement:
        return self._move(f"placing {path} at {self._centre}", self._staged_path(staged_name), self._placed_path(path))

    def set_aside(self, path: str, aside: str) -> Placement:
        if not aside.startswith(f"{QUARANTINE_FOLDER}/"):
            raise BrokenInvariant(f"{path} would be moved to {aside}")
        return self._move(f"setting {path} aside at {self._centre}", self._placed_path(path), self._placed_path(aside))

    def _move(self, about: str, source: str, target: str) -> Placement:
        link = self._links.of_this_thread()
        try:
            self._making_collections(link, target, lambda: link.rename(about, source, target))
        except B2streamError as error:
            if _caused_by(error, codes.CAT_NAME_EXISTS_AS_DATAOBJ):
                return Placement.ALREADY_THERE
            if _caused_by(error, codes.CAT_NO_ROWS_FOUND, codes.OBJ_PATH_DOES_NOT_EXIST, codes.CAT_UNKNOWN_FILE):
                return Placement.SOURCE_GONE
            raise
        return Placement.PLACED

    def _making_collections(self, link: Link, path: str, order: Callable[[], T]) -> T:
        """Do it; where the collection is missing make it first. Trying costs less than asking, and no cache can be wrong."""
        for _ in range(COLLECTION_TRIES):
            try:
                return order()
            except B2streamError as error:
                if not _caused_by(error, codes.CAT_UNKNOWN_COLLECTION):
                    raise
            self._make_collection(link, path.rpartition("/")[0])
        return order()

    def _make_collection(self, link: Link, path: str) -> None:
        try:
            link.tell(f"making {path} at {self._centre}", lambda session: session.collections.create(path))
        except B2streamError as error:  # somebody else made it, or is about to
            if not _caused_by(error, codes.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME):
                raise

    # Asking -----------------------------------------------------------------------------------------------------------

    def describe(self, path: str) -> ObjectState | None:
        self._placed_path(path)
        folder, _, name = path.rpartition("/")
        return next(iter(self.find(folder, name, below=False)), None)

    def find(self, folder: str, *names: str, below: bool = True) -> list[ObjectState]:
        root = self._location.root
        top = self._placed_path(folder) if folder else root
        where = Like(Collection.name, pattern(top) + "%") if below else equal(Collection.name, top)
        return self._found(where, names, top, root, below=below)

    def _found(
        self, where: Any, names: Sequence[str], top: str, root: str, *, below: bool = False
    ) -> list[ObjectState]:
        """The objects of these names, in order of path; what the conditions let through too much is left out."""
        states = []
        for condition in one_of(names):
            for path, replicas in self._catalogue.replicas_by_path(where, condition).items():
                collection, _, name = path.rpartition("/")
                if name in names and (collection == top or (below and collection.startswith(top + "/"))):
                    states.append(state_of(path.removeprefix(root + "/"), replicas))
        return sorted(states, key=lambda state: state.path)

    def read(self, path: str, chunk_bytes: int = READ_BYTES, *, state: ObjectState | None = None) -> Iterator[bytes]:
        absolute = self._placed_path(path)
        about = f"reading {path} at {self._centre}"
        state = self._good(path, state)
        handle = self._links.of_this_thread().open(about, absolute, "r")
        try:
            remaining_bytes = state.size_bytes
            while remaining_bytes > 0:
                piece = handle.read(min(chunk_bytes, remaining_bytes))
                if not piece:
                    raise CutShort(f"{self.url(path)} ends {remaining_bytes} bytes before its size")
                remaining_bytes -= len(piece)
                yield piece
        finally:
            handle.abandon(self._timeout_s)

    def recompute_sha256(self, path: str) -> str:
        """VERIFY only compares. A forced checksum would overwrite the registered one, and with it the proof of bit rot."""
        state = self._good(path)
        if state.sha256 is None:
            digest = hashlib.sha256()
            for piece in self.read(path):
                digest.update(piece)
            return digest.hexdigest()
        complaints = RErrorStack()
        absolute = self._placed_path(path)

        def verify(session: Any) -> str | None:
            session.connection_timeout = patience_s(self._timeout_s, state.size_bytes)
            try:
                session.data_objects.chksum(absolute, **{keywords.VERIFY_CHKSUM_KW: "", "r_error": complaints})
            except (Server_Checksum_Warning, AttributeError) as error:
                if isinstance(error, AttributeError) and "'fill'" not in str(error):
                    raise
                return " ".join(complaint.message for complaint in complaints) or str(error)
            finally:
                session.connection_timeout = self._timeout_s
            return None

        complaint = self._links.of_this_thread().ask(f"verifying {path} at {self._centre}", verify)
        if complaint is None:
            return state.sha256
        computed = _COMPUTED.search(complaint)
        if computed is None:
            raise DamagedObject(f"{self.url(path)}: {complaint}")
        return base64.b64decode(computed[1]).hex()

    def attributes(self, path: str) -> Attributes:
        return self._attributes.read(self._placed_path(path))

    def set_attributes(self, path: str, attributes: Mapping[str, str]) -> None:
        self._attributes.set(self._placed_path(path), attributes)

    def list(self, folder: str = "") -> Iterator[ObjectState]:
        top = self._placed_path(folder) if folder else self._location.root
        waiting = [top]
        while waiting:
            collection = waiting.pop()
            if collection == self._location.staging_root:
                continue
            for path, rows in sorted(self._catalogue.replicas_by_path(equal(Collection.name, collection)).items()):
                if path.rpartition("/")[0] == collection:
                    yield state_of(path.removeprefix(self._location.root + "/"), rows)
            waiting += self._catalogue.collections_in(collection)

    def close(self) -> None:
        self._links.close()

    # Inside -----------------------------------------------------------------------------------------------------------

    def _staged_path(self, staged_name: str) -> str:
        if not staged_name or "/" in staged_name or staged_name in (".", ".."):
            raise BrokenInvariant(f"{staged_name!r} is no staged name")
        return f"{self._location.staging_root}/{staged_name}"

    def _placed_path(self, path: str) -> str:
        absolute = f"{self._location.root}/{path}"
        if any(part in ("", ".", "..") for part in path.split("/")):
            raise BrokenInvariant(f"{path!r} is no path below the root of the archive")
        if f"{absolute}/".startswith(f"{self._location.staging_root}/"):
            raise BrokenInvariant(f"{path!r} lies below the staging root")
        return absolute

    def _good(self, path: str, state: ObjectState | None = None) -> ObjectState:
        """Stale replicas can be read without any error, so the status is asked first."""
        state = state or self.describe(path)
        if state is None:
            raise MissingObject(self.url(path))
        if state.status is not ReplicaStatus.GOOD:
            raise DamagedObject(f"{self.url(path)} is {state.status.value}")
        return state


def _pieces(chunks: Iterable[Chunk]) -> Iterator[bytes]:
    """The same bytes in writes of 1 MiB, copied at most once. A buffer that its owner may use again is never kept."""
    held: list[bytes] = []
    held_bytes = 0
    for chunk in chunks:
        view = memoryview(chunk).cast("B")
        start = 0
        while held_bytes + len(view) - start >= WRITE_BYTES:
            end = start + WRITE_BYTES - held_bytes
            whole = isinstance(chunk, bytes) and end - start == len(chunk)
            held.append(chunk if whole else bytes(view[start:end]))  # type: ignore[arg-type]
            yield held[0] if len(held) == 1 else b"".join(held)
            held, held_bytes, start = [], 0, end
        if start < len(view):
            held.append(chunk if isinstance(chunk, bytes) and start == 0 else bytes(view[start:]))
            held_bytes += len(view) - start
    if held:
        yield held[0] if len(held) == 1 else b"".join(held)


def _caused_by(error: B2streamError, *wanted: int) -> bool:
    return error.__cause__ is not None and codes.is_code(error.__cause__, *wanted)
