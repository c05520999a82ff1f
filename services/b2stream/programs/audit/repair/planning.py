"""What a repair would do about each finding of an audit, decided before anything is touched.

A copy comes only from a centre whose copy agrees with the earliest commit event of the batch. Where no commit event speaks of an
object and the centres disagree, nobody knows who is right, and nobody touches either.
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
    plan = RepairPlan()
    for finding in findings:
        answers = list(_acts_for(index, finding, centres))
        for answer in answers:
            if isinstance(answer, str):
                plan.left.append((finding, answer))
            elif answer not in plan.acts:
                plan.acts.append(answer)
    # Data objects before manifests, so that no centre ever shows a manifest alone; announcements last.
    plan.acts.sort(key=lambda act: (act.act == ANNOUNCE, act.path.endswith(".json"), act.path, act.centre))
    return plan


def _acts_for(index: Index, finding: Finding, centres: list[str]) -> Iterator[Act | str]:
    if finding.kind in _DAMAGE:
        copy = _copy(index, finding, finding.path, centres)
        yield copy
        if isinstance(copy, Act) and copy.batch and not finding.path.endswith(MANIFEST_SUFFIX):
            # The AVUs stay with what is set aside; who alone writes them, the registrar, does so after each event.
            yield _announce(index, copy.batch, centres[0], "the copy is described again")
    elif finding.kind is Kind.UNREPLICATED:
        yield _announce(index, finding.batch, centres[0], "the replicator copies what is announced")
    elif finding.kind is Kind.UNANNOUNCED and _is_forged(index, finding.path):
        yield "its station did not sign it: nobody announces it"
    elif finding.kind is Kind.UNANNOUNCED and _is_disputed(index, finding.path):
        yield "the centres' manifests differ, and no commit event says which is right: nobody announces it"
    elif finding.kind is Kind.UNANNOUNCED:
        yield Act(ANNOUNCE, centres[0], finding.path, finding.batch, why="no commit event names it")
    elif finding.kind in (Kind.UNREGISTERED, Kind.MISREGISTERED):
        yield Act(REGISTER, centres[0], finding.path, finding.batch, why=f"{finding.kind}: {finding.detail}")
    elif finding.kind is Kind.DEBRIS:
        yield Act(DISCARD, finding.centre, finding.path, why=finding.detail)
    else:
        yield _BY_ITSELF.get(finding.kind, "there is no rule for it")


def _copy(index: Index, finding: Finding, path: str, centres: list[str]) -> Act | str:
    committed = index.one("SELECT batch, size_bytes, sha256 FROM committed WHERE path = :path", path=path) or index.one(
        "SELECT batch, manifest_size_bytes AS size_bytes, manifest_sha256 AS sha256 FROM committed WHERE manifest_path = :path",
        path=path,
    )
    committed = committed or index.one(
        "SELECT '' AS batch, size_bytes, sha256 FROM apart WHERE path = :path AND centre = :centre",
        path=path,
        centre=finding.centre,
    )
    if committed is None and finding.kind is Kind.MISSING:
        return finding.detail  # a day that was never archived: the detail says how it is
    if committed is None:
        return "no commit event says which content is right"
    good = index.rows(
        "SELECT centre FROM object WHERE path = :path AND status = 'good' AND size_bytes = :size_bytes AND sha256 = :sha256 "
        "AND (recomputed_sha256 IS NULL OR recomputed_sha256 = :sha256) AND centre <> :centre",
        path=path,
        size_bytes=committed["size_bytes"],
        sha256=committed["sha256"],
        centre=finding.centre,
    )
    source = next((row["centre"] for row in good if row["centre"] in centres), None)
    if source is None:
        return "no centre has a copy that agrees with the commit event"
    facts = {"size_bytes": committed["size_bytes"], "sha256": committed["sha256"], "batch": committed["batch"]}
    return Act(COPY, finding.centre, path, source=source, why=f"{finding.kind}: {finding.detail}", **facts)


def _is_forged(index: Index, manifest_path: str) -> bool:
    query = "SELECT 1 FROM manifest WHERE path = :path AND forged IS NOT NULL"
    return index.one(query, path=manifest_path) is not None


def _is_disputed(index: Index, manifest_path: str) -> bool:
    query = "SELECT 1 FROM object one JOIN object other ON other.path = one.path WHERE one.path = :path "
    return index.one(query + "AND one.sha256 IS NOT other.sha256", path=manifest_path) is not None


def _announce(index: Index, batch: str, first: str, why: str) -> Act | str:
    row = index.one("SELECT manifest_path FROM committed WHERE batch = :batch", batch=batch)
    if row is None:
        return "no commit event names its manifest"
    return Act(ANNOUNCE, first, row["manifest_path"], batch, why=why)
