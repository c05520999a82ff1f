"""Where a batch lies: names made safe, two contents never at one path, and nothing outside the root."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from b2stream.batches.identity import sha256_hex
from b2stream.batches.paths import (
    LONGEST_STEM_BYTES,
    MANIFEST_SUFFIX,
    batch_paths,
    is_safe_name,
    safe_extension,
    safe_name,
    split_name,
    stream_stem,
)
from b2stream.contracts.canonical import EARLIEST_US, LATEST_US
from b2stream.errors import Poison

START_US = 1_709_288_100_000_000
SHA = "0fb094fd48135833495c0b7d683e1bfd51f7" + "0" * 28
HOSTILE = [
    'it\'s "quoted".csv',
    "with spaces.dat",
    "100%.csv",
    "100%25.csv",
    "back~up.csv",
    "Ny-Ålesund_Höhe.csv",
    "🌲.csv",
    ".hidden",
    "..",
    ".",
    "...csv",
    "a/b\\c",
    "-rf",
    "%_like",
    "nul\0byte",
    "line\nfeed",
    "ICOS_ATC_NRT_GAT_2018-04-12T00:00:00_C_nrtHour.CO2",
    "x" * 300 + ".csv",
    "å" * 300 + ".csv",
    "\udcff\udcfe.csv",
]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("CH-Dav_BM_20230328_L02_F03", "CH-Dav_BM_20230328_L02_F03"),
        ("with spaces", "with%20spaces"),
        ("100%", "100%25"),
        ("back~up", "back%7Eup"),
        ("Ålesund", "%C3%85lesund"),
        (".hidden", "%2Ehidden"),
        ("..", "%2E."),
        ("a/b\\c", "a%2Fb%5Cc"),
        ("T00:00:00", "T00%3A00%3A00"),
        ("a+b,c=d@e.f", "a+b,c=d@e.f"),
        ("'\"*?[]{}", "%27%22%2A%3F%5B%5D%7B%7D"),
    ],
)
def test_a_name_made_safe_is_frozen(text: str, safe: str) -> None:
    assert safe_name(text) == safe


any_name = st.text(min_size=1, max_size=200) | st.sampled_from(HOSTILE)


@given(any_name)
def test_a_safe_name_is_one_path_element_that_shells_and_queries_take_literally(name: str) -> None:
    safe = safe_name(name)
    assert is_safe_name(safe)
    assert re.fullmatch(r"[A-Za-z0-9._+,=@%-]+", safe)
    assert len(safe.encode()) <= LONGEST_STEM_BYTES
    assert not safe.startswith(".")
    assert "~" not in safe


@given(any_name, any_name)
@example("a~b", "a%7Eb")
@example("%", "%25")
@example(".a", "%2Ea")
@example("é", "e\u0301")
def test_two_names_give_two_stems_unless_both_were_cut(one: str, other: str) -> None:
    assume(one != other)
    if safe_name(one, 10_000) == safe_name(one) and safe_name(other, 10_000) == safe_name(other):
        assert safe_name(one) != safe_name(other)


@given(any_name)
def test_a_cut_name_is_the_beginning_of_the_whole_one_without_half_characters(name: str) -> None:
    assert safe_name(name, 10_000).startswith(safe_name(name))
    if safe_name(name) != safe_name(name, 10_000):
        assert len(safe_name(name)) > LONGEST_STEM_BYTES - 12  # the longest character is %XX four times


@pytest.mark.parametrize("name", HOSTILE)
def test_I4_hostile_names_lie_below_their_series(name: str) -> None:
    stem, extension = split_name(name)
    paths = batch_paths("SE-Htm", "files", stem, extension, SHA, None)
    assert paths.data_object == f"SE-Htm/files/undated/{stem}~D7CU_UgTWDNJ{extension}"
    assert paths.manifest == paths.data_object + MANIFEST_SUFFIX
    assert paths.data_object.count("/") == 3
    assert len(paths.manifest_name.encode()) < 255


@pytest.mark.parametrize(
    ("name", "stem", "extension"),
    [
        ("day.csv", "day", ".csv"),
        ("CH-FRU_TOA5.csv.gz", "CH-FRU_TOA5", ".csv.gz"),
        ("x.tar.XZ", "x", ".tar.XZ"),
        ("archive.zip", "archive", ".zip"),
        ("README", "README", ""),
        (".hidden", "%2Ehidden", ""),
        (".gz", "%2Egz", ""),
        ("dot.", "dot.", ""),
        ("a.b c", "a.b%20c", ""),
        ("a.extension-that-is-long", "a.extension-that-is-long", ""),
        ("TOA5_Feud.meteo_12.dat", "TOA5_Feud.meteo_12", ".dat"),
        ("x.manifest.json", "x.manifest", ".json"),
    ],
)
def test_stem_and_extension_of_a_file_name(name: str, stem: str, extension: str) -> None:
    assert split_name(name) == (stem, extension)


def test_the_example_of_the_documentation_is_what_its_file_becomes() -> None:
    text = (Path(__file__).parents[3] / "docs" / "trust.md").read_text(encoding="utf-8")
    told = re.search(r"cut\nat (\d+) bytes: ``(.+)`` is `(.+)~(.+)(\.dat)`", text)
    assert told is not None
    stem, extension = split_name(told[2])
    assert (int(told[1]), told[3], told[5]) == (LONGEST_STEM_BYTES, stem, extension)
    sha = sha256_hex(b"content")
    assert batch_paths("SE-Htm", "files", stem, extension, sha, None).object_name == f"{stem}~{told[4]}{extension}"


@given(any_name)
def test_a_split_name_can_always_be_placed_and_says_what_the_name_was(name: str) -> None:
    stem, extension = split_name(name)
    assert is_safe_name(stem)
    assert extension == "" or safe_extension(extension) == extension
    whole = safe_name(name, 10_000)
    assert whole.startswith(stem)
    assert whole.endswith(extension.replace("~", "%7E"))


@pytest.mark.parametrize("part", ["station", "series", "stem"])
@pytest.mark.parametrize(
    "wrong", ["", ".", "..", "../up", "a/b", ".staging", "a~b", "a b", "a%2", "a%zz", "a%2f", "å", "a\n", "a" * 151]
)
def test_parts_that_no_gateway_would_write_are_poison(part: str, wrong: str) -> None:
    parts = {"station": "SE-Htm", "series": "files", "stem": "day"} | {part: wrong}
    with pytest.raises(Poison, match=part) as caught:
        batch_paths(extension=".csv", raw_sha256=SHA, start_us=None, **parts)
    assert caught.value.reason == "bad_name"


@pytest.mark.parametrize(
    "wrong", ["csv", ".", "..", ".c/d", ".c~", "." + "x" * 16, ".å", ".csv.", ". ", MANIFEST_SUFFIX]
)
def test_an_extension_that_could_be_taken_for_something_else_is_poison(wrong: str) -> None:
    with pytest.raises(Poison, match="extension") as caught:
        batch_paths("SE-Htm", "files", "day", wrong, SHA, None)
    assert caught.value.reason == "bad_name"


def test_the_path_says_year_and_month_in_utc_of_the_earliest_row() -> None:
    def folder(start_us: int | None) -> str:
        return batch_paths("SE-Htm", "EC_L99_F01", "day", ".csv", SHA, start_us).folder

    assert folder(START_US) == "SE-Htm/EC_L99_F01/2024/03"
    assert folder(0) == "SE-Htm/EC_L99_F01/1970/01"
    assert folder(-1) == "SE-Htm/EC_L99_F01/1969/12"
    assert folder(EARLIEST_US) == "SE-Htm/EC_L99_F01/0001/01"
    assert folder(LATEST_US) == "SE-Htm/EC_L99_F01/9999/12"
    assert folder(None) == "SE-Htm/EC_L99_F01/undated"


def test_a_start_that_is_no_date_is_poison() -> None:
    with pytest.raises(Poison) as caught:
        batch_paths("SE-Htm", "s", "day", "", SHA, 2**62)
    assert caught.value.reason == "bad_start"


def test_I4_other_content_under_one_name_lies_elsewhere() -> None:
    one = batch_paths("SE-Htm", "files", "day", ".csv", SHA, None)
    other = batch_paths("SE-Htm", "files", "day", ".csv", "1" + SHA[1:], None)
    assert one.folder == other.folder
    assert one.object_name != other.object_name


def test_the_stem_of_a_stream_is_station_series_and_start() -> None:
    assert stream_stem("SE-Htm", "EC_L99_F01", START_US + 7) == "SE-Htm_EC_L99_F01_20240301T101500.000007Z"
    assert stream_stem("SE%20x", "s", 0) == "SE%20x_s_19700101T000000.000000Z"


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, LATEST_US))
def test_the_stem_of_a_stream_keeps_its_whole_start_however_long_the_names_are(
    station_characters: int, series_characters: int, start_us: int
) -> None:
    stem = stream_stem("S" + "%C3%85" * (station_characters // 4), "x%20" * series_characters + "y", start_us)
    when = datetime.fromtimestamp(start_us // 1_000_000, UTC)
    assert is_safe_name(stem)
    assert stem.endswith(f"_{when:%Y%m%dT%H%M%S}.{start_us % 1_000_000:06d}Z")
