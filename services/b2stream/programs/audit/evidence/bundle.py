"""A bundle of evidence for a year: what an audit found, what scrub checked, how much was archived, under which policies, by which software.

Every file is named with its SHA-256 in `index.json`, whose bytes can be signed: whoever has the public key can tell that nothing was
changed since. `docs/trust.md` says which CoreTrustSeal requirements each file supports.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2stream.archive.announcing import committed_us, replicated_us
from b2stream.batches.signing import public_key_of
from b2stream.contracts.canonical import canonical_json, from_iso_utc
from b2stream.contracts.records import BatchCommitted, BatchReplicated, ObjectEvent
from b2stream.software import software

INDEX, SIGNATURE = "index.json", "index.json.sig"
SIGNED_PREFIX = b"b2stream evidence 1\n"
SUPPORTS = {
    "audit.json": ["R07", "R12", "R14"],
    "fixity.json": ["R14"],
    "counts.json": ["R11", "R12", "R14"],
    "policies.toml": ["R09", "R14"],
    "software.json": ["R07", "R15"],
}


@dataclass
class Year:
    """What happened from the first to the last instant of a calendar year, UTC. Fed with the events of a station in order."""

    year: int
    batches: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    size_bytes: Counter[str] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)
    software: Counter[str] = field(default_factory=Counter)
    policies: Counter[str] = field(default_factory=Counter)
    checks: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    failures: list[dict[str, Any]] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._begin_us = from_iso_utc(f"{self.year:04d}-01-01T00:00:00.000000Z")
        self._end_us = from_iso_utc(f"{self.year + 1:04d}-01-01T00:00:00.000000Z")

    def committed(self, event: BatchCommitted) -> None:
        """Count a commit event; a repeat counts once."""
        if event.batch in self._seen:
            return
        self._seen.add(event.batch)
        if self._is_in(event.committed_at_us):
            self.software[event.software] += 1
        if not self._is_in(committed_us(event)):
            return
        self.batches[event.station] += 1
        self.rows[event.station] += event.rows
        self.size_bytes[event.station] += event.size_bytes
        self.policies[event.policy or "none"] += 1

    def replicated(self, event: BatchReplicated) -> None:
        """Count a replica event."""
        copy = f"{event.commit.batch} {event.centre}"
        if copy in self._seen:
            return
        self._seen.add(copy)
        if self._is_in(event.replicated_at_us):
            self.software[event.software] += 1
        if self._is_in(replicated_us(event)):
            self.copies[event.centre] += 1

    def told(self, event: ObjectEvent) -> None:
        """Count what was done to an object; each failure is listed."""
        if self._is_in(event.at_us):
            self.checks[event.centre, event.event, event.outcome] += 1
            self.software[event.software] += 1
            if event.outcome == "fail":
                named = {"centre": event.centre, "path": event.path, "batch": event.batch, "at_us": event.at_us}
                self.failures.append({**named, "detail": event.detail})

    def fixity(self) -> dict[str, Any]:
        """What was checked and mended, by centre, and each failure."""
        rows = [
            {"centre": centre, "event": event, "outcome": outcome, "objects": count}
            for (centre, event, outcome), count in sorted(self.checks.items())
        ]
        return {"year": self.year, "events": rows, "failures": self.failures}

    def counts(self) -> dict[str, Any]:
        """What was archived, by station."""
        stations = {
            station: {"batches": count, "rows": self.rows[station], "bytes": self.size_bytes[station]}
            for station, count in sorted(self.batches.items())
        }
        return {"year": self.year, "stations": stations, "copies": dict(self.copies), "policies": dict(self.policies)}

    def _is_in(self, at_us: int) -> bool:
        return self._begin_us <= at_us < self._end_us


def write_bundle(
    folder: Path, year: Year, audit: dict[str, Any], policies: Path, key: Ed25519PrivateKey | None
) -> list[Path]:
    """Write the bundle; the files, the index last. Raises FileExistsError where a file of it is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "audit.json": _readable(audit),
        "fixity.json": _readable(year.fixity()),
        "counts.json": _readable(year.counts()),
        "policies.toml": policies.read_bytes(),
        "software.json": _readable({"evidence": software("b2stream-evidence"), "seen": dict(year.software)}),
    }
    files = [_write(folder / name, content) for name, content in contents.items()]
    index = {"year": year.year, "format": 1, "files": list(_entries(contents.items()))}
    content = canonical_json(index)
    files.append(_write(folder / INDEX, content))
    if key is not None:
        signature = {
            "public_key": base64.b64encode(public_key_of(key)).decode(),
            "signature": base64.b64encode(key.sign(SIGNED_PREFIX + content)).decode(),
        }
        files.append(_write(folder / SIGNATURE, _readable(signature)))
    return files


def _entries(contents: Iterable[tuple[str, bytes]]) -> Iterable[dict[str, Any]]:
    for name, content in contents:
        sha256 = hashlib.sha256(content).hexdigest()
        yield {"name": name, "sha256": sha256, "bytes": len(content), "supports": SUPPORTS[name]}


def _readable(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _write(path: Path, content: bytes) -> Path:
    with path.open("xb") as file:
        file.write(content)
    return path
