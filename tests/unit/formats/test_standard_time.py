"""Standard time: settings win, then the country of the station's id, else nobody guesses."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from b2stream.formats.base import NotReadable, Station
from b2stream.formats.standard_time import COUNTRY_OFFSET_H, standard_offset

ZONES = {
    "AT": "Europe/Vienna",
    "BE": "Europe/Brussels",
    "BG": "Europe/Sofia",
    "CH": "Europe/Zurich",
    "CY": "Asia/Nicosia",
    "CZ": "Europe/Prague",
    "DE": "Europe/Berlin",
    "DK": "Europe/Copenhagen",
    "EE": "Europe/Tallinn",
    "FI": "Europe/Helsinki",
    "FR": "Europe/Paris",
    "GB": "Europe/London",
    "GF": "America/Cayenne",
    "GR": "Europe/Athens",
    "HR": "Europe/Zagreb",
    "HU": "Europe/Budapest",
    "IE": "Europe/Dublin",
    "IL": "Asia/Jerusalem",
    "IS": "Atlantic/Reykjavik",
    "IT": "Europe/Rome",
    "LI": "Europe/Vaduz",
    "LT": "Europe/Vilnius",
    "LU": "Europe/Luxembourg",
    "LV": "Europe/Riga",
    "MT": "Europe/Malta",
    "NL": "Europe/Amsterdam",
    "NO": "Europe/Oslo",
    "PL": "Europe/Warsaw",
    "RO": "Europe/Bucharest",
    "SE": "Europe/Stockholm",
    "SI": "Europe/Ljubljana",
    "SK": "Europe/Bratislava",
    "UK": "Europe/London",
    "ZA": "Africa/Johannesburg",
}


@pytest.mark.parametrize("country", sorted(COUNTRY_OFFSET_H))
def test_the_table_agrees_with_the_time_zone_database_in_winter(country: str) -> None:
    try:
        zone = ZoneInfo(ZONES[country])
    except ZoneInfoNotFoundError:
        pytest.skip("no time zone database on this machine")
    offset = datetime(2024, 1, 15, tzinfo=UTC).astimezone(zone).utcoffset()
    assert offset == timedelta(hours=COUNTRY_OFFSET_H[country])


def test_the_setting_wins_over_the_country() -> None:
    offset_us, note = standard_offset("NO-Hur", Station("NO-Hur", 0))
    assert offset_us == 0
    assert "settings" in note


def test_half_hours_are_exact() -> None:
    assert standard_offset(None, Station("XX-Abc", 5.5))[0] == 19_800_000_000
    assert standard_offset(None, Station("XX-Abc", -3.5))[0] == -12_600_000_000


def test_the_gateways_station_decides_before_the_files() -> None:
    assert standard_offset(None, Station("FI-Hyy"))[0] == 7_200_000_000
    assert standard_offset("DE-HoH", Station())[0] == 3_600_000_000


@pytest.mark.parametrize("station", [None, "GAT", "26NA", "GL-ZaF", "ES-Abr", "CD-Ygb", "FA-Lso", "XX-Demo", "DEHoH"])
def test_nobody_guesses(station: str | None) -> None:
    with pytest.raises(NotReadable) as unknown:
        standard_offset(None, Station(station))
    assert unknown.value.reason == "utc_offset_unknown"
