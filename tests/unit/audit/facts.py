"""An index that is filled by hand: a whole archive of two centres, from which tests take away what they like."""

import hashlib
from typing import Any

from b2stream.batches.paths import MANIFEST_SUFFIX
from b2stream.policies import Policies, read_policies
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.judging.batches import Scope, judge
from b2stream.programs.audit.judging.findings import Finding

NOW_S = 1_780_000_000.0
LONG_AGO_S = NOW_S - 10_000.0
CENTRES = ("csc", "fzj")
STATION, SERIES = "SE-Htm", "EC"


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def path_of(number: int, series: str = SERIES) -> str:
    return f"{STATION}/{series}/2026/05/f{number:03d}~abc.csv"


def whole_archive(batches: int = 5, *, committed_s: float = LONG_AGO_S, **event: Any) -> Index:
    """`batches` batches of one series, committed, replicated, and good at both centres."""
    index = Index()
    for number in range(batches):
        add_batch(index, number, committed_s=committed_s, **event)
    return index


def add_batch(
    index: Index,
    number: int,
    *,
    series: str = SERIES,
    version: str = "",
    previous: str | None = "as it should be",
    committed_s: float = LONG_AGO_S,
    **event: Any,
) -> str:
    """Everything that a batch leaves behind; its id. `event` are facts of its commit event that a test wants to be otherwise."""
    batch, path = digest("batch", series, number, version), path_of(number, series) + version
    data: dict[str, Any] = {"path": path, "size_bytes": 100, "sha256": digest("data", path)}
    manifest: dict[str, Any] = {"path": path + MANIFEST_SUFFIX, "size_bytes": 50, "sha256": digest("manifest", path)}
    for each in (data, manifest):
        for centre in CENTRES:
            put_object(index, centre, modified_s=committed_s, **each)
    if previous == "as it should be":
        previous = digest("close", series, number - 1, "") if number else None
    whose = {"batch": batch, "station": STATION, "series": series, "number": number}
    shared = {**whose, "stop_us": (number + 1) * 1_000_000, "attempt": digest("attempt", batch)[:32]}
    close = {"digest": digest("close", series, number, version), "previous": previous}
    of_data = {f"data_{name}": value for name, value in data.items()}
    of_manifest = {f"manifest_{name}": value for name, value in manifest.items()}
    in_log = {"partition": 0, "offset": number, "appended_at_us": int(committed_s * 1e6)}
    index.put("manifest", [{**shared, **close, **manifest, **of_data, "trouble": None}])
    index.put("committed", [{**shared, **data, **of_manifest, **in_log, **event}])
    index.put("superseded", [{"attempt": shared["attempt"]}])
    index.put("replicated", [{"batch": batch, "centre": "fzj", "url": f"irods://fzj/{path}"}])
    return batch


def put_object(index: Index, centre: str, path: str, **facts: Any) -> None:
    """An object as the catalogue of a centre describes it."""
    row = {"size_bytes": 100, "sha256": digest(path), "status": "good", "modified_s": LONG_AGO_S, "walk": 1}
    index.put("object", [{"centre": centre, "path": path, **row, **facts}])


def done(index: Index, program: str, next_offset: int) -> None:
    """How far a program is with partition 0."""
    index.put("done", [{"program": program, "partition": 0, "next_offset": next_offset}])


def judged(
    index: Index, *, grace_s: float = 900.0, second: str | None = "fzj", policies: Policies | None = None
) -> list[Finding]:
    index.derive()
    return judge(index, Scope("csc", second, NOW_S, grace_s, policies or read_policies()))


def kinds(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.kind.value, finding.path, finding.centre) for finding in findings]
