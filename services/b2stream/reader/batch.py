"""A batch as a subscriber gets it: its event, and the centre where its objects can be read."""

from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import quote

from b2stream.archive.centres import open_centre
from b2stream.archive.location import open_store
from b2stream.archive.store import ObjectStore
from b2stream.contracts.canonical import iso_utc
from b2stream.contracts.records import BatchCommitted, BatchReplicated, Record
from b2stream.errors import ConfigurationError
from b2stream.settings import Settings

_QUOTED_AS_IN_URLS = "/~!$'()*,;:@=+"  # as `IrodsLocation.url` quotes a path


class Centres:
    """The centres of a configuration, by name; each is opened once, at its first use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: dict[str, ObjectStore] = {}

    def put(self, name: str, store: ObjectStore) -> None:
        """Read centre `name` from this store."""
        self._open[name] = store

    def store(self, name: str, url: str, path: str) -> ObjectStore:
        """The centre called `name`. One that the configuration does not know is found by an event's URL, and entered with
        the user of `irods_environment.json`. Raises ConfigurationError.
        """
        if name not in self._open:
            self._open[name] = self._opened(name, url, path)
        return self._open[name]

    def _opened(self, name: str, url: str, path: str) -> ObjectStore:
        for role, centre in (("first", self._settings.first), ("second", self._settings.second)):
            if centre.url and centre.name == name:
                return open_centre(role, centre)
        root = url.removesuffix("/" + quote(path, safe=_QUOTED_AS_IN_URLS))
        if root == url:
            raise ConfigurationError(f"centre {name!r}: set first.name and first.url to read from it")
        return open_store(root, name)


@dataclass(frozen=True)
class Batch:
    """A committed batch: `event` says what it is and where. `replica` is set where replica events are followed."""

    event: BatchCommitted
    replica: BatchReplicated | None = None
    centres: Centres = field(default_factory=lambda: Centres(Settings()), repr=False, compare=False)

    @property
    def name(self) -> str:
        """The file's own name; for a stream the data object's."""
        return self.event.name or self.event.path.rpartition("/")[2]

    @property
    def about(self) -> str:
        """File, station and batch, for messages."""
        return f"{self.name} of {self.event.station}/{self.event.series} (batch {self.event.batch[:12]})"

    def store(self) -> ObjectStore:
        """Where to read it: the second centre for a replica event, else the first. Raises ConfigurationError."""
        if self.replica is not None:
            return self.centres.store(self.replica.centre, self.replica.url, self.event.path)
        return self.centres.store(self.event.centre, self.event.url, self.event.path)

    def to_json(self) -> dict[str, Any]:
        """The event as JSON values, instants in ISO 8601."""
        return _json_of(self.replica or self.event)


def _json_of(record: Record) -> dict[str, Any]:
    values = record.to_avro()
    for each in fields(record):
        value = getattr(record, each.name)
        if each.name.endswith("_us") and value is not None:
            values[each.name.removesuffix("_us")] = iso_utc(value)
        elif isinstance(value, Record):
            values[each.name] = _json_of(value)
    return values
