"""An archive that went through the whole chain, at rest, which tests may damage as they like and put back."""

import hashlib
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from irods.session import iRODSSession

from b2stream.archive.location import parse_location
from b2stream.archive.placing import Writer
from b2stream.archive.waiting import StoppableClock
from b2stream.batches.identity import irods_checksum
from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import ObjectEvent
from b2stream.handles.opening import open_handles
from b2stream.handles.service import HandleService
from b2stream.kafka import Producer
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.auditing import Plan, Report
from b2stream.programs.audit.centres import open_centres
from b2stream.programs.audit.cli import run
from b2stream.programs.audit.gathering.log import Log
from b2stream.programs.audit.history import daily
from b2stream.sandbox.deployment import Deployment
from b2stream.settings import Settings, load

MANIFEST = ".manifest.json"
ROLES = ("first", "second")


@dataclass
class RestingArchive:
    """Both centres of a deployment whose programs have finished. Damage is done behind the back of every program."""

    deployment: Deployment
    copies: dict[str, Path] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)  # roles of centres that are not as they were

    @property
    def settings(self) -> Settings:
        return load(self.deployment.settings_file, environment={}).settings

    def audit(self, *, recompute: bool = True) -> Report:
        """The report of an audit of everything, without grace: nothing is under way."""
        return run(self.settings, Plan(recompute=recompute, grace_s=0.0))

    def object_events(self) -> list[ObjectEvent]:
        """What was told of objects up to now, by partition in order."""
        log = Log(self.settings, Framing())
        log.fix_ends()
        return list(log.object_events())

    @property
    def registers(self) -> bool:
        """Whether a Handle server was to be had."""
        return bool(self.settings.handle.url)

    def handles(self) -> HandleService:
        """The Handle server, to do damage at."""
        return open_handles(self.settings.handle)

    def describe(self) -> str:
        """What the programs have still to do."""
        return f"{self.audit(recompute=False).lag}; evidence in {self.deployment.directory}"

    def data_objects(self) -> list[str]:
        """Paths of all data objects, in order."""
        folder = self.vault("first")
        found = (str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
        return sorted(path for path in found if not path.endswith(MANIFEST) and not path.startswith("."))

    def attributes(self, role: str, path: str) -> dict[str, str]:
        """The attributes (AVUs) of an object at a centre, as any iRODS client sees them."""
        with self._session(role) as (session, root):
            found = session.data_objects.get(f"{root}/{path}").metadata.items()
            return {one.name: one.value for one in found}

    def archive_provenance(self) -> None:
        """Archive what happened up to now as if the day were over, and tell it, as `b2stream archive-provenance` does."""
        settings, framing, today = self.settings, Framing(), datetime.now(UTC).date()
        log = Log(settings, framing)
        log.fix_ends()
        producer = Producer(settings.kafka, "test")
        announcer = Announcer(producer, framing, settings.general.community, settings.kafka.partitions)
        for store in open_centres(settings):
            for station, document in daily.documents(log, today).items():
                done = daily.archive(document, station, today, store, Writer(), StoppableClock())
                told = done.event(station, today, 1, "test")
                announcer.publish(topics.EVENTS, told, station, f"{done.centre}/{done.path}", done.path).result()
            store.close()
        producer.close()

    def days(self) -> list[str]:
        """Paths of the documents of daily provenance, in order."""
        folder = self.vault("first")
        return sorted(str(file.relative_to(folder)) for file in (folder / daily.FOLDER).rglob("*.json"))

    def vault(self, role: str) -> Path:
        """Where the files of a centre lie on this disk."""
        root = parse_location(self.deployment.addresses[role]).root
        return self.deployment.directory / role / "vault" / root.split("/", 2)[2]

    # Damage -----------------------------------------------------------------------------------------------------------

    def delete(self, role: str, path: str) -> None:
        """Remove an object as its owner could."""
        self.touched.add(role)
        with self._session(role) as (session, root):
            session.data_objects.unlink(f"{root}/{path}", force=True)

    def put(self, role: str, path: str, content: bytes) -> None:
        """Write an object, or write over one, as its owner could: the catalogue knows the new bytes and their checksum."""
        self.touched.add(role)
        with self._session(role) as (session, root):
            if session.data_objects.exists(f"{root}/{path}"):
                session.data_objects.unlink(f"{root}/{path}", force=True)
            with session.data_objects.open(f"{root}/{path}", "w") as handle:
                handle.write(content)
            registered = session.data_objects.chksum(f"{root}/{path}")
        assert registered == irods_checksum(hashlib.sha256(content).hexdigest())

    def read(self, role: str, path: str) -> bytes:
        """The bytes in the vault."""
        return (self.vault(role) / path).read_bytes()

    def rot(self, role: str, path: str, content: bytes) -> None:
        """Change the bytes in the vault, as a failing disk does: the catalogue knows nothing of it."""
        self.touched.add(role)
        (self.vault(role) / path).write_bytes(content)

    # Back again -------------------------------------------------------------------------------------------------------

    def remember(self, role: str, name: str) -> None:
        """Keep a centre's state under a name, as a backup would."""
        zone = self.deployment.servers[role]
        zone.stop()
        copy = self.deployment.directory / f"{role}-{name}"
        shutil.copytree(zone.directory, copy)
        zone.start()
        self.copies[f"{role} {name}"] = copy

    def restore(self, role: str, name: str) -> None:
        """Bring a centre back to that state."""
        self.touched.add(role)
        zone = self.deployment.servers[role]
        zone.stop()
        shutil.rmtree(zone.directory)
        shutil.copytree(self.copies[f"{role} {name}"], zone.directory)
        zone.start()

    def _session(self, role: str) -> "_Session":
        centre = getattr(self.settings, role)
        return _Session(centre.url, Path(centre.password_file).read_text(encoding="utf-8").strip())


class _Session:
    def __init__(self, url: str, password: str) -> None:
        location = parse_location(url)
        self._root = location.root
        self._session = iRODSSession(
            host=location.host, port=location.port, user=location.user, zone=location.zone, password=password
        )

    def __enter__(self) -> tuple[iRODSSession, str]:
        return self._session, self._root

    def __exit__(self, *_: object) -> None:
        self._session.cleanup()
