"""PID records against the commit log (I6): one for each content, with its checksum and its place, and none besides.

An archive may have several prefixes: the first centre's now, those under which batches were announced before, the second centre's for
the copies. A PID is for ever, so each batch is judged by the one that its commit event names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from b2stream.batches.identity import id24, irods_checksum
from b2stream.errors import AccessRefused, Stuck
from b2stream.handles.records import PARENT, REPLICA
from b2stream.handles.service import CHECKSUM, URL, HandleService
from b2stream.programs.audit.findings import Finding, Kind
from b2stream.programs.audit.index import Index
from b2stream.programs.audit.judging import Scope

_AT_ONCE = 256
_THREADS = 4


def read_pids(
    index: Index,
    service: HandleService,
    prefixes: Iterable[str],
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Write down every record that speaks of a content, of these prefixes and of those that commit events and records name.

    A server may list handles in upper case, so a listing is only compared without regard to case; the true id24 is known from
    the commit log, and of a record that the log does not know, from its EUDAT/CHECKSUM.
    """
    index.run("DELETE FROM pid")
    index.run("DELETE FROM unserved")
    known = {suffix.casefold(): suffix for suffix in _contents(index)}
    announced = index.rows(
        "SELECT DISTINCT substr(pid, 1, instr(pid, '/') - 1) AS prefix FROM committed WHERE pid IS NOT NULL"
    )
    every = dict.fromkeys([*prefixes, *(row["prefix"] for row in announced)])
    refused: dict[str, str] = {}

    def row(handle: str) -> dict[str, Any] | None:
        return _row(service, handle)

    def row_of_copy(handle: str) -> dict[str, Any] | None:
        try:
            return _row(service, handle)
        except Stuck as error:  # others are read all the same
            refused.setdefault(handle.partition("/")[0], error.detail)
            return None

    with ThreadPoolExecutor(_THREADS, "pids") as threads:

        def take(handles: Iterator[str], read: Callable[[str], dict[str, Any] | None] = row) -> None:
            while page := list(islice(handles, _AT_ONCE)):
                index.put("pid", (row for row in threads.map(read, page) if row))
                index.keep()
                progress(len(page))

        for prefix in filter(None, every):
            try:
                take(_as_known(handle, known) for handle in service.list(prefix))
            except AccessRefused:
                raise
            except Stuck as error:  # a prefix of former days may be served by somebody else now
                index.put("unserved", [{"prefix": prefix, "detail": error.detail}])
        take(iter(_copies_elsewhere(index)), row_of_copy)
        index.put("unserved", ({"prefix": prefix, "detail": detail} for prefix, detail in refused.items()))


def _as_known(handle: str, known: Mapping[str, str]) -> str:
    prefix, _, suffix = handle.partition("/")
    return f"{prefix}/{known.get(suffix.casefold(), suffix)}"


def _copies_elsewhere(index: Index) -> list[str]:
    """PIDs of copies that records name, under a prefix that nobody else names."""
    rows = index.rows("SELECT handle, replica FROM pid WHERE replica IS NOT NULL")
    named = (row["replica"] for row in rows if _is_pid_of(row["replica"], row["handle"].partition("/")[2]))
    return [
        pid for pid in named if index.one("SELECT 1 FROM pid WHERE folded = :folded", folded=pid.casefold()) is None
    ]


def _is_pid_of(text: str | None, suffix: str) -> bool:
    return text is not None and "://" not in text and text.partition("/")[2].casefold() == suffix.casefold()


def _contents(index: Index) -> Iterator[str]:
    """The id24 of all contents that the commit log or a manifest speaks of."""
    for row in index.rows("SELECT DISTINCT id24 FROM committed WHERE id24 IS NOT NULL"):
        yield row["id24"]
    for row in index.rows("SELECT DISTINCT data_sha256 FROM manifest WHERE trouble IS NULL"):
        yield id24(row["data_sha256"])


def _row(service: HandleService, handle: str) -> dict[str, Any] | None:
    """What a record says; None for one that is of no content, as those of users and prefixes."""
    record = service.read(handle)
    checksum = record.text(CHECKSUM) if record else None
    if record is None or checksum is None:
        return None
    told = {
        "checksum": checksum,
        "url": record.text(URL),
        "replica": record.text(REPLICA),
        "parent": record.text(PARENT),
    }
    return {"folded": handle.casefold(), "handle": handle, **told}


def judge_pids(index: Index, prefix: str, scope: Scope) -> Iterator[Finding]:
    """What is unregistered, registered wrongly, or registered without being there; `prefix` is the first centre's now."""
    unserved = {row["prefix"]: row["detail"] for row in index.rows("SELECT * FROM unserved")}
    for name, detail in unserved.items():
        yield Finding(Kind.UNREGISTERED, name, detail=f"nothing under this prefix could be compared: {detail}")
    passed = (
        "SELECT c.* FROM committed c JOIN done d ON d.program = 'registrar' AND d.partition = c.partition "
        "WHERE c.offset < d.next_offset AND c.appended_at_us < :settled_us"
    )
    for row in index.rows(passed, settled_us=scope.settled_us):
        handle = row["pid"] or f"{prefix}/{row['id24']}"
        if handle.partition("/")[0] in unserved:
            continue
        record = _record(index, handle)
        if record is None:
            yield Finding(Kind.UNREGISTERED, handle, "", row["batch"], f"no record for {row['path']}")
        elif trouble := _content_trouble(row, record) or _place_trouble(index, row, record):
            yield Finding(Kind.MISREGISTERED, handle, "", row["batch"], trouble)
        elif record["url"] == row["url"] and (copy := _copy_of(index, row["batch"], scope)) is not None:
            yield from _judge_copy(index, row, record, copy, scope, unserved)
    known = {suffix.casefold() for suffix in _contents(index)}
    for record in index.rows("SELECT * FROM pid ORDER BY handle"):
        if record["folded"].partition("/")[2] not in known:
            detail = f"a PID record of {record['checksum']}, which no commit event and no manifest has"
            yield Finding(Kind.EXTRA, record["handle"], "", "", detail)


def _record(index: Index, handle: str) -> Any:
    return index.one("SELECT * FROM pid WHERE folded = :folded", folded=handle.casefold())


def _content_trouble(row: Any, record: Any) -> str:
    expected = irods_checksum(row["sha256"])
    return "" if record["checksum"] == expected else f"{CHECKSUM} is {record['checksum']}, committed was {expected}"


def _place_trouble(index: Index, row: Any, record: Any) -> str:
    places = [each["url"] for each in index.rows("SELECT url FROM committed WHERE id24 = :id24", id24=row["id24"])]
    return "" if record["url"] in places else f"{URL} is {record['url']}, committed was {row['url']}"


def _copy_of(index: Index, batch: str, scope: Scope) -> Any:
    """The replica event of a batch that the registrar has passed."""
    query = (
        "SELECT r.url FROM replicated r JOIN done d ON d.program = 'registrar of copies' AND d.partition = r.partition "
        "WHERE r.batch = :batch AND r.offset < d.next_offset AND r.appended_at_us < :settled_us"
    )
    return index.one(query, batch=batch, settled_us=scope.settled_us)


def _judge_copy(
    index: Index, row: Any, record: Any, copy: Any, scope: Scope, unserved: Mapping[str, str]
) -> Iterator[Finding]:
    """The record must name its copy: by URL, or by a PID with a record of its own, also under a former prefix of the second centre."""
    suffix = row["id24"]
    expected = f"{scope.second_prefix}/{suffix}" if scope.second_prefix else copy["url"]
    named = record["replica"]
    has_pid = _is_pid_of(named, suffix) and (
        named == expected or named.partition("/")[0] in unserved or _record(index, named) is not None
    )
    if not has_pid and named != expected:
        detail = f"{REPLICA} is {named or 'missing'}, the verified copy is {expected}"
        yield Finding(Kind.MISREGISTERED, record["handle"], "", row["batch"], detail)
    pid = named if has_pid else expected
    if not _is_pid_of(pid, suffix) or pid.partition("/")[0] in unserved:
        return
    of_copy = _record(index, pid)
    if of_copy is None:
        yield Finding(Kind.UNREGISTERED, pid, "", row["batch"], f"no record for the copy {copy['url']}")
        return
    query = "SELECT r.url FROM replicated r JOIN committed c ON c.batch = r.batch WHERE c.id24 = :id24"
    places = [each["url"] for each in index.rows(query, id24=suffix)]
    trouble = _content_trouble(row, of_copy)
    if not trouble and of_copy["url"] not in places:
        trouble = f"{URL} is {of_copy['url']}, the verified copy is {copy['url']}"
    query = "SELECT coalesce(pid, :prefix || '/' || id24) AS pid FROM committed WHERE id24 = :id24"
    originals = {each["pid"] for each in index.rows(query, id24=suffix, prefix=record["handle"].partition("/")[0])}
    if not trouble and of_copy["parent"] not in originals:
        trouble = f"{PARENT} is {of_copy['parent'] or 'missing'}, the original is {record['handle']}"
    if trouble:
        yield Finding(Kind.MISREGISTERED, pid, "", row["batch"], trouble)
