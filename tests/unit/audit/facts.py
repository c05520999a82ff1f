"""An index that is filled by hand: a whole archive of two centres, from which tests take away what they like."""

import hashlib
from typing import Any

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


def whole_archive(batches: int = 5, *, committed_s: float = LONG_AGO_S) -> Index:
    """`batches` batches of one series, committed, replicated, and good at both centres."""
    index = Index()
    for number in range(batches):
        add_batch(index, number, committed_s=committed_s)
    return index


def add_batch(
    index: Index,
    number: int,
    *,
    series: str = SERIES,
    version: str = "",
    previous: str | None = "as it should be",
    committed_s: float = LONG_AGO_S,
) -> str:
    """Everything that a batch leaves behind; its id."""
    batch, path = digest("batch", series, number, version), path_of(number, series) + version
    sizes = {path: (100, digest("data", path)), path + ".manifest.json": (50, digest("manifest", path))}
    for name, (size_bytes, sha256) in sizes.items():
        for centre in CENTRES:
            put_object(index, centre, name, size_bytes=size_bytes, sha256=sha256, modified_s=committed_s)
    if previous == "as it should be":
        previous = digest("close", series, number - 1, "") if number else None
    data, manifest = sizes.values()
    shared = {
        "batch": batch,
        "station": STATION,
        "series": series,
        "number": number,
        "stop_us": (number + 1) * 1_000_000,
    }
    shared |= {"attempt": digest("attempt", batch)[:32]}
    close = {"digest": digest("close", series, number, version), "previous": previous}
    index.put(
        "manifest",
        [
            {
                **shared,
                **close,
                "path": path + ".manifest.json",
                "sha256": manifest[1],
                "size_bytes": manifest[0],
                "data_path": path,
                "data_size_bytes": data[0],
                "data_sha256": data[1],
                "trouble": None,
            }
        ],
    )
    index.put(
        "committed",
        [
            {
                **shared,
                "path": path,
                "size_bytes": data[0],
                "sha256": data[1],
                "manifest_path": path + ".manifest.json",
                "manifest_size_bytes": manifest[0],
                "manifest_sha256": manifest[1],
                "partition": 0,
                "offset": number,
                "appended_at_us": int(committed_s * 1e6),
            }
        ],
    )
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
