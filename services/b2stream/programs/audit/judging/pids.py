"""PID records against the commit log (I6): one for each content, with its checksum and its place, and none besides.

The whole record is compared, value by value, with what the events of its batch say that it must be.

An archive may have several prefixes: the first centre's now, those under which batches were announced before, the second centre's for
the copies. A PID is for ever, so each batch is judged by the one that its commit event names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from b2stream.batches.identity import id24, irods_checksum
from b2stream.errors import AccessRefused, Stuck
from b2stream.handles.records import PARENT, REPLICA, Prefixes, first_record, second_record
from b2stream.handles.service import CHECKSUM, URL, HandleRecord, HandleService
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.judging.batches import Scope
from b2stream.programs.audit.judging.differing import Difference, as_text, differences, from_text
from b2stream.programs.audit.judging.findings import Finding, Kind

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
    with ThreadPoolExecutor(_THREADS, "pids") as threads:

        def take(handles: Iterator[str], read: Callable[[str], dict[str, Any] | None]) -> None:
            while page := list(islice(handles, _AT_ONCE)):
                index.put("pid", (row for row in threads.map(read, page) if row))
                index.keep()
                progress(len(page))

        for prefix in _prefixes(index, prefixes):
            try:
                take((_as_known(handle, known) for handle in service.list(prefix)), partial(_row, service))
            except AccessRefused:
                raise
            except Stuck as error:  # a prefix of former days may be served by somebody else now
                index.put("unserved", [{"prefix": prefix, "detail": error.detail}])
        refused: dict[str, str] = {}
        take(iter(_copies_elsewhere(index)), partial(_row_of_copy, service, refused))
        index.put("unserved", ({"prefix": prefix, "detail": detail} for prefix, detail in refused.items()))


def _prefixes(index: Index, given: Iterable[str]) -> list[str]:
    """Those given and those under which batches were announced, each once."""
    query = "SELECT DISTINCT substr(pid, 1, instr(pid, '/') - 1) AS prefix FROM committed WHERE pid IS NOT NULL"
    return list(dict.fromkeys(filter(None, [*given, *(row["prefix"] for row in index.rows(query))])))


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
    told = {"checksum": checksum, "replica": record.text(REPLICA), "stated": as_text(record)}
    return {"folded": handle.casefold(), "handle": handle, **told}


def _row_of_copy(service: HandleService, refused: dict[str, str], handle: str) -> dict[str, Any] | None:
    """The same for a copy's PID; where its prefix is not served, why goes to `refused`, and others are read all the same."""
    try:
        return _row(service, handle)
    except Stuck as error:
        refused.setdefault(handle.partition("/")[0], error.detail)
        return None


@dataclass(frozen=True, slots=True)
class _Committed:
    """What a record is made of, from the index. `pid` is the one that counts, whether it was announced or not."""

    pid: str
    id24: str
    url: str
    sha256: str
    closed_at_us: int

    @classmethod
    def of(cls, row: Any, pid: str) -> "_Committed":
        return cls(pid, row["id24"], row["url"], row["sha256"], row["closed_at_us"])


@dataclass(frozen=True, slots=True)
class _Replicated:
    commit: _Committed
    url: str


def judge_pids(index: Index, prefixes: Prefixes, scope: Scope) -> Iterator[Finding]:
    """What is unregistered, registered wrongly, or registered without being there; `prefixes` are those of now."""
    unserved = {row["prefix"]: row["detail"] for row in index.rows("SELECT * FROM unserved")}
    for name, detail in unserved.items():
        yield Finding(Kind.UNREGISTERED, name, detail=f"nothing under this prefix could be compared: {detail}")
    passed = (
        "SELECT c.*, EXISTS (SELECT 1 FROM done d WHERE d.program = 'replicator' AND d.partition = c.partition "
        "AND c.offset < d.next_offset) AS is_past_replicator "
        "FROM committed c JOIN done d ON d.program = 'registrar' AND d.partition = c.partition "
        "WHERE c.offset < d.next_offset AND c.appended_at_us < :settled_us"
    )
    for row in index.rows(passed, settled_us=scope.settled_us):
        handle = row["pid"] or f"{prefixes.first}/{row['id24']}"
        if handle.partition("/")[0] in unserved:
            continue
        record = _record(index, handle)
        if record is None:
            yield Finding(Kind.UNREGISTERED, handle, "", row["batch"], f"no record for {row['path']}")
        elif trouble := _content_trouble(row, record) or _place_trouble(index, row, record):
            yield Finding(Kind.MISREGISTERED, handle, "", row["batch"], trouble)
        elif record.text(URL) == row["url"]:  # else it is judged with the batch whose place it names
            try:
                yield from _judge_whole(index, row, record, prefixes, scope, unserved)
            except OverflowError:  # one odd event stops no audit
                detail = (
                    f"no record can be right: its close is dated {row['closed_at_us']} µs, an instant of no calendar"
                )
                yield Finding(Kind.MISREGISTERED, handle, "", row["batch"], detail)
    known = {suffix.casefold() for suffix in _contents(index)}
    for found in index.rows("SELECT * FROM pid ORDER BY handle"):
        if found["folded"].partition("/")[2] not in known:
            detail = f"a PID record of {found['checksum']}, which no commit event and no manifest has"
            yield Finding(Kind.EXTRA, found["handle"], "", "", detail)


def _record(index: Index, handle: str) -> HandleRecord | None:
    row = index.one("SELECT stated FROM pid WHERE folded = :folded", folded=handle.casefold())
    return None if row is None else from_text(handle, row["stated"])


def _content_trouble(row: Any, record: HandleRecord) -> str:
    found, expected = record.text(CHECKSUM), irods_checksum(row["sha256"])
    return "" if found == expected else f"{CHECKSUM} is {found}, committed was {expected}"


def _place_trouble(index: Index, row: Any, record: HandleRecord) -> str:
    places = [each["url"] for each in index.rows("SELECT url FROM committed WHERE id24 = :id24", id24=row["id24"])]
    found = record.text(URL)
    return "" if found in places else f"{URL} is {found}, committed was {row['url']}"


def _judge_whole(
    index: Index, row: Any, record: HandleRecord, prefixes: Prefixes, scope: Scope, unserved: Mapping[str, str]
) -> Iterator[Finding]:
    """All that a record says; then the record of the copy, where the events tell of one."""
    commit, suffix = _Committed.of(row, record.handle), row["id24"]
    copy_url, named = _copy_of(index, row["batch"], scope), record.text(REPLICA)
    # The copy may have its PID from a prefix that the second centre had once: a PID is for ever.
    named_prefix = (named or "").partition("/")[0]
    has_pid = _is_pid_of(named, suffix) and (
        named_prefix == prefixes.second or named_prefix in unserved or _record(index, named or "") is not None
    )
    here = replace(prefixes, second=named_prefix) if has_pid else prefixes
    if copy_url is not None:
        allowed = [first_record(commit, here, _Replicated(commit, copy_url))]
    else:
        allowed = [first_record(commit, here)]
        copies = index.rows("SELECT url FROM replicated WHERE batch = :batch", batch=row["batch"])
        allowed += [first_record(commit, here, _Replicated(commit, each["url"])) for each in copies]
        if named is not None and not row["is_past_replicator"]:  # as after a log that was lost: the event comes again
            allowed.append(first_record(commit, replace(here, second=""), _Replicated(commit, named)))
    wrong = min((list(differences(record, each)) for each in allowed), key=len)
    if wrong:
        yield Finding(Kind.MISREGISTERED, record.handle, "", row["batch"], _said(wrong))
    pid = here.second_pid(commit)
    if copy_url is not None and pid is not None and pid.partition("/")[0] not in unserved:
        yield from _judge_copy(index, row, record, copy_url, here)


def _copy_of(index: Index, batch: str, scope: Scope) -> str | None:
    """The URL in the replica event of a batch, if the registrar has passed it."""
    query = (
        "SELECT r.url FROM replicated r JOIN done d ON d.program = 'registrar of copies' AND d.partition = r.partition "
        "WHERE r.batch = :batch AND r.offset < d.next_offset AND r.appended_at_us < :settled_us"
    )
    row = index.one(query, batch=batch, settled_us=scope.settled_us)
    return None if row is None else str(row["url"])


def _judge_copy(index: Index, row: Any, record: HandleRecord, copy_url: str, prefixes: Prefixes) -> Iterator[Finding]:
    """The copy's own record, under the second prefix of `prefixes`; it may name the copy of another batch with the same content."""
    pid = f"{prefixes.second}/{row['id24']}"
    of_copy = _record(index, pid)
    if of_copy is None:
        yield Finding(Kind.UNREGISTERED, pid, "", row["batch"], f"no record for the copy {copy_url}")
        return
    query = "SELECT r.url AS copy_url, c.* FROM replicated r JOIN committed c ON c.batch = r.batch WHERE c.id24 = :id24"
    places = {each["copy_url"]: each for each in index.rows(query, id24=row["id24"])}
    query = "SELECT coalesce(pid, :prefix || '/' || id24) AS pid FROM committed WHERE id24 = :id24"
    prefix = record.handle.partition("/")[0]
    originals = {each["pid"] for each in index.rows(query, id24=row["id24"], prefix=prefix)}
    trouble, place, parent = _content_trouble(row, of_copy), of_copy.text(URL), of_copy.text(PARENT)
    if not trouble and place not in places:
        trouble = f"{URL} is {place}, the verified copy is {copy_url}"
    if not trouble:
        commit = _Committed.of(
            places[place or ""], parent if parent is not None and parent in originals else record.handle
        )
        expected = second_record(_Replicated(commit, place or ""), prefixes)
        trouble = _said(differences(of_copy, expected)) if expected is not None else ""
    if trouble:
        yield Finding(Kind.MISREGISTERED, pid, "", row["batch"], trouble)


def _said(wrong: Iterable[Difference]) -> str:
    return "; ".join(each.line("the events say") for each in wrong)
