"""What a repair would do about each finding of an audit, decided before anything is touched.

A copy comes only from a centre whose copy agrees with the earliest commit event of the batch. Where no commit event speaks of an
object, as after the log was lost, the manifest decides, if its station signed it and no centre has another one in its place: where the
centres' manifests differ, nobody knows who is right, and nobody touches either.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from b2stream.batches.paths import MANIFEST_SUFFIX
from b2stream.errors import ConfigurationError
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.judging.findings import Finding, Kind

FORMAT = 1
COPY, REGISTER, ANNOUNCE, DISCARD = "copy", "register", "announce", "discard"
TELL = "tell"
"""No act of a plan: what an earlier run did and did not tell, told at the beginning of the next."""

_DAMAGE = {Kind.MISSING, Kind.TRUNCATED, Kind.ALTERED, Kind.UNREADABLE, Kind.STUCK}
_BY_ITSELF = {
    Kind.UNARCHIVED: "its station's gateway sends it again",
    Kind.REFUSED: "its station corrects the file, or says `b2stream gateway retry FILE`",
    Kind.GAP: "nothing in the archive or the log fills it: ask the station",
    Kind.BROKEN_CHAIN: "it is evidence: compare with the station's journal",
    Kind.FORGED: "it is evidence: nobody touches it",
    Kind.UNWANTED: "nothing is removed because of a policy: a person decides whether the copy goes or the policy changes",
    Kind.OVERDUE: "`b2stream scrub` checks it",
    Kind.UNRECORDED: "`b2stream repair --apply` tells it before anything else",
    Kind.EXTRA: "nothing is removed that b2stream did not put there as staging",
    Kind.UNCOMMITTED: "the processors commit it when they read its close again",
}
_UNNAMED = "no commit event names it"
_NO_DATA = "no centre has the data object that it names"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to do. `copy`: bring `path` to `centre` from `source`, setting aside what lies there and is not this content.

    `register`: write the PID record of `path` as the events of its batch say. `announce`: publish the commit event of the manifest
    at `path` again. `discard`: remove the staged name `path`.
    """

    act: str
    centre: str
    path: str
    batch: str = ""
    source: str = ""
    size_bytes: int = 0
    sha256: str = ""
    why: str = ""

    def line(self) -> str:
        """The act in one line."""
        from_where = f" from {self.source}" if self.source else ""
        return f"{self.act} {self.path} at {self.centre}{from_where}: {self.why}"


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """Acts in the order in which they are done, the findings that are left alone with the reason, and when it was made (µs)."""

    acts: list[Act] = field(default_factory=list)
    left: list[tuple[Finding, str]] = field(default_factory=list)
    made_at_us: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "made_at_us": self.made_at_us,
            "acts": [asdict(act) for act in self.acts],
            "left": [{**finding.to_json(), "reason": reason} for finding, reason in self.left],
        }

    @classmethod
    def read(cls, text: str) -> "RepairPlan":
        """A plan from a file. Raises ConfigurationError where it is none."""
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise ConfigurationError(f"a plan of format {document['format']}; this program knows {FORMAT}")
            return cls([Act(**act) for act in document["acts"]], made_at_us=int(document.get("made_at_us", 0)))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"this file is no plan of `b2stream repair --plan`: {error!r}") from error


def plan_repair(index: Index, findings: Iterable[Finding], centres: list[str]) -> RepairPlan:
    """What to do about each finding, from what the audit has seen."""
    acts: dict[tuple[str, str, str], Act] = {}  # what two findings ask for is done once
    left: list[tuple[Finding, str]] = []
    for finding in findings:
        for answer in _acts_for(index, finding, centres):
            if isinstance(answer, str):
                left.append((finding, answer))
            else:
                acts.setdefault((answer.act, answer.centre, answer.path), answer)
    # Data objects before manifests, so that no centre ever shows a manifest alone; announcements last.
    in_order = sorted(
        acts.values(), key=lambda act: (act.act == ANNOUNCE, act.path.endswith(".json"), act.path, act.centre)
    )
    return RepairPlan(in_order, left)


def _acts_for(index: Index, finding: Finding, centres: list[str]) -> Iterator[Act | str]:
    if finding.kind in _DAMAGE:
        copy = _copy(index, finding, centres)
        yield copy
        if isinstance(copy, Act) and copy.batch:
            yield from _announced_after(index, copy, centres[0])
    elif finding.kind is Kind.UNREPLICATED:
        yield _announce(index, finding.batch, centres[0], "the replicator copies what is announced")
    elif finding.kind is Kind.UNANNOUNCED and _is_forged(index, finding.path):
        yield "its station did not sign it: nobody announces it"
    elif finding.kind is Kind.UNANNOUNCED and _is_disputed(index, finding.path):
        yield "the centres' manifests differ, and no commit event says which is right: nobody announces it"
    elif finding.kind is Kind.UNANNOUNCED and not _has_data(index, finding.path):
        yield _NO_DATA
    elif finding.kind is Kind.UNANNOUNCED:
        yield Act(ANNOUNCE, centres[0], finding.path, finding.batch, why=_UNNAMED)
    elif finding.kind in (Kind.UNREGISTERED, Kind.MISREGISTERED):
        yield Act(REGISTER, centres[0], finding.path, finding.batch, why=f"{finding.kind}: {finding.detail}")
    elif finding.kind is Kind.DEBRIS:
        yield Act(DISCARD, finding.centre, finding.path, why=finding.detail)
    else:
        yield _BY_ITSELF.get(finding.kind, "there is no rule for it")


def _copy(index: Index, finding: Finding, centres: list[str]) -> Act | str:
    """The copy that mends a damage, or why there is none."""
    right = _content(index, finding)
    if isinstance(right, str):
        return right
    good = index.rows(
        "SELECT centre FROM object WHERE path = :path AND status = 'good' AND size_bytes = :size_bytes AND sha256 = :sha256 "
        "AND (recomputed_sha256 IS NULL OR recomputed_sha256 = :sha256) AND centre <> :centre",
        path=finding.path,
        size_bytes=right["size_bytes"],
        sha256=right["sha256"],
        centre=finding.centre,
    )
    source = next((row["centre"] for row in good if row["centre"] in centres), None)
    if source is None:
        return "no centre has a copy that agrees with the commit event, or, where there is none, with the manifest"
    return Act(COPY, finding.centre, finding.path, source=source, why=f"{finding.kind}: {finding.detail}", **right)


def _content(index: Index, finding: Finding) -> dict[str, Any] | str:
    """Which content is right at a path, and of which batch: its size in bytes and SHA-256; or why nobody knows."""
    for query in (
        "SELECT batch, size_bytes, sha256 FROM committed WHERE path = :path",
        "SELECT batch, manifest_size_bytes AS size_bytes, manifest_sha256 AS sha256 FROM committed WHERE manifest_path = :path",
        "SELECT '' AS batch, size_bytes, sha256 FROM apart WHERE path = :path AND centre = :centre",
    ):
        if (row := index.one(query, path=finding.path, centre=finding.centre)) is not None:
            return dict(row)
    return _content_of_manifest(index, finding)


def _content_of_manifest(index: Index, finding: Finding) -> dict[str, Any] | str:
    """What the manifest says where no commit event does, if nothing speaks against it."""
    manifest_path = finding.path.removesuffix(MANIFEST_SUFFIX) + MANIFEST_SUFFIX
    row = index.one("SELECT * FROM manifest WHERE path = :path AND trouble IS NULL", path=manifest_path)
    if row is None:
        # Of a day that was never archived, the detail says how it is.
        return finding.detail if finding.kind is Kind.MISSING else "no commit event says which content is right"
    if row["forged"] is not None:
        return "its station did not sign its manifest, and no commit event says which content is right"
    if _is_disputed(index, manifest_path):
        return "the centres' manifests differ, and no commit event says which content is right"
    if finding.path == manifest_path:
        if not _has_data(index, manifest_path):
            return _NO_DATA
        if _is_there(index, finding.centre, row["data_path"]) and not _has_data(index, manifest_path, finding.centre):
            return "the data object beside it is another one than it names, and no commit event says which is right"
        return {"batch": row["batch"], "size_bytes": row["size_bytes"], "sha256": row["sha256"]}
    if finding.kind is not Kind.MISSING and not _is_there(index, finding.centre, manifest_path):
        return "no manifest is beside it, and no commit event says which content is right"
    return {"batch": row["batch"], "size_bytes": row["data_size_bytes"], "sha256": row["data_sha256"]}


def _is_forged(index: Index, manifest_path: str) -> bool:
    query = "SELECT 1 FROM manifest WHERE path = :path AND forged IS NOT NULL"
    return index.one(query, path=manifest_path) is not None


def _is_disputed(index: Index, manifest_path: str) -> bool:
    query = "SELECT 1 FROM object one JOIN object other ON other.path = one.path WHERE one.path = :path "
    return index.one(query + "AND one.sha256 IS NOT other.sha256", path=manifest_path) is not None


def _is_there(index: Index, centre: str, path: str) -> bool:
    query = "SELECT 1 FROM object WHERE centre = :centre AND path = :path"
    return index.one(query, centre=centre, path=path) is not None


def _has_data(index: Index, manifest_path: str, centre: str = "") -> bool:
    """Whether this centre, or any, has the data object that a manifest names, as it names it."""
    query = (
        "SELECT 1 FROM manifest m JOIN object o ON o.path = m.data_path WHERE m.path = :path AND o.status = 'good' "
        "AND o.size_bytes = m.data_size_bytes AND o.sha256 = m.data_sha256 AND :centre IN ('', o.centre) "
        "AND (o.recomputed_sha256 IS NULL OR o.recomputed_sha256 = o.sha256)"
    )
    return index.one(query, path=manifest_path, centre=centre) is not None


def _announced_after(index: Index, copy: Act, first: str) -> Iterator[Act]:
    """What makes a copy known: of a batch without commit event its first; else the AVUs, which stay with what is set aside.

    Who alone writes these, the registrar, does so after each event.
    """
    announce = _announce(index, copy.batch, first, "the copy is described again")
    if isinstance(announce, str):
        manifest_path = copy.path.removesuffix(MANIFEST_SUFFIX) + MANIFEST_SUFFIX
        yield Act(ANNOUNCE, first, manifest_path, copy.batch, why=_UNNAMED)
    elif not copy.path.endswith(MANIFEST_SUFFIX):
        yield announce


def _announce(index: Index, batch: str, first: str, why: str) -> Act | str:
    row = index.one("SELECT manifest_path FROM committed WHERE batch = :batch", batch=batch)
    if row is None:
        return "no commit event names its manifest"
    return Act(ANNOUNCE, first, row["manifest_path"], batch, why=why)
