"""What lies beside the batches: daily provenance below `.provenance/`, dead batches below `.dead/`, copies set aside below `.quarantine/`.

A day's document must lie at both centres. Its name ends in twelve characters of its own SHA-256, so that the name tells whether the
catalogue speaks of the same bytes; the event of its archiving tells that it was there at all. A dead batch lies at the first centre
alone, and its letter names it. What repair has set aside is damaged by definition; it must only have been told.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from b2stream.archive.store import QUARANTINE_FOLDER, ObjectStore
from b2stream.batches.identity import id24
from b2stream.batches.paths import DEAD_FOLDER
from b2stream.errors import Stuck
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.walking import Progress, note_recomputed, read_document
from b2stream.programs.audit.history.daily import FOLDER as DAYS
from b2stream.programs.audit.history.daily import SETTLED_AFTER
from b2stream.programs.audit.judging.batches import Scope, damage_of
from b2stream.programs.audit.judging.findings import Finding, Kind

ARCHIVED_WITHIN = timedelta(days=1)
"""So long after a day has settled its document may still be on its way: a timer that runs once a day, and one that was late."""
_DAY = re.compile(
    rf"{re.escape(DAYS)}/(?P<station>[^/]+)/\d{{4}}/\d\d/(?P=station)_(?P<day>\d{{8}})~(?P<suffix>.{{12}})\.prov\.json"
)
_BATCH = re.compile(r"batch:([0-9a-f]+)/")


def judge_apart(index: Index, scope: Scope) -> Iterator[Finding]:
    """What is missing, damaged, extra or untold beside the batches, and days that were never archived."""
    _expect_days_everywhere(index, scope)
    settled_s = scope.settled_us / 1e6
    for centre in scope.centres:
        query = "SELECT k.path FROM apart k LEFT JOIN object o ON o.centre = k.centre AND o.path = k.path "
        for row in index.rows(query + "WHERE k.centre = :centre AND o.path IS NULL", centre=centre):
            yield Finding(Kind.MISSING, row["path"], centre, detail="it was archived, and is not there")
    query = "SELECT k.*, o.status, o.size_bytes AS now_bytes, o.sha256 AS now_sha256, o.recomputed_sha256, o.recomputed_bytes "
    for row in index.rows(query + "FROM apart k JOIN object o ON o.centre = k.centre AND o.path = k.path"):
        if (damage := damage_of(row)) is not None:
            kind, detail = damage
            yield Finding(kind, row["path"], row["centre"], detail=detail)
    query = "SELECT o.* FROM object o LEFT JOIN apart k ON k.centre = o.centre AND k.path = o.path "
    query += "WHERE substr(o.path, 1, 1) = '.' AND k.path IS NULL AND o.modified_s < :settled_s"
    for row in index.rows(query, settled_s=settled_s):
        yield _stranger(row)
    for row in index.rows("SELECT * FROM day WHERE trouble IS NOT NULL"):
        if _is_named_after(row["path"], row["sha256"]):  # else its checksum is the finding
            yield Finding(Kind.ALTERED, row["path"], row["centre"], detail=row["trouble"])
    query = "SELECT a.* FROM quarantined a LEFT JOIN told_aside t ON t.centre = a.centre AND t.path = a.path "
    for row in index.rows(query + "WHERE t.path IS NULL AND a.modified_s < :settled_s", settled_s=settled_s):
        yield Finding(Kind.UNRECORDED, row["path"], row["centre"], detail="no event tells why it was set aside")
    yield from _never_archived(index, scope)


def _expect_days_everywhere(index: Index, scope: Scope) -> None:
    """What the log names, and days that it does not name (any more) but whose name agrees with a centre's checksum."""
    index.run("DELETE FROM apart")
    index.run(
        "INSERT INTO apart SELECT path, centre, size_bytes, sha256 FROM kept WHERE substr(path, 1, length(:dead)) = :dead",
        dead=f"{DEAD_FOLDER}/",
    )
    told = index.rows(
        "SELECT path, size_bytes, sha256 FROM kept WHERE substr(path, 1, length(:days)) = :days", days=DAYS
    )
    seen = index.rows(
        "SELECT path, size_bytes, sha256 FROM object WHERE substr(path, 1, length(:days)) = :days AND status = 'good'",
        days=f"{DAYS}/",
    )
    for rows in (list(told), list(seen)):
        for row in rows:
            if not _is_named_after(row["path"], row["sha256"]):
                continue
            expected = {"path": row["path"], "size_bytes": row["size_bytes"], "sha256": row["sha256"]}
            index.put("apart", [{**expected, "centre": centre} for centre in scope.centres], keep_first=True)


def _is_named_after(path: str, sha256: str | None) -> bool:
    named = _DAY.fullmatch(path)
    return named is not None and sha256 is not None and id24(sha256).startswith(named["suffix"])


def _stranger(row: Any) -> Finding:
    path, centre = row["path"], row["centre"]
    if _DAY.fullmatch(path):
        return Finding(Kind.ALTERED, path, centre, detail=f"SHA-256 {row['sha256']} does not begin as its name says")
    if path.startswith(f"{DEAD_FOLDER}/"):
        return Finding(Kind.EXTRA, path, centre, detail="no dead letter names it")
    return Finding(Kind.EXTRA, path, centre, detail="it belongs to no batch and to no day")


def _never_archived(index: Index, scope: Scope) -> Iterator[Finding]:
    """Days with events between the first day that was archived and yesterday, without a document of their own."""
    paths = index.rows("SELECT DISTINCT path FROM apart WHERE substr(path, 1, length(:days)) = :days", days=f"{DAYS}/")
    archived = {(named["station"], named["day"]) for row in paths if (named := _DAY.fullmatch(row["path"]))}
    if not archived or not scope.sees_first:
        return
    first_day = min(day for _, day in archived)
    last_s = scope.now_s - (SETTLED_AFTER + ARCHIVED_WITHIN + timedelta(days=1)).total_seconds()
    last_day = f"{datetime.fromtimestamp(last_s, UTC):%Y%m%d}"
    query = "SELECT station, day FROM active WHERE day BETWEEN :first AND :last ORDER BY day, station"
    for row in index.rows(query, first=first_day, last=last_day):
        station, day = row["station"], row["day"]
        if (station, day) not in archived:
            path = f"{DAYS}/{station}/{day[:4]}/{day[4:6]}/{station}_{day}"
            cure = f"`b2stream archive-provenance --day {day[:4]}-{day[4:6]}-{day[6:]}`"
            yield Finding(
                Kind.MISSING, path, scope.first, detail=f"what happened on that day was never archived: {cure}"
            )


def trouble_of(path: str, content: bytes, batch_of: Callable[[str], Any]) -> str | None:
    """What is wrong with a day's document beyond its checksum; None where nothing is.

    `batch_of` gives station and path of a batch that the log or a manifest knows, None for any other.
    """
    named = _DAY.fullmatch(path)
    try:
        document = json.loads(content)
        activities, entities = dict(document["activity"]), dict(document["entity"])
        urls = {name: about.get("b2stream:url") for name, about in entities.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"it cannot be read as W3C PROV-JSON: {error!r}"
    for name in {**activities, **entities}:
        found = _BATCH.match(name)
        batch = batch_of(found[1]) if found else None
        if found is None or batch is None:
            return f"it tells of {name}, which no commit event and no manifest names"
        if named is not None and batch["station"] != named["station"]:
            return f"it tells of {name}, which is of station {batch['station']}"
        url = urls.get(name)
        if url is not None and not unquote(str(url)).endswith("/" + batch["path"]):
            return f"it tells of {url}, and {name} is {batch['path']}"
    return None


def read_days(index: Index, stores: list[ObjectStore], progress: Progress = lambda *_: None) -> None:
    """Read each day's document that is new, changed or was wrong, at the first centre that can, and compare it with the log."""
    query = "SELECT DISTINCT path FROM object o WHERE substr(path, 1, length(:days)) = :days AND status = 'good' "
    query += "AND NOT EXISTS (SELECT 1 FROM day d WHERE d.path = o.path AND d.sha256 = o.sha256 AND d.trouble IS NULL)"
    todo = [row["path"] for row in index.rows(query, days=f"{DAYS}/") if _DAY.fullmatch(row["path"])]
    with ThreadPoolExecutor(4, "days") as threads:
        for path, found in zip(todo, threads.map(lambda path: _first_readable(stores, path), todo), strict=True):
            if found is None:
                continue  # what no centre can read shows where the centres read it again
            centre, content = found
            sha256 = hashlib.sha256(content).hexdigest()
            trouble = trouble_of(path, content, lambda batch: _known_batch(index, batch))
            if index.one(
                "SELECT 1 FROM object WHERE centre = :c AND path = :p AND sha256 = :s", c=centre, p=path, s=sha256
            ):
                index.put("day", [{"path": path, "sha256": sha256, "centre": centre, "trouble": trouble}])
            else:
                note_recomputed(index, centre, path, sha256, len(content))
            progress(1, len(todo))
    index.run("DELETE FROM day WHERE NOT EXISTS (SELECT 1 FROM object o WHERE o.path = day.path)")
    index.keep()


def _first_readable(stores: list[ObjectStore], path: str) -> tuple[str, bytes] | None:
    for store in stores:
        with contextlib.suppress(Stuck):
            return store.centre, read_document(store, path)
    return None


def _known_batch(index: Index, batch: str) -> Any:
    query = "SELECT station, path FROM committed WHERE batch = :batch "
    query += "UNION ALL SELECT station, data_path FROM manifest WHERE batch = :batch AND trouble IS NULL"
    return index.one(query, batch=batch)


def station_of(path: str) -> str:
    """Whose object it is: the first folder of its path, below `.provenance/` and `.quarantine/` the second."""
    first, _, rest = path.partition("/")
    return rest.partition("/")[0] if first in (DAYS, QUARANTINE_FOLDER) else first
