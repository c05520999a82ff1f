"""Keys for the stations that a sandbox plays: made once in its directory, published, and so checked by its processor (I9)."""

import base64
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from b2stream.batches.signing import public_key_of
from b2stream.contracts.framing import Framing
from b2stream.contracts.stations import StationDescription
from b2stream.errors import ConfigurationError
from b2stream.settings import Settings
from b2stream.stations.files import key_snippet, read_description
from b2stream.stations.keys import load_key, make_key
from b2stream.stations.known import KnownStations, check_changes, publish

ANSWER_S = 60.0
KEYS = "keys"  # folder in a sandbox's directory
_BEFORE_NOW = timedelta(hours=1)  # a Kafka of the user's may have another clock
_ECOSYSTEM, _ATMOSPHERE = re.compile(r"[A-Z]{2}-"), re.compile(r"[A-Z]{3}")  # ICOS: SE-Htm, HTM; else a ship, 26NA


class RegisteredElsewhere(ConfigurationError):
    """This Kafka knows the station with other keys than the sandbox's: give the sandbox a --community of its own."""

    reason = "registered_elsewhere"


def key_file(directory: Path, station: str) -> Path:
    """Where a station's private key lies in a sandbox's directory."""
    return directory / KEYS / f"{station}.key"


def register(
    settings: Settings, directory: Path, utc_offsets_h: Mapping[str, float | None]
) -> list[StationDescription]:
    """Give each station a key, and publish its description. Raises RegisteredElsewhere, Retryable where Kafka does not answer."""
    ours = [_description(directory, station, offset_h) for station, offset_h in utc_offsets_h.items()]
    known = KnownStations.of(settings, Framing(), "b2stream-sandbox").load(ANSWER_S)
    wanted = [_after(known.get(each.station), each) for each in ours]
    check_changes(known, [("the sandbox", each) for each in wanted], time.time_ns() // 1000)
    publish(settings, Framing(), [each for each in wanted if known.get(each.station) != each], ANSWER_S)
    return wanted


def _description(directory: Path, station: str, utc_offset_h: float | None) -> StationDescription:
    """The station's TOML, as its technician would write it; written once, because a key's past never changes."""
    secret = key_file(directory, station)
    file = secret.with_suffix(".toml")
    secret.parent.mkdir(mode=0o700, exist_ok=True)
    public = public_key_of(load_key(secret) if secret.exists() else make_key(secret))
    if not file.exists():
        offset = "" if utc_offset_h is None else f"utc_offset_h = {utc_offset_h}\n"
        head = f'id = "{station}"\nname = "{_name(station)}"\ntheme = "{_theme(station)}"\n{offset}'
        since = datetime.now(UTC) - _BEFORE_NOW
        file.write_text(f"{head}\n{key_snippet(public, base64.b64encode(public).decode(), since)}\n", encoding="utf-8")
    return read_description(file)


def _after(known: StationDescription | None, ours: StationDescription) -> StationDescription:
    """Ours, with the keys of earlier sandboxes; a station that somebody else described is not touched."""
    if known is None:
        return ours
    if known.name != ours.name:
        raise RegisteredElsewhere(ours.station)
    earlier = tuple(key for key in known.keys if ours.key(key.id) is None)
    return replace(ours, keys=earlier + ours.keys)


def _name(station: str) -> str:
    return f"{station} as a sandbox plays it"


def _theme(station: str) -> str:
    if _ECOSYSTEM.match(station):
        return "ecosystem"
    return "atmosphere" if _ATMOSPHERE.fullmatch(station) else "ocean"
