"""What lies at the centres: their catalogues' listings, the manifests' contents, and, where asked for, recomputed checksums."""

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from b2stream.archive.store import QUARANTINE_FOLDER, ObjectState, ObjectStore
from b2stream.batches.manifest import Manifest, read_manifest
from b2stream.batches.paths import MANIFEST_SUFFIX
from b2stream.contracts.records import BatchClosed
from b2stream.errors import CutShort, DamagedObject, Stuck
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.history.daily import FOLDER as DAYS

LARGEST_DOCUMENT_BYTES = 64 << 20
"""No manifest and no day's provenance is as large: what is, somebody else put there, and it may be larger than memory (I10)."""
UNREADABLE = "unreadable: "
"""Stands before the reason in place of a recomputed checksum, where a centre could not read what it stores."""
_AT_ONCE = 256
_RECOMPUTED_AT_ONCE = 32  # what a kill loses: objects may be large

Progress = Callable[[int, int | None], None]
"""Called with how many were done since the last call, and how many there are in all (None where nobody knows)."""
SignatureCheck = Callable[[BatchClosed, int], str | None]
"""(close, append time of the close in µs) -> why its signature does not hold, None where it does or none is needed."""


def no_signature_check(close: BatchClosed, closed_at_us: int) -> None:
    """The `SignatureCheck` of whoever asks for none."""


def list_centre(
    index: Index, store: ObjectStore, walk: int, folder: str = "", progress: Progress = lambda *_: None
) -> None:
    """Write down every object of a centre, below `folder` and what lies apart for it. What an earlier walk saw and this one did not
    is forgotten.
    """
    index.run("DELETE FROM quarantined WHERE centre = :centre", centre=store.centre)
    folders = [folder, f"{DAYS}/{folder}", f"{QUARANTINE_FOLDER}/{folder}"] if folder else [""]
    states = (state for each in folders for state in store.list(each))
    while page := list(islice(states, _AT_ONCE)):
        for state in page:
            if state.path.startswith(f"{QUARANTINE_FOLDER}/"):
                _note_aside(index, store.centre, state)
            else:
                note(index, store.centre, state, walk)
        progress(len(page), None)
    index.run("DELETE FROM object WHERE centre = :centre AND walk <> :walk", centre=store.centre, walk=walk)
    _list_staged(index, store)
    index.keep()


def list_aside(index: Index, store: ObjectStore, folder: str = "") -> None:
    """Write down anew what is staged at a centre, and what is set aside there, of everything or of a station."""
    index.run("DELETE FROM quarantined WHERE centre = :centre", centre=store.centre)
    for state in store.list(f"{QUARANTINE_FOLDER}/{folder}" if folder else QUARANTINE_FOLDER):
        _note_aside(index, store.centre, state)
    _list_staged(index, store)


def _note_aside(index: Index, centre: str, state: ObjectState) -> None:
    index.put("quarantined", [{"centre": centre, "path": state.path, "modified_s": state.modified_s}])


def _list_staged(index: Index, store: ObjectStore) -> None:
    index.run("DELETE FROM staged WHERE centre = :centre", centre=store.centre)
    staged = ({"centre": store.centre, "name": it.path, "modified_s": it.modified_s} for it in store.list_staged())
    index.put("staged", staged)


def note(index: Index, centre: str, state: ObjectState, walk: int) -> None:
    """Write down one object as the catalogue says; a recomputed checksum stays while the catalogue says the same."""
    index.run(
        "INSERT INTO object (centre, path, status, size_bytes, sha256, modified_s, walk) "
        "VALUES (:centre, :path, :status, :size_bytes, :sha256, :modified_s, :walk) "
        "ON CONFLICT DO UPDATE SET "
        "recomputed_sha256 = iif(modified_s IS :modified_s AND sha256 IS :sha256, recomputed_sha256, NULL), "
        "recomputed_bytes = iif(modified_s IS :modified_s AND sha256 IS :sha256, recomputed_bytes, NULL), "
        "status = :status, size_bytes = :size_bytes, sha256 = :sha256, modified_s = :modified_s, walk = :walk",
        centre=centre,
        path=state.path,
        status=state.status.value,
        size_bytes=state.size_bytes,
        sha256=state.sha256,
        modified_s=state.modified_s,
        walk=walk,
    )


def look_again(index: Index, stores: list[ObjectStore], path: str, walk: int) -> None:
    """Ask every centre once more what it has at one path."""
    for store in stores:
        state = store.describe(path)
        if state is None:
            index.run("DELETE FROM object WHERE centre = :centre AND path = :path", centre=store.centre, path=path)
        else:
            note(index, store.centre, state, walk)


def read_manifests(
    index: Index,
    stores: list[ObjectStore],
    check_signature: SignatureCheck,
    progress: Progress = lambda *_: None,
    now_s: Callable[[], float] = time.time,
) -> None:
    """Read each manifest that is new or changed: at the first centre that has the committed one, else the first that has any."""
    suffix_length = len(MANIFEST_SUFFIX)
    query = (
        "SELECT DISTINCT path, (SELECT manifest_sha256 FROM committed WHERE manifest_path = object.path) AS committed FROM object "
        "WHERE substr(path, -:length) = :suffix AND status = 'good' "
        "AND NOT EXISTS (SELECT 1 FROM manifest m JOIN object o ON o.path = m.path "
        "WHERE m.path = object.path AND m.sha256 = o.sha256)"
    )
    every = [tuple(row) for row in index.rows(query, length=suffix_length, suffix=MANIFEST_SUFFIX)]
    todo = iter(every)
    with ThreadPoolExecutor(4, "manifests") as threads:
        while page := list(islice(todo, _AT_ONCE)):
            judged = {"judged_at_s": now_s()}
            rows = threads.map(lambda it: _manifest_row(stores, it[0], it[1], check_signature), page)
            index.put("manifest", (row | judged for row in rows))
            index.keep()
            progress(len(page), len(every))
    index.run("DELETE FROM manifest WHERE NOT EXISTS (SELECT 1 FROM object o WHERE o.path = manifest.path)")


def _manifest_row(
    stores: list[ObjectStore], path: str, committed_sha256: str | None, check_signature: SignatureCheck
) -> dict[str, Any]:
    """What the manifest says, of several the committed one; `trouble` where no centre has one that can be read."""
    found: list[dict[str, Any]] = []
    for store in stores:
        try:
            content = read_document(store, path)
        except Stuck as error:
            found.append({"path": path, "trouble": f"{store.centre}: {error.detail}"})
            continue
        row = {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
        try:
            row |= _facts(read_manifest(content), path, check_signature)
        except DamagedObject as error:
            row["trouble"] = f"{store.centre}: {error.detail}"
        if committed_sha256 in (None, row["sha256"]) and row["trouble"] is None:
            return row
        found.append(row)
    return min(found, key=lambda row: row["trouble"] is not None)


def _facts(manifest: Manifest, path: str, check_signature: SignatureCheck) -> dict[str, Any]:
    close, data_path = manifest.close, str(manifest.document["data_object"]["path"])
    if data_path + MANIFEST_SUFFIX != path:
        raise DamagedObject(f"it speaks of {data_path}")
    return {
        "trouble": None,
        "batch": manifest.batch,
        "station": close.station,
        "series": close.series,
        "number": close.series_number,
        "previous": close.previous,
        "digest": hashlib.sha256(close.signed_bytes()).hexdigest(),
        "attempt": close.attempt,
        "data_path": data_path,
        "data_size_bytes": close.raw_size_bytes,
        "data_sha256": close.raw_sha256,
        "stop_us": close.stop_us,
        "closed_at_us": manifest.log.closed_at_us,
        "topic_id": manifest.log.topic_id,
        "forged": check_signature(close, manifest.log.closed_at_us),
    }


def read_document(store: ObjectStore, path: str) -> bytes:
    """The bytes of a manifest, or of a day's provenance. Raises Stuck, also where it is too large to be one, Retryable."""
    content = bytearray()
    for piece in store.read(path):
        content += piece
        if len(content) > LARGEST_DOCUMENT_BYTES:
            raise DamagedObject(f"{path} has more than {LARGEST_DOCUMENT_BYTES} bytes: it is no document of b2stream")
    return bytes(content)


def forget_recomputed(index: Index, centre: str, path: str) -> None:
    """Let the next `recompute` read an object again."""
    query = (
        "UPDATE object SET recomputed_sha256 = NULL, recomputed_bytes = NULL WHERE centre = :centre AND path = :path"
    )
    index.run(query, centre=centre, path=path)


def note_recomputed(
    index: Index, centre: str, path: str, sha256: str, size_bytes: int | None, at_s: float | None = None
) -> None:
    """Write down what the stored bytes hash to, or why they cannot be read, how many they are where that is known, and when they
    were read, the earliest (UNIX seconds; None: now).
    """
    query = "UPDATE object SET recomputed_sha256 = :sha256, recomputed_bytes = :size_bytes, recomputed_at_s = :at_s "
    query += "WHERE centre = :centre AND path = :path"
    at_s = time.time() if at_s is None else at_s
    index.run(query, sha256=sha256, size_bytes=size_bytes, at_s=at_s, centre=centre, path=path)


def forget_forged(index: Index) -> None:
    """Let the next `read_manifests` judge again the signatures that did not hold."""
    index.run("DELETE FROM manifest WHERE forged IS NOT NULL")


def recompute(
    index: Index,
    stores: list[ObjectStore],
    progress: Progress = lambda *_: None,
    now_s: Callable[[], float] = time.time,
) -> None:
    """Let each centre read again what it stores, but for what `resuming` took over from an audit that was stopped."""
    query = "SELECT path, sha256 FROM object WHERE centre = :centre AND status = 'good' AND recomputed_sha256 IS NULL"
    counting = f"SELECT count(*) AS n FROM ({query})"  # noqa: S608
    total = sum(int(row["n"]) for store in stores for row in index.rows(counting, centre=store.centre))
    for store in stores:
        todo = iter([tuple(row) for row in index.rows(query, centre=store.centre)])
        with ThreadPoolExecutor(4, "recomputing") as threads:
            while page := list(islice(todo, _RECOMPUTED_AT_ONCE)):
                at_s = now_s()
                answers = threads.map(lambda it, at=store: _recomputed(at, *it), page)
                for (path, _), (sha256, size_bytes) in zip(page, answers, strict=True):
                    note_recomputed(index, store.centre, path, sha256, size_bytes, at_s)
                index.keep()
                progress(len(page), total)


def _recomputed(store: ObjectStore, path: str, registered_sha256: str | None) -> tuple[str, int | None]:
    """What the stored bytes hash to; where that is not what is registered, they are read here too, to know how many they are.

    Where they cannot be read the reason stands in place of the checksum; how many they are is known only where they end too early.
    """
    try:
        found = store.recompute_sha256(path)
        if found == registered_sha256:
            return found, None
    except Stuck:
        pass  # reading tells why
    digest, size_bytes = hashlib.sha256(), 0
    try:
        for piece in store.read(path):
            digest.update(piece)
            size_bytes += len(piece)
    except CutShort as error:
        return f"{UNREADABLE}{error.detail}", size_bytes
    except Stuck as error:
        return f"{UNREADABLE}{error.detail}", None
    return digest.hexdigest(), size_bytes
