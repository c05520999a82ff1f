"""Each kind of bad input has one documented outcome and reason code, for every format where it can occur."""

import io
import zipfile

import pytest

from b2stream.formats import base, registry
from b2stream.formats.base import Station
from b2stream.formats.reasons import NOTES, REASONS
from b2stream.formats.registry import read_file
from b2stream.formats.unpack import unpack
from tests.unit.formats import samples

ANY = Station(utc_offset_h=1.0)
ALL = pytest.mark.parametrize("format_name", samples.SAMPLES)


def outcome(name: str, content: bytes, station: Station = ANY) -> str | None:
    result = read_file(name, content, station)
    assert result.opaque == (result.reason is not None)
    if result.opaque:
        assert result.reason in REASONS
        assert (result.format, result.series, result.rows) == ("opaque", "files", 0)
        assert result.detail
    else:
        assert result.reading is not None
        assert set(result.reading.notes) <= set(NOTES)
    return result.reason


@ALL
def test_a_good_file_is_read_by_its_own_format(format_name: str) -> None:
    name, content = samples.SAMPLES[format_name]
    assert outcome(name, content) is None
    assert read_file(name, content, ANY).format == format_name


@ALL
def test_every_format_reads_its_files_from_gzip_and_zip_and_with_either_line_end(format_name: str) -> None:
    name, content = samples.SAMPLES[format_name]
    lf = content.replace(b"\r\n", b"\n")
    rows = read_file(name, content, ANY).rows
    for variant in (lf, lf.replace(b"\n", b"\r\n"), samples.gzipped(content), samples.zipped((name, content))):
        assert read_file(name, variant, ANY).rows == rows


@ALL
def test_truncated(format_name: str) -> None:
    name, content = samples.SAMPLES[format_name]
    assert outcome(name, content[:-5]) == "truncated"
    assert outcome(name, content.rstrip()) == "truncated"


@ALL
def test_truncated_archive(format_name: str) -> None:
    name, content = samples.SAMPLES[format_name]
    assert outcome(name, samples.gzipped(content)[:-9]) == "damaged_archive"
    assert outcome(name, samples.zipped((name, content))[:-9]) == "damaged_archive"


@pytest.mark.parametrize("name", ["photo.jpg", *(name for name, _ in samples.SAMPLES.values())])
def test_empty(name: str) -> None:
    assert outcome(name, b"") == "empty"


@ALL
def test_header_only(format_name: str) -> None:
    name, content = samples.SAMPLES[format_name]
    header = {"etc-biomet": 2, "campbell-toa5": 4, "atc-product": 8}.get(format_name, 1)
    text = b"".join(content.splitlines(keepends=True)[:header]).replace(b"TOTAL LINES: 11", b"TOTAL LINES: 8")
    assert outcome(name, text) == "header_only"


@pytest.mark.parametrize("name", [samples.EC_NAME, samples.BM_NAME])
def test_binary_under_a_name_that_promises_text(name: str) -> None:
    assert outcome(name, bytes(range(256)) * 40) == "unknown_encoding"


def test_binary_under_any_other_name() -> None:
    assert outcome("co2.nc", b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 40) == "not_recognised"


def test_text_of_another_encoding() -> None:
    assert (
        outcome(samples.TOA5_NAME, samples.toa5().decode().encode("cp1252").replace(b"\xb5", b"\x80"))
        == "unknown_encoding"
    )


@pytest.mark.parametrize("format_name", ["etc-eddy-covariance", "etc-biomet", "atc-product"])
def test_wrong_station(format_name: str) -> None:
    name, content = samples.SAMPLES[format_name]
    result = read_file(name, content, Station("SE-Htm", 1.0))
    assert result.reason == "wrong_station"
    assert result.names_station == read_file(name, content, ANY).names_station
    assert "SE-Htm" in result.detail


def test_wrong_station_by_the_environment_line_and_by_the_expocode() -> None:
    environment = '"TOA5","CH-OE2_box","CR6","1","os","p","1","t"'
    assert outcome("t.dat", samples.toa5(environment=environment), Station("CH-Dav")) == "wrong_station"
    assert outcome("26NA20240101.csv", samples.otc(), Station("58GS")) == "wrong_station"


def test_upper_and_lower_case_are_one_station() -> None:
    result = read_file("CH-FRU_20Hz_20240404-1300.csv", samples.record(), Station("CH-Fru"))
    assert (result.reason, result.rows) == (None, 6)


def test_standard_time_unknown() -> None:
    for name, content in (
        (samples.TOA5_NAME, samples.toa5()),
        ("GL-ZaF_EC_202401010030_L01_F01.csv", samples.eddy_covariance()),
    ):
        assert outcome(name, content, Station()) == "utc_offset_unknown"


def test_a_gap_in_time_is_read_and_noted() -> None:
    content = b"\r\n".join(line for line in samples.toa5(9).split(b"\r\n") if b"12:03:00" not in line)
    result = read_file(samples.TOA5_NAME, content, ANY)
    assert result.rows == 8
    assert result.reading is not None
    assert "follows row 3" in result.reading.notes["time_gap"]
    assert "time_gap" not in (read_file(samples.TOA5_NAME, samples.toa5(9), ANY).reading or result.reading).notes


def test_time_that_runs_backwards_is_read_and_noted() -> None:
    content = samples.toa5(9).replace(b"12:05:00", b"11:05:00")
    result = read_file(samples.TOA5_NAME, content, ANY)
    assert result.reading is not None
    assert result.reading.offsets_s[5] == -3300
    assert "first after row 5" in result.reading.notes["time_not_ascending"]


def test_a_million_columns() -> None:
    wide = ",".join(f"c{i}" for i in range(1_000_000))
    assert outcome(samples.EC_NAME, f"{wide}\n{wide}\n".encode()) == "too_many_columns"
    assert outcome(samples.BM_NAME, f"TIMESTAMP,{wide}\n".encode()) == "too_many_columns"
    assert outcome(samples.TOA5_NAME, samples.toa5().replace(b'"CO2"', wide.encode())) == "too_many_columns"
    assert outcome(samples.OTC_NAME, f"Date/Time,Longitude,{wide}\n".encode()) == "too_many_columns"
    assert (
        outcome(samples.ATC_NAME, samples.atc().replace(b";H2O", wide.replace(",", ";").encode())) == "too_many_columns"
    )
    header = b"".join(cell.ljust(26) for cell in (b"DATE", b"EPOCH_TIME", *(b"c%d" % i for i in range(1_000_000))))
    assert outcome(samples.PICARRO_NAME, header + b"\r\n") == "too_many_columns"


def test_more_cells_than_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("b2stream.formats.tables.CELLS_LIMIT", 1000)
    monkeypatch.setattr("b2stream.formats.tables.MIXED_CELLS_LIMIT", 10)
    monkeypatch.setattr("b2stream.formats.picarro_datalog.CELLS_LIMIT", 10)
    for name, content in samples.SAMPLES.values():
        assert outcome(name, content) == "too_large"


def test_a_file_above_the_limit_is_not_even_read(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    big = tmp_path / samples.EC_NAME
    with big.open("wb") as file:
        file.truncate(base.PARSE_LIMIT_BYTES + 1)  # sparse: no byte of it is written
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda _: pytest.fail("read"))
    assert read_file(big.name, big, ANY).reason == "too_large"


@pytest.mark.parametrize("name", ["bomb.zip", samples.BM_NAME, "x.dat.gz"])
def test_zip_bomb(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "unpack", unpack_small)
    zeros = b"0" * (3 << 20)
    assert outcome(name, samples.zipped(("x", zeros))) == "zip_bomb"
    assert outcome(name, samples.gzipped(zeros)) == "zip_bomb"


def unpack_small(name: str, content: bytes) -> base.SourceFile:
    return unpack(name, content, limit_bytes=1 << 20)


def test_a_real_zip_bomb_is_stopped_at_the_limit() -> None:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x", "w") as entry,
    ):
        for _ in range((base.PARSE_LIMIT_BYTES >> 20) + 1):
            entry.write(bytes(1 << 20))
    content = packed.getvalue()
    assert len(content) < 2 << 20
    assert outcome("bomb.zip", content) == "zip_bomb"
    lie = content.replace((base.PARSE_LIMIT_BYTES + (1 << 20)).to_bytes(4, "little"), (5).to_bytes(4, "little"))
    assert lie != content
    assert outcome("bomb.zip", lie) in ("zip_bomb", "damaged_archive")


def test_zip_with_no_file_or_several() -> None:
    name, content = samples.SAMPLES["etc-biomet"]
    assert outcome("CH-Dav_BM_20230328_L02_F03.zip", samples.zipped()) == "archive_entries"
    assert (
        outcome("CH-Dav_BM_20230328_L02_F03.zip", samples.zipped(("a", content), ("b", content))) == "archive_entries"
    )
    many = samples.zipped(*((f"{i:050d}", b"") for i in range(1000)))
    assert outcome("many.zip", many) == "archive_entries"
    assert outcome(name, samples.zipped(("folder/", b""), (f"folder/{name}", content))) is None


def test_encrypted_zip() -> None:
    content = bytearray(samples.zipped((samples.BM_NAME, samples.biomet())))
    content[6] |= 1  # the bit "encrypted" of the entry, and of its line in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert outcome("CH-Dav_BM_20230328_L02_F03.zip", bytes(content)) == "damaged_archive"


@pytest.mark.parametrize(
    "name", ['o\'clock "x" 50%~1/2 Ätna ✓.csv', "a b.csv", "", ".", "%2e~.dat", "\n.csv", "\udcff.csv"]
)
def test_any_name_is_taken(name: str) -> None:
    assert outcome(name, samples.otc()) is None
    assert outcome(name, b"some text\n") == "not_recognised"


def test_infinite_values_become_missing_and_are_noted() -> None:
    result = read_file(samples.TOA5_NAME, samples.toa5().replace(b"20.25", b"INF").replace(b"20.5", b"1e999"), ANY)
    assert result.reading is not None
    assert result.reading.notes["infinite_values"] == "2 values"
    assert str(result.reading.variables[1].values.tolist()) == "[20.0, nan, nan, 20.75, 21.0]"


@pytest.mark.parametrize("cell", ["1_000", "٣", "0x10", "1,5", "12.3.4"])
def test_what_only_python_takes_for_a_number_is_none(cell: str) -> None:
    content = samples.eddy_covariance().replace(b"-2.25", cell.encode(), 1)
    assert outcome(samples.EC_NAME, content) == "malformed_row"


def test_a_blank_line_between_rows_is_malformed() -> None:
    for name, content in samples.SAMPLES.values():
        end = content.rstrip().rindex(b"\n") + 1
        assert outcome(name, content[:end] + b"\n" + content[end:]) in ("malformed_row", "line_count")


def test_every_documented_reason_has_a_sentence() -> None:
    assert all(text.endswith(".") for text in (*REASONS.values(), *NOTES.values()))
