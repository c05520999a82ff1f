"""Verify one data object: fetch it and its manifest, hash them here, and compare with everything that speaks of them."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from b2stream.archive.store import ObjectStore
from b2stream.batches.identity import id24
from b2stream.batches.manifest import Manifest, paths_of, read_manifest
from b2stream.batches.paths import UNDATED
from b2stream.batches.provenance import acquisition_and_submission
from b2stream.batches.signing import check_origin, is_signed_by
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import StationDescription, StationKey, key_id, public_bytes
from b2stream.errors import AccessRefused, ConfigurationError, DamagedObject, Poison, Stuck
from b2stream.programs.audit.gathering.origins import must_be_signed
from b2stream.programs.audit.gathering.walking import read_document
from b2stream.programs.audit.unanswered import UNANSWERED, unanswered
from b2stream.programs.audit.verify.checks import Check, Outcome, compared
from b2stream.programs.audit.verify.registered import Registered
from b2stream.programs.audit.verify.subjects import Subject

Progress = Callable[[int], None]
"""Called with the number of bytes of each piece that was read."""

NOT_OFFLINE = (
    "variables, labels, summary and place in the log, as the manifest tells them; copies at the centres and their catalogues; events, "
    "PID record, attributes; whose key it is, and whether it held then"
)
_MONTH = re.compile(rf"\d{{4}}/\d\d|{UNDATED}")
_READ_BYTES = 1 << 20


@dataclass
class Verifier:
    """Compares what lies at the centres. `stations` None: nobody could be asked whose keys there are; `second`: that centre's name."""

    stores: list[ObjectStore]
    stations: Mapping[str, StationDescription] | None = None
    accept_unsigned: bool = True
    registered: Registered | None = None
    second: str = ""
    progress: Progress = lambda _: None
    manifests: dict[str, bytes] = field(default_factory=dict)

    def verify(self, subject: Subject) -> Iterator[Check]:
        """Every check of a data object, centre by centre; the manifests must be the same everywhere."""
        for store in self.stores:
            try:
                yield from self._at_centre(store, subject)
            except UNANSWERED as error:
                yield unanswered(store.centre, "the centre answers", error)
        if len(self.manifests) > 1:
            same = len(set(self.manifests.values())) == 1
            yield compared(" and ".join(self.manifests), "the manifests are the same, byte for byte", same, True)
        if self.registered is not None and subject.event is not None:
            yield from self.registered.records(subject.event, subject.replica, subject.places)
        yield from self._left_out(subject)

    def _left_out(self, subject: Subject) -> Iterator[Check]:
        """What this deployment, or this batch, gives nothing to compare with."""
        if subject.event is None:
            about = "what was announced: the manifest's SHA-256, PID record, attributes"
            yield Check("log", about, Outcome.LEFT_OUT, "no commit event speaks of it; the manifest alone was believed")
        if self.registered is None:
            about = "PID record and attributes"
            yield Check("Handle server", about, Outcome.LEFT_OUT, "the settings name no server, or no prefix")

    def _at_centre(self, store: ObjectStore, subject: Subject) -> Iterator[Check]:
        if store.centre == self.second and _wants_no_copy_there(store, subject):
            about = "the second copy"
            yield Check(store.centre, about, Outcome.LEFT_OUT, "the policies of its commit event want one copy")
            return
        content, check = self._manifest(store, subject)
        yield check
        if content is None:
            if subject.event is not None:
                yield from self._data_object(
                    store, subject, subject.event.size_bytes, subject.event.sha256, "commit event"
                )
            return
        self.manifests[store.centre] = content
        if subject.event is not None:
            sha256 = hashlib.sha256(content).hexdigest()
            yield compared(
                store.centre, "the manifest is the one that was announced", sha256, subject.event.manifest_sha256
            )
        try:
            manifest = read_manifest(content)
        except DamagedObject as error:
            yield Check(store.centre, "the manifest agrees with itself", Outcome.BAD, error.detail)
            return
        yield from self._agreement(store, subject, manifest)
        yield from self._data_object(
            store, subject, manifest.close.raw_size_bytes, manifest.close.raw_sha256, "manifest"
        )
        yield self.signature(store.centre, manifest.close, manifest.log.closed_at_us)
        if self.registered is not None and subject.event is not None:
            yield from self.registered.attributes(store, subject.newest or subject.event, subject.replica)

    def _manifest(self, store: ObjectStore, subject: Subject) -> tuple[bytes | None, Check]:
        about = "the manifest is there and whole"
        try:
            content = read_document(store, subject.manifest_path)
        except AccessRefused:
            raise
        except Stuck as error:
            return None, Check(store.centre, about, Outcome.BAD, error.detail)
        return content, Check(store.centre, about, Outcome.GOOD)

    def _agreement(self, store: ObjectStore, subject: Subject, manifest: Manifest) -> Iterator[Check]:
        yield compared(
            store.centre,
            "the manifest speaks of this data object",
            manifest.document["data_object"]["path"],
            subject.path,
        )
        if subject.event is None:
            return
        event, close = subject.event, manifest.close
        for about, found, announced in (
            ("batch", manifest.batch, event.batch),
            ("rows", close.rows, event.rows),
            ("content digest", close.content_digest, event.content_digest),
            ("number in its series", close.series_number, event.series_number),
        ):
            if found != announced:
                yield compared(store.centre, f"manifest and commit event name the same {about}", found, announced)

    def _data_object(
        self, store: ObjectStore, subject: Subject, size_bytes: int, sha256: str, witness: str
    ) -> Iterator[Check]:
        digest, seen_bytes = hashlib.sha256(), 0
        try:
            for piece in store.read(subject.path):
                digest.update(piece)
                seen_bytes += len(piece)
                self.progress(len(piece))
        except AccessRefused:
            raise
        except Stuck as error:
            yield Check(store.centre, "the data object is there and whole", Outcome.BAD, error.detail)
            return
        yield compared(store.centre, f"size of the data object, bytes, as in the {witness}", seen_bytes, size_bytes)
        yield compared(store.centre, f"its SHA-256, computed here, as in the {witness}", digest.hexdigest(), sha256)
        state = store.describe(subject.path)
        if state is not None:
            yield compared(store.centre, "its checksum in the catalogue", state.sha256, sha256)

    def signature(self, where: str, close: BatchClosed, closed_at_us: int) -> Check:
        """Whether the station signed this close, with a key that it had then."""
        about = "signed by the station"
        if self.stations is None:
            return Check(where, about, Outcome.LEFT_OUT, "no station descriptions to compare with")
        if not must_be_signed(close, closed_at_us, self.stations, accept_unsigned=self.accept_unsigned):
            return Check(where, about, Outcome.LEFT_OUT, f"station {close.station} had no key then")
        try:
            check_origin(close, closed_at_us, self.stations, accept_unsigned=self.accept_unsigned)
        except Poison as error:
            return Check(where, about, Outcome.BAD, f"{error.reason}: {error.detail}")
        return Check(where, about, Outcome.GOOD, f"key {close.key}")


def _wants_no_copy_there(store: ObjectStore, subject: Subject) -> bool:
    """Whether the commit event wants no copy at the second centre, and none lies there. One that does is verified as any other."""
    if subject.event is None or subject.event.copies != 1:
        return False
    return store.describe(subject.path) is None and store.describe(subject.manifest_path) is None


def verify_offline(
    file: Path, manifest_file: Path, key: str | None, progress: Progress = lambda _: None
) -> Iterator[Check]:
    """Check a downloaded file against its manifest, and the manifest against a public key (base64), without any network.

    Raises ConfigurationError for a key that is none, OSError for files that cannot be read.
    """
    where = file.name
    try:
        manifest = read_manifest(manifest_file.read_bytes())
    except DamagedObject as error:
        yield Check(manifest_file.name, "the manifest agrees with itself", Outcome.BAD, error.detail)
        return
    yield Check(manifest_file.name, "the manifest agrees with itself", Outcome.GOOD, f"batch {manifest.batch[:12]}")
    digest, seen_bytes = hashlib.sha256(), 0
    with file.open("rb") as content:
        while piece := content.read(_READ_BYTES):
            digest.update(piece)
            seen_bytes += len(piece)
            progress(len(piece))
    close = manifest.close
    yield compared(where, "size in bytes, as in the manifest", seen_bytes, close.raw_size_bytes)
    yield compared(where, "SHA-256, computed here, as in the manifest", digest.hexdigest(), close.raw_sha256)
    yield compared(where, "suffix of its PID", id24(digest.hexdigest()), manifest.document["data_object"]["id24"])
    yield from _as_the_close_says(manifest_file.name, manifest)
    yield _signed_with(manifest_file.name, close, key)
    yield Check(manifest_file.name, NOT_OFFLINE, Outcome.LEFT_OUT, "nothing was asked over a network")


def _as_the_close_says(where: str, manifest: Manifest) -> Iterator[Check]:
    """Path and provenance, which the manifest says beside the close: each is a function of it."""
    yield _path_of_the_close(where, manifest)
    same = manifest.document.get("provenance") == acquisition_and_submission(manifest.close, manifest.batch)
    detail = "" if same else "it tells another history of acquisition and submission"
    about = "its provenance is the one that the close tells"
    yield Check(where, about, Outcome.GOOD if same else Outcome.BAD, detail)


def _path_of_the_close(where: str, manifest: Manifest) -> Check:
    about = "its path is the one that the close leads to"
    path = str(manifest.document["data_object"]["path"])
    try:
        paths = paths_of(manifest.close)
    except Poison as error:
        return Check(where, about, Outcome.BAD, f"{error.reason}: {error.detail}")
    month = path.removeprefix(f"{paths.series_folder}/").removesuffix(f"/{paths.object_name}")
    lies_in = f"{paths.series_folder}/{month}"
    if path == f"{lies_in}/{paths.object_name}" and lies_in != paths.folder and _MONTH.fullmatch(month):
        # A batch that was archived before stays where it lies (`data_path` of `build_manifest`).
        return Check(where, about, Outcome.GOOD, f"but for the month: {month}")
    return compared(where, about, path, paths.data_object)


def _signed_with(where: str, close: BatchClosed, key: str | None) -> Check:
    about = "signed with this public key"
    if key is None:
        return Check(where, about, Outcome.LEFT_OUT, "no key was given" if close.signature else "it is not signed")
    public = public_bytes(key)
    if public is None:
        raise ConfigurationError("this is no public key: 32 bytes in base64, as `b2stream station show` prints them")
    if close.signature is None:
        return Check(where, about, Outcome.BAD, "it is not signed")
    is_good = is_signed_by(close, StationKey(key_id(public), key, 0))
    return Check(where, about, Outcome.GOOD if is_good else Outcome.BAD, f"signed by key {close.key}")
