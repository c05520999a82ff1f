"""Descriptions as people write them: what is right is read whole, and each mistake is named with file and field."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from b2stream.contracts.canonical import from_iso_utc
from b2stream.contracts.stations import Position, SeriesVariable, StationDescription, StationKey, StationSeries, key_id
from b2stream.stations.files import BadDescription, key_snippet, parse_description, read_description

RAW = bytes(range(32))
PUBLIC = base64.b64encode(RAW).decode()
OTHER = base64.b64encode(bytes(32)).decode()
GOOD = f"""
id = "SE-Htm"
name = "Hyltemossa"
theme = "ecosystem"
utc_offset_h = 1

[position]
latitude = 56.09763
longitude = 13.41897
elevation_m = 115.5

[[keys]]
id = "{key_id(RAW)}"
public = "{PUBLIC}"
valid_from = 2026-01-01T00:00:00Z
valid_until = 2027-01-01T01:00:00+01:00

[[keys]]
id = "{key_id(bytes(32))}"
public = "{OTHER}"
valid_from = 2026-12-01T00:00:00Z

[[series]]
id = "EC_L99_F01"
data_level = 0
[[series.variables]]
name = "CO2"
unit = "µmol mol-1"
[[series.variables]]
name = "flag"
"""


def test_a_description_is_read_whole() -> None:
    assert parse_description(GOOD, "htm.toml") == StationDescription(
        station="SE-Htm",
        name="Hyltemossa",
        theme="ecosystem",
        position=Position(56.09763, 13.41897, 115.5),
        utc_offset_h=1.0,
        keys=(
            StationKey(
                key_id(RAW),
                PUBLIC,
                from_iso_utc("2026-01-01T00:00:00.000000Z"),
                from_iso_utc("2027-01-01T00:00:00.000000Z"),
            ),
            StationKey(key_id(bytes(32)), OTHER, from_iso_utc("2026-12-01T00:00:00.000000Z"), None),
        ),
        series=(StationSeries("EC_L99_F01", 0, (SeriesVariable("CO2", "µmol mol-1"), SeriesVariable("flag"))),),
    )


def test_id_name_and_theme_are_enough() -> None:
    found = parse_description('id = "26NA"\nname = "Nuka Arctica"\ntheme = "ocean"\n', "26na.toml")
    assert found == StationDescription(station="26NA", name="Nuka Arctica", theme="ocean")


def test_what_keygen_prints_can_be_pasted() -> None:
    snippet = key_snippet(RAW, PUBLIC, datetime(2026, 1, 31, tzinfo=UTC))
    found = parse_description(f'id = "HTM"\nname = "H"\ntheme = "atmosphere"\n\n{snippet}\n', "x")
    assert found.keys == (StationKey(key_id(RAW), PUBLIC, from_iso_utc("2026-01-31T00:00:00.000000Z"), None),)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('id = "SE-Htm"\n', "", "htm.toml: id: is missing"),
        ('id = "SE-Htm"', 'id = "SE Htm"', "htm.toml: id: 'SE Htm' may have letters"),
        ('id = "SE-Htm"', "id = 7", "htm.toml: id: 7 is no printable text"),
        ('id = "SE-Htm"', 'id = ""', "htm.toml: id: '' is no printable text"),
        ('name = "Hyltemossa"', 'name = "a\\u0007b"', "htm.toml: name: 'a\\x07b' is no printable text"),
        ('theme = "ecosystem"', 'theme = "forest"', "theme: 'forest' is none of atmosphere, ecosystem, ocean"),
        ("utc_offset_h = 1", "utc_offset_h = 15", "utc_offset_h: 15 is no number from -12 to 14"),
        ("utc_offset_h = 1", "utc_offset_h = true", "utc_offset_h: True is no number"),
        ("utc_offset_h = 1", "utc_offset_h = nan", "utc_offset_h: nan is no number"),
        ("utc_offset_h = 1", "utc_ofset_h = 1", "utc_ofset_h: there is no such field"),
        ("latitude = 56.09763\n", "", "htm.toml: position: a position has latitude and longitude"),
        ("latitude = 56.09763", "latitude = 91", "htm.toml: position: latitude: 91 is no number from -90 to 90"),
        ("[position]", "[[position]]", "htm.toml: position: is not a table"),
        ("elevation_m", "height", "htm.toml: position: height: there is no such field"),
        (f'id = "{key_id(RAW)}"', 'id = "0"', f"htm.toml: keys 1: id: the id of this public key is {key_id(RAW)}"),
        (f'public = "{OTHER}"', 'public = "AAAA"', "htm.toml: keys 2: public: not 32 bytes in base64"),
        ("valid_from = 2026-01-01T00:00:00Z\n", "", "htm.toml: keys 1: valid_from: is missing"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "valid_from: 2026-01-01 00:00:00 is no instant; write it like"),
        ("2026-01-01T00:00:00Z", '"2026-01-01"', "valid_from: 2026-01-01 is no instant"),
        ("2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "is out of range"),
        ("2027-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z", "keys 1: valid_until: not later than valid_from"),
        ("valid_until", "until", "htm.toml: keys 1: until: there is no such field; here stand id, public, valid_from"),
        ("[[series]]", "[series]", "htm.toml: series: write each as [[series]]"),
        ("data_level = 0", "data_level = 4", "htm.toml: series 1: data_level: 4 is no number from 0 to 3"),
        ("data_level = 0", "data_level = 0.5", "data_level: 0 raw, 1 near real time, 2 final or 3 elaborated"),
        ("data_level = 0\n", "", "data_level: 0 raw"),
        ('name = "flag"', 'name = "CO2"', "htm.toml: series 1: variables: CO2 stands there twice"),
        ('name = "flag"', "unit = 1", "htm.toml: series 1: variables 2: name: is missing"),
        ("utc_offset_h = 1", "utc_offset_h = ", "htm.toml: Invalid value (at line 5, column"),
    ],
)
def test_a_mistake_is_named_with_file_and_field(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(BadDescription) as caught:
        parse_description(GOOD.replace(old, new, 1), "htm.toml")
    assert says in caught.value.detail


@pytest.mark.parametrize("what", ["keys", "series"])
def test_nothing_stands_there_twice(what: str) -> None:
    table = (
        GOOD[GOOD.index("[[keys]]") : GOOD.index("[[series]]")]
        if what == "keys"
        else '[[series]]\nid = "EC_L99_F01"\ndata_level = 1\n'
    )
    with pytest.raises(BadDescription, match=f"htm.toml: {what}: .* stands there twice"):
        parse_description(GOOD + table, "htm.toml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadDescription, match=r"absent\.toml: No such file"):
        read_description(tmp_path / "absent.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes('id = "é"'.encode("latin-1"))
    with pytest.raises(BadDescription, match=r"latin\.toml: not UTF-8 .* at byte 6"):
        read_description(latin)
    good = tmp_path / "htm.toml"
    good.write_text(GOOD, encoding="utf-8")
    assert read_description(good).station == "SE-Htm"
