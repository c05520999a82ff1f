"""PID records against the commit log (I6): one for each content, with its checksum and its place, and none besides."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from b2stream.batches.identity import id24, irods_checksum
from b2stream.handles.records import REPLICA
from b2stream.handles.service import CHECKSUM, URL, HandleService
from b2stream.programs.audit.findings import Finding, Kind
from b2stream.programs.audit.index import Index
from b2stream.programs.audit.judging import Scope

_AT_ONCE = 256
_THREADS = 4


def read_pids(
    index: Index, service: HandleService, prefix: str, progress: Callable[[int], None] = lambda _: None
) -> None:
    """Write down every record of a prefix that speaks of a content.

    A server may list handles in upper case, so a listing is only compared without regard to case; the true id24 is known from
    the commit log, and of a record that the log does not know, from its EUDAT/CHECKSUM.
    """
    index.run("DELETE FROM pid")
    known = {handle.casefold(): handle for handle in _known(index, prefix)}
    listed = (known.get(handle.casefold(), handle) for handle in service.list(prefix))
    with ThreadPoolExecutor(_THREADS, "pids") as threads:
        while page := list(islice(listed, _AT_ONCE)):
            index.put("pid", (row for row in threads.map(lambda handle: _row(service, handle), page) if row))
            index.keep()
            progress(len(page))


def _known(index: Index, prefix: str) -> Iterator[str]:
    """The PIDs of all contents that the commit log or a manifest speaks of."""
    for row in index.rows("SELECT DISTINCT id24 FROM committed"):
        yield f"{prefix}/{row['id24']}"
    for row in index.rows("SELECT DISTINCT data_sha256 FROM manifest WHERE trouble IS NULL"):
        yield f"{prefix}/{id24(row['data_sha256'])}"


def _row(service: HandleService, handle: str) -> dict[str, Any] | None:
    """What a record says; None for one that is of no content, as those of users and prefixes."""
    record = service.read(handle)
    checksum = record.text(CHECKSUM) if record else None
    if record is None or checksum is None:
        return None
    folded = handle.casefold()
    return {
        "folded": folded,
        "handle": handle,
        "checksum": checksum,
        "url": record.text(URL),
        "replica": record.text(REPLICA),
    }


def judge_pids(index: Index, prefix: str, scope: Scope) -> Iterator[Finding]:
    """What is unregistered, registered wrongly, or registered without being there."""
    passed = (
        "SELECT c.* FROM committed c JOIN done d ON d.program = 'registrar' AND d.partition = c.partition "
        "WHERE c.offset < d.next_offset AND c.appended_at_us < :settled_us"
    )
    for row in index.rows(passed, settled_us=scope.settled_us):
        handle = f"{prefix}/{row['id24']}"
        record = index.one("SELECT * FROM pid WHERE folded = :folded", folded=handle.casefold())
        if record is None:
            yield Finding(Kind.UNREGISTERED, handle, "", row["batch"], f"no record for {row['path']}")
        elif trouble := _trouble(index, row, record, scope):
            yield Finding(Kind.MISREGISTERED, handle, "", row["batch"], trouble)
    known = {handle.casefold() for handle in _known(index, prefix)}
    for record in index.rows("SELECT * FROM pid ORDER BY handle"):
        if record["folded"] not in known:
            detail = f"a PID record of {record['checksum']}, which no commit event and no manifest has"
            yield Finding(Kind.EXTRA, record["handle"], "", "", detail)


def _trouble(index: Index, row: Any, record: Any, scope: Scope) -> str:
    expected = irods_checksum(row["sha256"])
    if record["checksum"] != expected:
        return f"{CHECKSUM} is {record['checksum']}, committed was {expected}"
    places = [each["url"] for each in index.rows("SELECT url FROM committed WHERE id24 = :id24", id24=row["id24"])]
    if record["url"] not in places:
        return f"{URL} is {record['url']}, committed was {row['url']}"
    copied = (
        "SELECT r.url FROM replicated r JOIN done d ON d.program = 'registrar of copies' AND d.partition = r.partition "
        "WHERE r.batch = :batch AND r.offset < d.next_offset AND r.appended_at_us < :settled_us"
    )
    copy = index.one(copied, batch=row["batch"], settled_us=scope.settled_us)
    if copy is not None and record["url"] == row["url"]:
        expected = f"{scope.second_prefix}/{row['id24']}" if scope.second_prefix else copy["url"]
        if record["replica"] != expected:
            return f"{REPLICA} is {record['replica'] or 'missing'}, the verified copy is {expected}"
    return ""
