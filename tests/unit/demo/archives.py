"""Archives made by hand in embedded zones, to be broken one way at a time."""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from irods import keywords
from irods.session import iRODSSession

from b2stream.batches.examining import Examination
from b2stream.batches.manifest import InLog, build_manifest, paths_of
from b2stream.batches.paths import split_name
from b2stream.contracts import blocks, schemas
from b2stream.contracts.framing import Framed
from b2stream.contracts.records import CONTAINER_FILE, BatchClosed
from b2stream.sandbox.zone.process import EmbeddedZone

START_US = 1_784_000_000_000_000


@dataclass(frozen=True)
class Committed:
    """A batch as its station closed it."""

    close: BatchClosed
    content: bytes
    manifest: bytes
    block: bytes  # the body of its only block's record

    @property
    def path(self) -> str:
        return paths_of(self.close).data_object

    @property
    def manifest_path(self) -> str:
        return paths_of(self.close).manifest


class CentreByHand:
    """One root collection of an embedded zone, written with the plain client."""

    def __init__(self, role: str, name: str, zone: EmbeddedZone, folder: Path) -> None:
        self.role, self.name, self.zone = role, name, zone
        self.root = f"{zone.home}/{folder.name}"
        self._password_file = folder / f"{role}.password"
        self._password_file.write_text(zone.password + "\n")
        self.session: Any = iRODSSession(
            host=zone.host, port=zone.port, user=zone.user, password=zone.password, zone=zone.zone_name
        )
        self.session.collections.create(self.root)

    def put(self, path: str, content: bytes, *, checksum: bool = True) -> None:
        """Place an object, its checksum registered as the pipeline does."""
        absolute = f"{self.root}/{path}"
        self.session.collections.create(absolute.rpartition("/")[0])
        digest = "sha2:" + base64.b64encode(hashlib.sha256(content).digest()).decode()
        options = {keywords.VERIFY_CHKSUM_KW: digest} if checksum else {}
        with self.session.data_objects.open(absolute, "w", **options) as opened:
            opened.write(content)

    def remove(self, *paths: str) -> None:
        """Remove objects for good."""
        for path in paths:
            self.session.data_objects.unlink(f"{self.root}/{path}", force=True)

    def swap(self, path: str, other: str) -> None:
        """Let two objects take each other's place, checksums and all."""
        spare = f"{self.root}/spare-{secrets.token_hex(4)}"
        one, two = f"{self.root}/{path}", f"{self.root}/{other}"
        for source, target in ((one, spare), (two, one), (spare, two)):
            self.session.data_objects.move(source, target)

    def file_of(self, path: str) -> Path:
        """Where the bytes of an object lie on disk."""
        stored = self.session.data_objects.get(f"{self.root}/{path}")
        return Path(stored.replicas[0].path)

    def flip(self, path: str, position: int) -> None:
        """Flip one bit, as a failing disk does: size and checksum in the catalogue stay."""
        file = self.file_of(path)
        content = bytearray(file.read_bytes())
        content[position] ^= 1
        file.write_bytes(content)

    def in_plan(self) -> dict[str, Any]:
        account = {"host": self.zone.host, "port": self.zone.port, "user": self.zone.user, "zone": self.zone.zone_name}
        return {
            "name": self.name,
            "root": self.root,
            "staging_root": f"{self.root}/.staging",
            "account": account,
            "password": {"file": str(self._password_file)},
            "shared": False,
        }


@dataclass
class Archive:
    """Two centres and the files of the stations."""

    folder: Path
    first: CentreByHand
    second: CentreByHand
    sources: list[dict[str, Any]] = field(default_factory=list)
    batches: list[Committed] = field(default_factory=list)
    earlier: Path | None = None

    def source(self, station: str, name: str, content: bytes, rows: int | None) -> None:
        """A file as its station has it."""
        file = self.folder / station / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        self.sources.append(
            {"station": station, "name": name, "file": str(file), "size_bytes": len(content), "sha256": digest}
            | {"rows": rows}
        )

    def add(self, station: str, name: str, content: bytes, *, rows: int = 0, series: str = "files") -> Committed:
        """A file and its batch, at both centres, in the chain of its series."""
        self.source(station, name, content, rows)
        batch = self.close(station, name, content, rows=rows, series=series)
        self.commit(batch)
        return batch

    def close(self, station: str, name: str, content: bytes, *, rows: int, series: str) -> Committed:
        """What the station's close would commit, as the next of its series."""
        before = [batch for batch in self.batches if (batch.close.station, batch.close.series) == (station, series)]
        previous = before[-1].close if before else None
        at = 2 * len(self.batches)
        batch = committed(station, name, content, rows, series, previous, len(before), first_offset=at)
        self.batches.append(batch)
        return batch

    def commit(self, batch: Committed, *centres: CentreByHand) -> None:
        """Place data object and manifest, at both centres unless some are named."""
        for centre in centres or (self.first, self.second):
            centre.put(batch.path, batch.content)
            centre.put(batch.manifest_path, batch.manifest)

    def write_plan(self, **changed: Any) -> Path:
        """The plan file of this archive."""
        document = {
            "sources": self.sources,
            "first": self.first.in_plan(),
            "second": self.second.in_plan(),
            "kafka": None,
            "keys": {},
            "earlier": self.earlier and str(self.earlier),
            "began_s": 0.0,
        }
        plan = self.folder / "plan.json"
        plan.write_text(json.dumps(document | changed))
        return plan


def committed(
    station: str,
    name: str,
    content: bytes,
    rows: int,
    series: str,
    previous: BatchClosed | None,
    series_number: int,
    change: Callable[[BatchClosed], BatchClosed] = lambda close: close,
    first_offset: int = 0,
) -> Committed:
    """A batch with its manifest; in the log its close follows its block. `change` alters the examined close, as a liar would."""
    variables = (blocks.Variable("co2", "ppm", np.linspace(400.0, 410.0, rows)),) if rows else ()
    start_us = START_US + series_number * 1_800_000_000 if rows else None
    block = blocks.Block(station, series, start_us, np.arange(rows, dtype=float), variables, (), content)
    body = blocks.encode(block)
    schema = schemas.current("MeasurementBlock")
    stem, extension = split_name(name)
    close = BatchClosed(
        station=station,
        series=series,
        stem=stem,
        extension=extension,
        name=name,
        attempt=secrets.token_hex(16),
        count=1,
        rows=rows,
        start_us=start_us,
        stop_us=start_us + (rows - 1) * 1_000_000 if start_us is not None else None,
        container_format=CONTAINER_FILE,
        schema_fingerprint=schema.fingerprint,
        content_digest=hashlib.sha256(body).hexdigest(),
        raw_sha256=hashlib.sha256(content).hexdigest(),
        raw_size_bytes=len(content),
        series_number=series_number,
        previous=None if previous is None else hashlib.sha256(previous.signed_bytes()).hexdigest(),
        input_format="otc-product" if rows else "opaque",
        opaque_reason=None if rows else "not_recognised",
    )
    examination = Examination(close)
    examination.take(Framed(schema, memoryview(body)))
    examined = examination.result()
    close = change(close)
    in_log = InLog("topic", 0, ((first_offset, first_offset),), first_offset + 1, START_US)
    return Committed(close, content, build_manifest(close, examined, in_log), body)


def renumbered(number: int) -> Callable[[BatchClosed], BatchClosed]:
    """A close with another series number."""
    return lambda close: replace(close, series_number=number)


def table(rows: int, note: str = "") -> bytes:
    """A file with so many rows below its header line."""
    return f"time,co2{note}\n".encode() + b"".join(b"%d,%d.25\n" % (row, 400 + row % 7) for row in range(rows))
