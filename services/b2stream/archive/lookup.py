"""What a centre has of a batch, wherever in its series that lies."""

from dataclasses import dataclass

from b2stream.archive.objects import MANIFEST_SUFFIX
from b2stream.archive.store import ObjectState, ObjectStore


@dataclass(frozen=True, slots=True)
class Found:
    """What a centre has of a batch: nothing, a data object alone (uncommitted), or a manifest (committed)."""

    data_object: ObjectState | None = None
    manifest: ObjectState | None = None

    @property
    def committed(self) -> bool:
        return self.manifest is not None

    @property
    def data_path(self) -> str | None:
        """Where the data object lies, or should lie beside its manifest; None where there is nothing of the batch."""
        if self.data_object is not None:
            return self.data_object.path
        return None if self.manifest is None else self.manifest.path.removesuffix(MANIFEST_SUFFIX)


def look_up(store: ObjectStore, series_folder: str, name: str) -> Found:
    """What the centre has of the data object `name` in any month of the series (`<station>/<series>`); one query.

    Two attempts that decode differently can give a batch two starts, so both months may hold its data object: the one
    with the manifest counts, else the first by path.
    """
    states = {state.path: state for state in store.find(series_folder, name, name + MANIFEST_SUFFIX)}
    manifests = sorted(path for path in states if path.endswith(f"/{name}{MANIFEST_SUFFIX}"))
    if manifests:
        return Found(states.get(manifests[0].removesuffix(MANIFEST_SUFFIX)), states[manifests[0]])
    return Found(states[min(states)]) if states else Found()
