"""A station's description: who may sign for it, and what it measures. One message of the topic `stations`, keyed by station.

An instant's attribute ends in `_us` (microseconds since 1970, UTC). Keys are never removed, only ended: with the public key that
stands here anyone can check a batch of long ago.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from b2stream.contracts.canonical import iso_utc
from b2stream.contracts.records import Record

PUBLIC_KEY_BYTES = 32
_ID_DIGITS = 16
_LONGEST_THEME = 200
"""Characters. Whatever a description says, a commit event fits into a message."""


@dataclass(frozen=True, slots=True)
class StationKey:
    """A public key (base64 of Ed25519's 32 bytes) and when it holds: from `valid_from_us` on, before `valid_until_us`."""

    id: str
    public: str
    valid_from_us: int
    valid_until_us: int | None = None

    def holds_at(self, instant_us: int) -> bool:
        """Whether a close that the broker appended at this instant may be signed with it."""
        return self.valid_from_us <= instant_us and (self.valid_until_us is None or instant_us < self.valid_until_us)

    def period(self) -> str:
        """Its period, for a person."""
        until = "" if self.valid_until_us is None else iso_utc(self.valid_until_us)
        return f"{iso_utc(self.valid_from_us)} to {until or 'further notice'}"


@dataclass(frozen=True, slots=True)
class Position:
    """Degrees north and east (WGS 84), metres above sea level."""

    latitude: float
    longitude: float
    elevation_m: float | None = None


@dataclass(frozen=True, slots=True)
class SeriesVariable:
    """A variable as it stands in the file, and its unit."""

    name: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class StationSeries:
    """One stream of the station. `data_level`: 0 raw, 1 near real time, 2 final, 3 elaborated."""

    id: str
    data_level: int
    variables: tuple[SeriesVariable, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StationDescription(Record):
    """What is known of a station. `utc_offset_h` is its standard time, hours ahead of UTC."""

    SCHEMA: ClassVar[str] = "StationDescription"

    station: str
    name: str
    theme: str
    position: Position | None = None
    utc_offset_h: float | None = None
    keys: tuple[StationKey, ...] = ()
    series: tuple[StationSeries, ...] = ()

    def key(self, identity: str) -> StationKey | None:
        """The key with this id."""
        return next((key for key in self.keys if key.id == identity), None)

    def one_series(self, identity: str) -> StationSeries | None:
        """The series with this id, where it is listed."""
        return next((each for each in self.series if each.id == identity), None)

    def to_avro(self) -> dict[str, Any]:
        return {
            "station": self.station,
            "name": self.name,
            "theme": self.theme,
            "position": self.position and _values(self.position),
            "utc_offset_h": self.utc_offset_h,
            "keys": [_values(key) for key in self.keys],
            "series": [
                {**_values(each), "variables": [_values(variable) for variable in each.variables]}
                for each in self.series
            ],
        }

    @classmethod
    def from_avro(cls, value: dict[str, Any]) -> Self:
        position = value.get("position")
        return cls(
            station=value["station"],
            name=value["name"],
            theme=value["theme"],
            position=position and Position(**position),
            utc_offset_h=value.get("utc_offset_h"),
            keys=tuple(
                StationKey(each["id"], each["public"], each["valid_from"], each["valid_until"])
                for each in value["keys"]
            ),
            series=tuple(
                StationSeries(each["id"], each["data_level"], tuple(SeriesVariable(**one) for one in each["variables"]))
                for each in value["series"]
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """The same with instants as ISO 8601, for people and other programs."""
        document = self.to_avro()
        for key in document["keys"]:
            key["valid_from"] = iso_utc(key["valid_from"])
            key["valid_until"] = None if key["valid_until"] is None else iso_utc(key["valid_until"])
        return document


@dataclass(frozen=True, slots=True)
class Described:
    """What a description says of a series; None where no description says so."""

    theme: str | None = None
    data_level: int | None = None

    @classmethod
    def by(cls, stations: Mapping[str, StationDescription], station: str, series: str) -> Self:
        """What descriptions, by station, say of a series. Never fails: it decides nothing."""
        description = stations.get(station)
        if description is None:
            return cls()
        listed = description.one_series(series)
        theme = description.theme if 0 < len(description.theme) <= _LONGEST_THEME else None
        return cls(theme, None if listed is None else listed.data_level)


UNDESCRIBED = Described()


def key_id(public: bytes) -> str:
    """The id of a public key: content decides, so no two keys share one and nobody has to invent it."""
    return hashlib.sha256(public).hexdigest()[:_ID_DIGITS]


def public_bytes(public: str) -> bytes | None:
    """The 32 bytes that the text stands for, None where it is no public key."""
    try:
        found = base64.b64decode(public, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == PUBLIC_KEY_BYTES and base64.b64encode(found).decode() == public else None


def wrong_changes(before: StationDescription, after: StationDescription, now_us: int) -> list[str]:
    """What a new description must not do to the one that is there: remove a key, or change what a key meant in the past."""
    found = []
    for old in before.keys:
        new = after.key(old.id)
        if new is None:
            found.append(f"key {old.id} is missing: a key is never removed, only ended (valid_until)")
        elif new.public != old.public:
            found.append(f"key {old.id} has other bytes")
        elif new.valid_from_us != old.valid_from_us:
            found.append(f"key {old.id} began at {iso_utc(old.valid_from_us)}: that cannot change")
        elif new.valid_until_us != old.valid_until_us:
            found += _wrong_end(old, new, now_us)
    return found


def _wrong_end(old: StationKey, new: StationKey, now_us: int) -> list[str]:
    if old.valid_until_us is not None and old.valid_until_us <= now_us:
        return [f"key {old.id} ended at {iso_utc(old.valid_until_us)}: that is past and cannot change"]
    if new.valid_until_us is not None and new.valid_until_us < now_us:
        return [f"key {old.id} cannot end at {iso_utc(new.valid_until_us)}: that is past, and batches may rest on it"]
    return []


def _values(of: Any) -> dict[str, Any]:
    """Fields by their Avro names."""
    return {name.removesuffix("_us"): getattr(of, name) for name in of.__dataclass_fields__}
