"""What is wrong, by queries over the index. Each judge names one kind of damage; no judge changes anything.

An object is expected where a commit event names it, or, where no event names its manifest, where a manifest does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from b2stream.batches.paths import MANIFEST_SUFFIX
from b2stream.policies import Policies, read_policies
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.walking import UNREADABLE
from b2stream.programs.audit.judging.findings import Finding, Kind

DEBRIS_AGE_S = 86_400.0
_COPIED_SINCE_S = 900.0
"""What lay at a centre so long before the commit event was not copied after it; clocks differ by less."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is judged: the centres' names, the time of the audit (UNIX seconds) and its grace (seconds)."""

    first: str
    second: str | None
    now_s: float
    grace_s: float
    policies: Policies = field(default_factory=read_policies)
    sees_first: bool = True  # False: only the second centre was looked at

    @property
    def centres(self) -> list[str]:
        return [*([self.first] if self.sees_first else []), *([self.second] if self.second else [])]

    @property
    def settled_us(self) -> int:
        """What is younger may still be on its way."""
        return int((self.now_s - self.grace_s) * 1e6)


Judge = Callable[[Index, Scope], Iterator[Finding]]


def judge(index: Index, scope: Scope) -> list[Finding]:
    """All findings but those of chains, each once, in order."""
    return sorted({finding.key: finding for one in JUDGES for finding in one(index, scope)}.values())


def missing(index: Index, scope: Scope) -> Iterator[Finding]:
    """Expected at the first centre; at the second, where a replica event was published and a copy is wanted."""
    for centre in scope.centres:
        query = (
            "SELECT e.* FROM expected e LEFT JOIN object o ON o.centre = :centre AND o.path = e.path WHERE o.path IS NULL "
            "AND (:is_first OR EXISTS (SELECT 1 FROM replicated r WHERE r.batch = e.batch AND r.centre = :centre))"
        )
        for row in index.rows(query, centre=centre, is_first=centre == scope.first):
            if centre != scope.first and _is_wanted_once(index, scope, row["batch"]):
                continue  # somebody took an unwanted copy away
            yield Finding(Kind.MISSING, row["path"], centre, row["batch"], "it was committed, and is not there")


def damaged(index: Index, scope: Scope) -> Iterator[Finding]:
    """There, and not what was committed: a bad replica, fewer bytes, or other bytes."""
    query = "SELECT e.*, o.centre, o.status, o.size_bytes AS now_bytes, o.sha256 AS now_sha256, o.recomputed_sha256, "
    query += "o.recomputed_bytes FROM expected e JOIN object o ON o.path = e.path WHERE o.status <> 'good' "
    query += "OR o.size_bytes <> e.size_bytes OR o.sha256 IS NOT e.sha256 OR o.recomputed_sha256 <> e.sha256"
    for row in index.rows(query):
        if (damage := damage_of(row)) is not None:
            kind, detail = damage
            yield Finding(kind, row["path"], row["centre"], row["batch"], detail)


def damage_of(row: Any) -> tuple[Kind, str] | None:
    """How an object differs from the size and SHA-256 that were committed, and in which words; None where it does not."""
    stored_bytes = row["now_bytes"] if row["recomputed_bytes"] is None else row["recomputed_bytes"]
    recomputed = row["recomputed_sha256"] or row["sha256"]
    if row["status"] != "good":
        return Kind.STUCK, f"its replica is {row['status']}"
    if stored_bytes < row["size_bytes"]:
        return Kind.TRUNCATED, f"{stored_bytes} of {row['size_bytes']} bytes"
    if recomputed.startswith(UNREADABLE):
        return Kind.UNREADABLE, recomputed.removeprefix(UNREADABLE)
    now_sha256 = row["now_sha256"] if row["now_sha256"] != row["sha256"] else recomputed
    if now_sha256 != row["sha256"]:
        return Kind.ALTERED, f"SHA-256 {now_sha256 or 'missing'}, committed was {row['sha256']}"
    if stored_bytes != row["size_bytes"]:
        return Kind.ALTERED, f"{stored_bytes} bytes, committed were {row['size_bytes']}"
    return None


def unaccounted(index: Index, scope: Scope) -> Iterator[Finding]:
    """Objects that nothing expects. A data object whose close is in the log lacks only its manifest."""
    query = (
        "SELECT o.*, (SELECT batch FROM close WHERE data_path = o.path) AS batch, "
        "EXISTS (SELECT 1 FROM close c JOIN done d ON d.program = 'processor' AND d.partition = c.partition "
        "WHERE c.data_path = o.path AND c.offset >= d.next_offset) AS is_under_way FROM object o "
        "LEFT JOIN expected e ON e.path = o.path WHERE e.path IS NULL AND o.modified_s < :settled_s "
        "AND substr(o.path, 1, 1) <> '.'"  # `apart` judges those
    )
    for row in index.rows(query, settled_s=scope.settled_us / 1e6):
        if row["is_under_way"]:
            continue  # the processors have its close still before them
        if row["batch"] is not None:
            detail = "its manifest is not in place"
            yield Finding(Kind.UNCOMMITTED, row["path"], row["centre"], row["batch"], detail)
        elif row["path"].endswith(MANIFEST_SUFFIX) and _is_unreadable(index, row["path"]):
            yield Finding(Kind.ALTERED, row["path"], row["centre"], detail="it cannot be read as a manifest")
        else:
            yield Finding(Kind.EXTRA, row["path"], row["centre"], detail="no commit event and no manifest names it")


def _is_unreadable(index: Index, path: str) -> bool:
    return index.one("SELECT 1 FROM manifest WHERE path = :path AND trouble IS NOT NULL", path=path) is not None


def debris(index: Index, scope: Scope) -> Iterator[Finding]:
    """What lies below the staging root for more than a day."""
    query = "SELECT * FROM staged WHERE modified_s < :oldest_s"
    for row in index.rows(query, oldest_s=scope.now_s - DEBRIS_AGE_S):
        yield Finding(Kind.DEBRIS, row["name"], row["centre"], detail="staged more than a day ago")


def unreplicated(index: Index, scope: Scope) -> Iterator[Finding]:
    """The replicator is past the commit event, and no replica event names the batch."""
    if scope.second is None:
        return
    query = (
        "SELECT c.* FROM committed c JOIN done d ON d.program = 'replicator' AND d.partition = c.partition "
        "WHERE c.offset < d.next_offset AND c.appended_at_us < :settled_us "
        "AND NOT EXISTS (SELECT 1 FROM replicated r WHERE r.batch = c.batch AND r.centre = :centre)"
    )
    for row in index.rows(query, centre=scope.second, settled_us=scope.settled_us):
        if scope.policies.copies(row["station"], row["series"]) < 2:
            continue
        yield Finding(Kind.UNREPLICATED, row["path"], scope.second, row["batch"], "no replica event names it")


def unwanted(index: Index, scope: Scope) -> Iterator[Finding]:
    """At the second centre, although the policies of the commit event, and those of now, want the batch at the first alone.

    After a log was lost the events are of today's policies, and copies that are older than that may have been wanted.
    """
    if scope.second is None:
        return
    query = (
        "SELECT c.batch, c.policy, o.path FROM committed c JOIN object o ON o.path IN (c.path, c.manifest_path) "
        "WHERE c.copies = 1 AND o.centre = :second AND o.modified_s < :settled_s "
        "AND o.modified_s > c.appended_at_us / 1e6 - :copied_since_s"
    )
    times = {"settled_s": scope.settled_us / 1e6, "copied_since_s": _COPIED_SINCE_S}
    for row in index.rows(query, second=scope.second, **times):
        if _is_wanted_once(index, scope, row["batch"]):
            detail = (
                f"committed under policies {row['policy']}, which want one copy, at {scope.first}: a person decides"
            )
            yield Finding(Kind.UNWANTED, row["path"], scope.second, row["batch"], detail)


def _is_wanted_once(index: Index, scope: Scope, batch: str) -> bool:
    """Whether the commit event of a batch, and the policies of now, want one copy of it."""
    row = index.one("SELECT station, series FROM committed WHERE batch = :batch AND copies = 1", batch=batch)
    return row is not None and scope.policies.copies(row["station"], row["series"]) == 1


def overdue(index: Index, scope: Scope) -> Iterator[Finding]:
    """Copies of data objects that were closed, or checked last, longer ago than the policy of their series allows.

    From the close, and not from the commit event: after a log was lost, that may be years younger than the commit.
    """
    query = (
        "SELECT c.station, c.series, c.batch, c.path, o.centre, "
        "max(coalesce(c.closed_at_us, c.appended_at_us), coalesce(k.good_at_us, 0)) AS at_us "
        "FROM committed c JOIN object o ON o.path = c.path LEFT JOIN checked k ON k.centre = o.centre AND k.path = o.path "
        "WHERE o.recomputed_sha256 IS NULL"
    )
    for row in index.rows(query):
        days = (scope.now_s - row["at_us"] / 1e6) / 86_400
        allowed = scope.policies.rule(row["station"], row["series"]).check_days
        if days > allowed:
            detail = f"checked {days:.0f} days ago, {scope.policies.id} allows {allowed}: `b2stream scrub`"
            yield Finding(Kind.OVERDUE, row["path"], row["centre"], row["batch"], detail)


def found_by_scrub(index: Index, scope: Scope) -> Iterator[Finding]:
    """Objects whose latest check failed, and that nobody has mended or looked at since."""
    query = (
        "SELECT k.centre, k.path, k.trouble, e.batch FROM checked k JOIN object o ON o.centre = k.centre AND o.path = k.path "
        "LEFT JOIN expected e ON e.path = k.path WHERE k.trouble IS NOT NULL AND o.recomputed_sha256 IS NULL"
    )
    for row in index.rows(query):
        yield Finding(Kind.ALTERED, row["path"], row["centre"], row["batch"] or "", f"scrub: {row['trouble']}")


def unannounced(index: Index, scope: Scope) -> Iterator[Finding]:
    """A manifest is in place, no commit event names it or its batch, and no processor has its close still before it."""
    query = (
        "SELECT m.*, o.centre FROM manifest m JOIN object o ON o.path = m.path AND o.centre = :first "
        "WHERE m.trouble IS NULL AND m.path NOT IN (SELECT manifest_path FROM committed) AND o.modified_s < :settled_s "
        "AND NOT EXISTS (SELECT 1 FROM close c JOIN done d ON d.program = 'processor' AND d.partition = c.partition "
        "WHERE c.data_path = m.data_path AND c.offset >= d.next_offset)"
    )
    for row in index.rows(query, first=scope.first, settled_s=scope.settled_us / 1e6):
        detail = "no commit event names it: `b2stream reannounce`"
        yield Finding(Kind.UNANNOUNCED, row["path"], row["centre"], row["batch"], detail)


def unarchived(index: Index, scope: Scope) -> Iterator[Finding]:
    """A close that the processors have passed must have become a commit event or a letter, or be superseded."""
    query = (
        "SELECT c.* FROM close c JOIN done d ON d.program = 'processor' AND d.partition = c.partition "
        "WHERE c.offset < d.next_offset AND c.appended_at_us < :settled_us "
        "AND c.batch NOT IN (SELECT batch FROM committed) AND c.batch NOT IN (SELECT batch FROM manifest WHERE batch IS NOT NULL) "
        "AND c.attempt NOT IN (SELECT attempt FROM superseded) "
        "AND NOT EXISTS (SELECT 1 FROM letter l WHERE l.attempt = c.attempt OR (l.batch <> '' AND l.batch = c.batch))"
    )
    for row in index.rows(query, settled_us=scope.settled_us):
        where = f"its close is offset {row['offset']} of partition {row['partition']}"
        yield Finding(Kind.UNARCHIVED, row["data_path"], scope.first, row["batch"], where)


def refused(index: Index, scope: Scope) -> Iterator[Finding]:
    """A dead letter is resolved by a committed batch of its id or attempt, or one that supersedes its attempt."""
    query = (
        "SELECT * FROM letter l WHERE (l.batch = '' OR l.batch NOT IN (SELECT batch FROM committed)) "
        "AND (l.attempt = '' OR l.attempt NOT IN (SELECT attempt FROM superseded)) "
        "AND (l.poison OR l.appended_at_us < :settled_us) ORDER BY id"  # what is no poison, its station sends again by itself
    )
    seen: set[str] = set()
    for row in index.rows(query, settled_us=scope.settled_us):
        about = f"attempt {row['attempt']}" if row["attempt"] else f"message {row['id']}"
        if about not in seen:
            seen.add(about)
            detail = f"{about}, {row['reason']}: {row['detail']}"
            yield Finding(Kind.REFUSED, f"{row['station']}/{row['attempt'] or row['id']}", "", row["batch"], detail)


def forged(index: Index, scope: Scope) -> Iterator[Finding]:
    """A manifest whose close the station did not sign."""
    for row in index.rows("SELECT * FROM manifest WHERE forged IS NOT NULL"):
        yield Finding(Kind.FORGED, row["path"], "", row["batch"], row["forged"])


JUDGES: tuple[Judge, ...] = (
    missing,
    damaged,
    unaccounted,
    debris,
    unreplicated,
    unwanted,
    overdue,
    found_by_scrub,
    unannounced,
    unarchived,
    refused,
    forged,
)
