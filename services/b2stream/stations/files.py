"""A station's description as people write and review it: one TOML file for each station. Errors name file and field."""

import tomllib
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any

from b2stream.batches.paths import LONGEST_NAME_BYTES, is_safe_name
from b2stream.contracts.canonical import EARLIEST_US, LATEST_US
from b2stream.contracts.stations import (
    Position,
    SeriesVariable,
    StationDescription,
    StationKey,
    StationSeries,
    key_id,
    public_bytes,
)
from b2stream.errors import ConfigurationError

THEMES = ("atmosphere", "ecosystem", "ocean")
DATA_LEVELS = range(4)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadDescription(ConfigurationError):
    """The description of a station cannot be published: correct the field named here."""

    reason = "bad_description"


def read_description(path: Path) -> StationDescription:
    """Read a file. Raises BadDescription, which names file and field."""
    try:
        return parse_description(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise BadDescription(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadDescription(f"{path}: not UTF-8 ({error.reason} at byte {error.start})") from error


def parse_description(text: str, origin: str) -> StationDescription:
    """A description from TOML; `origin` names it in errors."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:  # says line and column
        raise BadDescription(f"{origin}: {error}") from error
    top = _Table(document, origin)
    found = StationDescription(
        station=top.name("id"),
        name=top.text("name"),
        theme=top.one_of("theme", THEMES),
        position=_position(top.table("position")),
        utc_offset_h=top.number("utc_offset_h", -12, 14),
        keys=tuple(map(_key, top.tables("keys"))),
        series=tuple(map(_series, top.tables("series"))),
    )
    top.nothing_else()
    _unique(origin, "keys", [key.id for key in found.keys])
    _unique(origin, "series", [each.id for each in found.series])
    return found


def key_snippet(public: bytes, public_text: str, valid_from: datetime) -> str:
    """The lines that bring a public key into its station's file."""
    return "\n".join(
        (
            "[[keys]]",
            f'id = "{key_id(public)}"',
            f'public = "{public_text}"',
            f"valid_from = {valid_from:%Y-%m-%dT%H:%M:%SZ}",
        )
    )


def _position(table: "_Table | None") -> Position | None:
    if table is None:
        return None
    latitude, longitude = table.number("latitude", -90, 90), table.number("longitude", -180, 180)
    if latitude is None or longitude is None:
        raise BadDescription(f"{table.where}: a position has latitude and longitude, in degrees")
    found = Position(latitude, longitude, table.number("elevation_m", -500, 9_000))
    table.nothing_else()
    return found


def _key(table: "_Table") -> StationKey:
    public = table.text("public")
    raw = public_bytes(public)
    if raw is None:
        raise table.wrong("public", "not 32 bytes in base64; `b2stream station keygen` prints it")
    if table.text("id") != key_id(raw):
        raise table.wrong("id", f"the id of this public key is {key_id(raw)}")
    valid_from_us, valid_until_us = table.instant("valid_from"), table.instant("valid_until")
    if valid_from_us is None:
        raise table.wrong("valid_from", "is missing")
    if valid_until_us is not None and valid_until_us <= valid_from_us:
        raise table.wrong("valid_until", "not later than valid_from")
    table.nothing_else()
    return StationKey(key_id(raw), public, valid_from_us, valid_until_us)


def _series(table: "_Table") -> StationSeries:
    level = table.number("data_level", DATA_LEVELS[0], DATA_LEVELS[-1])
    if level is None or level != int(level):
        raise table.wrong("data_level", "0 raw, 1 near real time, 2 final or 3 elaborated")
    found = StationSeries(table.name("id"), int(level), tuple(map(_variable, table.tables("variables"))))
    table.nothing_else()
    _unique(table.where, "variables", [each.name for each in found.variables])
    return found


def _variable(table: "_Table") -> SeriesVariable:
    found = SeriesVariable(table.text("name"), table.text("unit", ""))
    table.nothing_else()
    return found


def _unique(where: str, what: str, names: list[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadDescription(f"{where}: {what}: {twice} stands there twice")


class _Table:
    """One table of the file; knows where it stands, and which of its fields nobody asked for."""

    def __init__(self, values: Any, where: str) -> None:
        if not isinstance(values, dict):
            raise BadDescription(f"{where}: is not a table")
        self._values: dict[str, Any] = values
        self._asked: set[str] = set()
        self.where = where

    def wrong(self, field: str, why: str) -> BadDescription:
        return BadDescription(f"{self.where}: {field}: {why}")

    def text(self, field: str, default: str | None = None) -> str:
        value = self._get(field, default)
        if value is None:
            raise self.wrong(field, "is missing")
        if not isinstance(value, str) or (not value and default is None) or not value.isprintable():
            raise self.wrong(field, f"{value!r:.60} is no printable text")
        return value

    def name(self, field: str) -> str:
        """A text that may be part of a path."""
        value = self.text(field)
        if not is_safe_name(value, LONGEST_NAME_BYTES):
            raise self.wrong(field, f"{value!r:.60} may have letters, digits and -._+,=@ only")
        return value

    def one_of(self, field: str, allowed: tuple[str, ...]) -> str:
        value = self.text(field)
        if value not in allowed:
            raise self.wrong(field, f"{value!r:.60} is none of {', '.join(allowed)}")
        return value

    def number(self, field: str, least: float, most: float) -> float | None:
        value = self._get(field, None)
        if value is None:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        if not is_number or not least <= value <= most:
            raise self.wrong(field, f"{value!r:.60} is no number from {least} to {most}")
        return float(value)

    def instant(self, field: str) -> int | None:
        """Microseconds since 1970, from a date with time and offset."""
        value = self._get(field, None)
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self.wrong(field, f"{value!s:.60} is no instant; write it like 2026-01-31T00:00:00Z")
        found = (value - _EPOCH) // timedelta(microseconds=1)
        if not EARLIEST_US <= found <= LATEST_US:
            raise self.wrong(field, f"{value} is out of range")
        return found

    def table(self, field: str) -> "_Table | None":
        value = self._get(field, None)
        return None if value is None else _Table(value, f"{self.where}: {field}")

    def tables(self, field: str) -> list["_Table"]:
        values = self._get(field, [])
        if not isinstance(values, list):
            raise self.wrong(field, f"write each as [[{field}]]")
        return [_Table(value, f"{self.where}: {field} {at}") for at, value in enumerate(values, 1)]

    def nothing_else(self) -> None:
        """A misspelt field must not pass unnoticed."""
        for field in self._values.keys() - self._asked:
            raise self.wrong(field, f"there is no such field; here stand {', '.join(sorted(self._asked))}")

    def _get(self, field: str, default: Any) -> Any:
        self._asked.add(field)
        return self._values.get(field, default)
