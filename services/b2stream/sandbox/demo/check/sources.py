"""Source files against the batches of both centres: each file whole, once, at both."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from . import rows
from .centres import Found
from .findings import Findings
from .manifests import Batch
from .plan import CannotCheck, Centre, Source
from .zone import Zone

Key = tuple[str, str, str]  # station, file name, SHA-256


@dataclass(frozen=True)
class Matched:
    """A source and its batch at each centre, where there is exactly one."""

    source: Source
    sha256: str
    size_bytes: int
    batches: dict[str, Batch | None]  # by role of the centre

    @property
    def batch(self) -> Batch | None:
        return self.batches["first"] or self.batches["second"]


def digest(source: Source) -> tuple[int, str]:
    """Size and SHA-256 of a source file, from its bytes if it is still there."""
    if source.file is None:
        return source.size_bytes, source.sha256
    try:
        with source.file.open("rb") as file:
            return source.file.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CannotCheck(f"the source {source.file} cannot be read: {error}") from error


def match(sources: list[Source], found: list[Found], findings: Findings) -> list[Matched]:
    """Find the one batch of each source at each centre; name what is missing, doubled or nobody's."""
    digested = {source: digest(source) for source in sources}
    by_name = {(source.station, source.name, sha256): source for source, (_, sha256) in digested.items()}
    by_key = {one.centre.role: _by_key(one) for one in found}
    matched = []
    for key, source in by_name.items():
        batches: dict[str, Batch | None] = {}
        for one in found:
            batches[one.centre.role] = _only_batch(key, by_key[one.centre.role].get(key, []), one, findings)
        size_bytes, sha256 = digested[source]
        matched.append(Matched(source, sha256, size_bytes, batches))
        findings.count("I1", "source files, each looked for in every batch of both centres")
    for one in found:
        for key, batches_of_key in by_key[one.centre.role].items():
            if key not in by_name and not one.centre.shared:
                for batch in batches_of_key:
                    findings.add("I1", "this batch is of no source file", **one.file_of(batch.path))
    return matched


def compare_bytes(matched: list[Matched], found: list[Found], findings: Findings) -> None:
    """The bytes of each source against its data object at each centre."""
    by_digest = {one.sha256: one.source for one in matched}
    for one in found:
        for each in matched:
            batch = each.batches[one.centre.role]
            stored = one.objects.get(batch.path) if batch else None
            if stored is None or stored.trouble:
                continue  # said already
            findings.count("I3", "data objects whose bytes were compared with their source file")
            if stored.sha256 != each.sha256:
                other = by_digest.get(stored.sha256)
                where = f"they are those of {other.station} {other.name}" if other else _difference(one, each)
                what = f"the bytes are not those of the source file: {where}"
                findings.add("I3", what, **one.file_of(stored.path) | {"file": each.source.name})


def compare_rows(matched: list[Matched], findings: Findings) -> None:
    """Rows that the manifest states against those that a plan knows, and those counted in the file."""
    for each in matched:
        batch = each.batch
        if batch is None:
            continue
        told = {"known": each.source.rows, "counted in the file": _counted(each.source.file, batch)}
        for how, expected in told.items():
            if expected is None:
                continue
            findings.count("I1", f"rows {how}", expected)
            if expected != batch.rows:
                reason = batch.close["opaque_reason"]
                opaque = f" (taken as opaque: {reason}: {batch.close['opaque_detail']})" if reason else ""
                what = f"{expected} rows are {how}, the batch has {batch.rows}{opaque}"
                findings.add("I1", what, station=each.source.station, file=each.source.name, path=batch.path)


def _counted(file: Path | None, batch: Batch) -> int | None:
    return None if file is None else rows.count(batch.close["input_format"], file.read_bytes())


def _by_key(found: Found) -> dict[Key, list[Batch]]:
    by_key: dict[Key, list[Batch]] = defaultdict(list)
    for batch in found.batches.values():
        by_key[batch.station, batch.name, batch.sha256].append(batch)
    return by_key


def _only_batch(key: Key, batches: list[Batch], found: Found, findings: Findings) -> Batch | None:
    station, name, _ = key
    place = {"station": station, "file": name, "centre": found.centre.name}
    if len(batches) == 1:
        return batches[0]
    if batches:
        paths = ", ".join(sorted(batch.path for batch in batches))
        findings.add("I1", f"the file is in {len(batches)} committed batches: {paths}", **place)
        return batches[0]
    findings.add("I1", f"the file is in no committed batch ({_nearest(key, found)})", **place)
    return None


def _nearest(key: Key, found: Found) -> str:
    """What comes closest to a batch that is missing."""
    station, name, sha256 = key
    for path, stored in found.objects.items():
        if stored.sha256 == sha256 and path not in found.batches:
            return f"its bytes lie at {path} without a manifest"
    for batch in found.batches.values():
        if (batch.station, batch.name) == (station, name):
            return f"a batch of this name has other bytes: {batch.path}"
    return "nothing of this name is there"


def _difference(found: Found, each: Matched) -> str:
    """Where the bytes at a centre begin to differ from the source's."""
    batch = each.batches[found.centre.role]
    if each.source.file is None or batch is None:
        return "another SHA-256"
    position = first_difference(found.centre, batch.path, each.source.file)
    return f"the first difference is at byte {position}"


def first_difference(centre: Centre, path: str, file: Path) -> int:
    """Offset of the first byte in which a data object and a file differ."""
    zone, position = Zone(centre), 0
    try:
        with file.open("rb") as source:
            for piece in zone.pieces(path):
                wanted = source.read(len(piece))
                if piece != wanted:
                    pairs = zip(piece, wanted, strict=False)
                    same = next((at for at, (one, two) in enumerate(pairs) if one != two), min(len(piece), len(wanted)))
                    return position + same
                position += len(piece)
        return position
    finally:
        zone.close()
