"""What a manifest states, each statement held against what lies beside it and against itself."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .canonical import batch_id, canonical, close_digest, id24
from .zone import Stored

SUFFIX = ".manifest.json"


@dataclass(frozen=True)
class Batch:
    """A committed batch: its manifest at one centre."""

    manifest_path: str
    document: dict[str, Any]

    @property
    def close(self) -> dict[str, Any]:
        close: dict[str, Any] = self.document["close"]
        return close

    @property
    def id(self) -> str:
        return str(self.document["batch"])

    @property
    def path(self) -> str:
        """Path of its data object, which the manifest lies beside."""
        return self.manifest_path.removesuffix(SUFFIX)

    @property
    def station(self) -> str:
        return str(self.close["station"])

    @property
    def series(self) -> str:
        return str(self.close["series"])

    @property
    def name(self) -> str:
        """The file's name, or the stem of a stream's batch."""
        return str(self.close["name"] or self.close["stem"])

    @property
    def sha256(self) -> str:
        return str(self.close["raw_sha256"])

    @property
    def rows(self) -> int:
        return int(self.close["rows"])

    @property
    def digest(self) -> str:
        """What the next close of the series names as `previous`."""
        return close_digest(self.close)


def read(stored: Stored) -> Batch | str:
    """The batch that a manifest commits, or why it is no manifest."""
    try:
        document = json.loads(stored.content)
        batch = Batch(stored.path, document)
        _ = (batch.id, batch.station, batch.series, batch.name, batch.sha256, batch.rows, batch.digest)
        _ = (
            batch.close["stem"],
            batch.close["series_number"],
            batch.close["previous"],
            document["data_object"]["path"],
        )
    except (ValueError, KeyError, TypeError) as error:
        return f"this is no manifest: {error!r}"
    return batch


def wrong_statements(batch: Batch, stored: Stored) -> Iterator[str]:
    """What a manifest says that is not so. `stored` is the manifest as it was read."""
    close, told = batch.close, batch.document["data_object"]
    if canonical(batch.document).encode() != stored.content:
        yield "the manifest is not canonical JSON (RFC 8785) of what it says"
    identity = batch_id(batch.station, batch.series, close["stem"] + close["extension"], batch.sha256)
    named = f"{close['stem']}~{id24(batch.sha256)[:12]}{close['extension']}"
    month = "undated" if close["start"] is None else f"{close['start'][:4]}/{close['start'][5:7]}"
    expected = {
        "batch": (batch.id, identity),
        "data_object.path": (told["path"], f"{batch.station}/{batch.series}/{month}/{named}"),
        "data_object.sha256": (told["sha256"], batch.sha256),
        "data_object.size_bytes": (told["size_bytes"], close["raw_size_bytes"]),
        "data_object.id24": (told["id24"], id24(batch.sha256)),
        "data_object.container_format": (told["container_format"], close["container_format"]),
    }
    for member, (said, computed) in expected.items():
        if said != computed:
            yield f"the manifest says {member} is {said!r}, computed from its close it is {computed!r}"
    if told["path"] != batch.path:
        yield f"the manifest is of {told['path']}, and lies beside {batch.path}"
    for variable in batch.document["variables"]:
        if not 0 <= variable["readings"] <= batch.rows:
            yield f"variable {variable['name']!r} has {variable['readings']} readings in {batch.rows} rows"


def statements() -> int:
    """How many statements `wrong_statements` compares for one manifest, its variables apart."""
    return 8
