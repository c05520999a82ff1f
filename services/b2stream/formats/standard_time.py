"""The offset from UTC of a station's standard time, for files that write local standard time without naming its zone.

The gateway's setting `utc_offset_h` wins. Without one the country at the front of an ecosystem station's id decides, where that
country has one standard time in its inhabited land. Countries with several (ES with the Canaries, PT with the Azores, GL, CD, RU)
are left out on purpose: a wrong hour is worse than an opaque file. Source: IANA time zone database 2024a, the offset of the zone named in
zone.tab for each country without daylight saving; for Ireland the offset of winter, which its stations log by. `UK` is how FLUXNET
station ids write GB, and `FR` is metropolitan France (overseas departments have codes of their own).
"""

from datetime import datetime, timedelta

from b2stream.formats.base import NotReadable, Station

COUNTRY_OFFSET_H = {
    **dict.fromkeys(["GB", "UK", "IE", "IS"], 0),
    **dict.fromkeys(["AT", "BE", "CH", "CZ", "DE", "DK", "FR", "HR", "HU", "IT", "LI", "LU"], 1),
    **dict.fromkeys(["MT", "NL", "NO", "PL", "SE", "SI", "SK"], 1),
    **dict.fromkeys(["BG", "CY", "EE", "FI", "GR", "IL", "LT", "LV", "RO", "ZA"], 2),
    "GF": -3,
}
"""Hours east of Greenwich, by the first two letters of an ecosystem station id."""

HOUR_US = 3_600_000_000


def require_station(names_station: str | None, station: Station) -> None:
    """Raise `wrong_station` if a file names another station. Upper and lower case are one: loggers write `CH-FRU` for `CH-Fru`."""
    if names_station and station.station and names_station.casefold() != station.station.casefold():
        detail = f"the file names {names_station}, the gateway is of {station.station}"
        raise NotReadable("wrong_station", detail, names_station=names_station)


def standard_offset(names_station: str | None, station: Station) -> tuple[int, str]:
    """The offset in microseconds to subtract from standard time, and a note that says who said so.

    Raises NotReadable `wrong_station` or `utc_offset_unknown`.
    """
    require_station(names_station, station)
    if station.utc_offset_h is not None:
        return round(station.utc_offset_h * HOUR_US), f"UTC{station.utc_offset_h:+g} h, from the gateway's settings"
    station_id = station.station or names_station or ""
    hours = COUNTRY_OFFSET_H.get(station_id[:2]) if station_id[2:3] == "-" else None
    if hours is None:
        detail = f"set utc_offset_h for station {station_id or '(none given)'}: its id does not tell its standard time"
        raise NotReadable("utc_offset_unknown", detail, names_station=names_station)
    return hours * HOUR_US, f"UTC{hours:+g} h, the standard time of {station_id[:2]} (IANA)"


def utc_text(instant_us: int) -> str:
    """An instant in ISO 8601, for notes. Raises NotReadable `time_out_of_range`."""
    try:
        return (datetime(1970, 1, 1) + timedelta(microseconds=instant_us)).isoformat() + "Z"
    except OverflowError as error:
        raise NotReadable("time_out_of_range", f"{instant_us / 1e6:.0f} s after 1970 is no date") from error
