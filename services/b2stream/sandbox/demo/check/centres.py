"""One centre as it was found: every object read whole, every manifest taken at its word and held against what lies beside it."""

from dataclasses import dataclass, field

from . import manifests
from .canonical import irods_checksum
from .findings import Findings
from .manifests import SUFFIX, Batch
from .plan import Centre
from .zone import GOOD, Stored, Zone

DAY_S = 86_400.0
DEAD = ".dead/"


@dataclass
class Found:
    """What one centre holds."""

    centre: Centre
    objects: dict[str, Stored] = field(default_factory=dict)  # data objects and manifests, by path
    batches: dict[str, Batch] = field(default_factory=dict)  # committed ones, by path of the data object
    dead: dict[str, Stored] = field(default_factory=dict)  # what lies below `.dead/`, by path

    def holds(self, batch: Batch) -> bool:
        """Whether the data object of a batch lies here with exactly the batch's bytes."""
        stored = self.objects.get(batch.path)
        return stored is not None and stored.sha256 == batch.sha256

    def file_of(self, path: str) -> dict[str, str]:
        """Station and file name of what lies at a path, as far as it tells."""
        batch = self.batches.get(path.removesuffix(SUFFIX))
        name = batch.name if batch else path.rpartition("/")[2]
        return {"station": path.partition("/")[0], "file": name, "centre": self.centre.name, "path": path}


def look(centre: Centre, began_s: float, findings: Findings) -> Found:
    """Read a whole centre. What is wrong by the centre's own account is found here. Raises CannotCheck."""
    zone = Zone(centre)
    try:
        found = Found(centre)
        for path, stored in sorted(zone.objects().items()):
            if path.startswith(DEAD):
                zone.read(stored, keep=False)
                found.dead[path] = stored
                continue
            if path.startswith("."):
                _hidden(found, stored, findings)
                continue
            zone.read(stored, keep=path.endswith(SUFFIX))
            found.objects[path] = stored
        for path, stored in found.objects.items():
            if path.endswith(SUFFIX):
                _take_manifest(found, stored, findings)
        for stored in found.objects.values():
            _compare_with_catalogue(found, stored, findings)
        for path in found.objects:
            if not path.endswith(SUFFIX) and path not in found.batches:
                _uncommitted(found, path, findings)
        _report_debris(centre, zone.staged(), began_s, findings)
        return found
    finally:
        zone.close()


def _take_manifest(found: Found, stored: Stored, findings: Findings) -> None:
    batch = manifests.read(stored) if not stored.trouble else stored.trouble
    if isinstance(batch, str):
        if not found.centre.shared:
            findings.add("I1", batch, **found.file_of(stored.path))
        return
    found.batches[batch.path] = batch
    for wrong in manifests.wrong_statements(batch, stored):
        findings.add("I3", wrong, **found.file_of(stored.path))
    findings.count("I3", "statements of manifests", manifests.statements())
    beside = found.objects.get(batch.path)
    if beside is None:
        findings.add("I1", "the manifest has no data object beside it", **found.file_of(stored.path))
    elif not beside.trouble and beside.size_bytes != batch.close["raw_size_bytes"]:
        told = f"the manifest says {batch.close['raw_size_bytes']}"
        findings.add("I3", f"the data object has {beside.size_bytes} bytes, {told}", **found.file_of(batch.path))


def _compare_with_catalogue(found: Found, stored: Stored, findings: Findings) -> None:
    """Every replica good, and size and checksum as registered when the object was placed."""
    place = found.file_of(stored.path)
    if stored.trouble:
        findings.add("I4", stored.trouble, **place)
        return
    for replica in stored.replicas:
        named = f"replica {replica.number}"
        if replica.status != GOOD:
            findings.add("I4", f"{named} has status {replica.status}, which is not good", **place)
        if replica.size_bytes != stored.size_bytes:
            findings.add("I4", f"{named} is registered with {replica.size_bytes} of {stored.size_bytes} bytes", **place)
        if replica.checksum is None:
            findings.add("I4", f"{named} has no checksum", **place)
        elif replica.checksum != irods_checksum(stored.sha256):
            told = f"{replica.checksum} is registered, its bytes have {irods_checksum(stored.sha256)}"
            findings.add("I4", f"{named}: {told}", **place)
    findings.count("I4", "objects read whole, with the size and checksum they were placed with")


def _uncommitted(found: Found, path: str, findings: Findings) -> None:
    if found.centre.shared:
        findings.notes.append(f"{found.centre.name} {path}: without a manifest; the root may hold objects of others")
    else:
        findings.add("I1", "a data object without its manifest is not committed", **found.file_of(path))


def _hidden(found: Found, stored: Stored, findings: Findings) -> None:
    """Below a dotted folder that no letter tells of: a stranger."""
    text = "lies outside the archive proper"
    if found.centre.shared:
        findings.notes.append(f"{found.centre.name} {stored.path}: {text}")
    else:
        findings.add("I1", text, centre=found.centre.name, path=stored.path)


def _report_debris(centre: Centre, staged: dict[str, Stored], began_s: float, findings: Findings) -> None:
    older = [path for path, stored in staged.items() if stored.created_s < began_s]
    if staged:
        told = f"{len(staged)} pieces below the staging root, {len(older)} of them from before this run"
        findings.notes.append(f"{centre.name}: {told}; debris of killed programs, swept once it is older than a day")
    for path in older:
        if staged[path].created_s < began_s - DAY_S and not centre.shared:
            findings.add("I10", "debris that is older than a day", centre=centre.name, path=path)
