"""Every file must be archived, so whatever a file holds, the contract's reader takes its close, and its blocks are what that promises."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b2stream.batches.examining import Examination
from b2stream.batches.identity import sha256_hex
from b2stream.batches.manifest import paths_of
from b2stream.contracts import schemas
from b2stream.contracts.canonical import EARLIEST_US, LATEST_US
from b2stream.contracts.framing import Framed, Framing
from b2stream.contracts.pids import MOST_SOURCES_CHARACTERS
from b2stream.contracts.records import LONGEST_CLOSE_BYTES, BatchClosed
from b2stream.formats.base import Reading, Station
from b2stream.formats.registry import FileReading
from b2stream.programs.gateway import closing
from b2stream.programs.gateway.closing import draft, place, prepare
from b2stream.programs.gateway.snapshot import Snapshot
from b2stream.programs.gateway.watch import Signature
from tests.unit.formats import samples

ATTEMPT = "a" * 32
NOBODY = Station("XX-Demo", 0.0)
LONG = "x" * 70_000
PID = "11676/" + "p" * 58
MOST_SOURCES = tuple(f"{PID}{number:04d}" for number in range(MOST_SOURCES_CHARACTERS // (len(PID) + 4)))


def close_of(name: str, content: bytes, station: Station = NOBODY, sources: tuple[str, ...] = ()) -> BatchClosed:
    """The close as a processor reads it, of blocks as it examines them. Raises Poison where it would refuse them."""
    signature = Signature(len(content), 0, 0, 0)
    prepared = prepare(Snapshot(name, Path(name), signature, sha256_hex(content), content), station, 4_096)
    schema = schemas.current("BatchClosed")
    sent = Framing().frame(schema, place(draft(prepared, ATTEMPT, 1_800, sources=sources), None).to_body())
    close = BatchClosed.from_framed(Framing().unframe(sent))
    assert len(sent) <= LONGEST_CLOSE_BYTES
    paths_of(close)
    examination = Examination(close)
    for body in prepared.bodies():
        examination.take(Framed(schemas.current("MeasurementBlock"), memoryview(body)))
    examination.result()
    return close


TEXTS = st.sampled_from(["", "met", "-met", "..", "é" * 300, LONG, '"', "\x7f", "a" * 101, "%", "../../outside"])
YEARS = st.sampled_from(["0000", "0001", "1969", "2024", "9998", "9999"])
DATES = st.builds("{}-{}".format, YEARS, st.sampled_from(["01-01", "01-02", "12-30", "12-31"]))
TIMES = st.sampled_from(["00:00:00", "12:30:00", "23:59:59", "24:00:00"])


@st.composite
def toa5_files(draw: st.DrawFn) -> tuple[str, bytes]:
    cells = ["TOA5", *(draw(TEXTS).replace('"', '""') for _ in range(7))]
    content = samples.toa5(2, ",".join(f'"{cell}"' for cell in cells)).replace(b"2012-03-28", draw(DATES).encode())
    return samples.TOA5_NAME, content.replace(b"12:01:00", draw(TIMES).encode())


@st.composite
def product_files(draw: st.DrawFn) -> tuple[str, bytes]:
    if draw(st.booleans()):
        stamp = f"{draw(DATES)}T{draw(TIMES)}".encode()
        return samples.OTC_NAME, samples.otc().replace(b"2020-01-01T00:01:00", stamp)
    code, title = draw(TEXTS).encode(), draw(TEXTS).encode()
    content = samples.atc(2).replace(b"XYZ", code).replace(b"NRT Continuous air", title)
    return samples.ATC_NAME, content.replace(b";2024;", f";{draw(YEARS)};".encode())


@st.composite
def named_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """Their instants stand in the name, or are seconds."""
    content = draw(st.sampled_from([samples.eddy_covariance(1_800), samples.picarro(2), samples.record(2)]))
    seconds = draw(st.sampled_from([b"1704067200", b"-9999     ", b"99999999999", b"-9999999999", b"253402300799"]))
    year, rest = draw(YEARS), draw(st.sampled_from(["01010000", "01010030", "12312330", "12312400"]))
    name = draw(
        st.sampled_from(
            [
                "DE-HoH_EC_{}_L99_F01.csv",
                "DE-HoH_BM_{}_L99_F01.csv",
                "x20Hz_{}.csv",
                "%s-{}Z-DataLog_User.dat" % ("c" * 101),
            ]
        )
    )
    stamp = f"{year}{rest[:4]}-{rest[4:]}" if "Hz" in name or "Data" in name else year + rest
    return name.format(stamp), content.replace(b"1704067200", seconds[:10])


@settings(max_examples=4 * settings.default.max_examples)  # type: ignore[union-attr]  # a profile is loaded
@given(
    st.one_of(toa5_files(), product_files(), named_files(), st.tuples(TEXTS, st.binary(max_size=99))),
    st.sampled_from([NOBODY, Station("DE-HoH", 14.0), Station("XYZ", -12.0)]),
)
def test_I1_what_a_gateway_sends_of_any_file_is_what_a_processor_takes(
    file: tuple[str, bytes], station: Station
) -> None:
    name, content = file
    close = close_of(name[:200] or "x", content, station, MOST_SOURCES)
    assert close.opaque_reason != "format_error", close.opaque_detail


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.dat", samples.toa5(1).replace(b"2012-03-28 12:00:00", b"9999-12-31 23:59:59")),
        ("a.csv", samples.otc().replace(b"2020-01-01T00:01:00.500Z", b"0001-01-01T00:00:00.000Z")),
        ("DE-HoH_EC_000101010000_L99_F01.csv", samples.eddy_covariance()),
    ],
)
def test_a_sentinel_for_an_instant_makes_the_file_opaque_and_says_so(name: str, content: bytes) -> None:
    close = close_of(name, content, Station(utc_offset_h=0.0, station="DE-HoH"))
    assert (close.opaque_reason, close.rows) == ("time_out_of_range", 0)
    assert close.opaque_detail


def test_what_a_file_says_of_itself_is_cut_in_its_close() -> None:
    long = samples.toa5(2, f'"TOA5","{LONG}","CR3000","2835","{LONG}","CPU:a.CR3","1","meteo"')
    close = close_of("a.dat", long)
    assert close.rows == 2
    assert close.notes["header"].startswith("xxx")
    assert close.notes["header"].endswith("…")
    assert len(close.notes["header"].encode()) <= closing.LONGEST_TEXT_BYTES
    of_another = close_of("a.csv", samples.atc().replace(b"XYZ", LONG.encode()))
    assert of_another.opaque_reason == "wrong_station"
    assert len((of_another.opaque_detail or "").encode()) <= closing.LONGEST_TEXT_BYTES


@pytest.mark.parametrize("start_us", [EARLIEST_US - 1, LATEST_US + 1])
def test_a_start_beside_its_rows_is_looked_at_as_well(monkeypatch: pytest.MonkeyPatch, start_us: int) -> None:
    reading = Reading(None, "met", start_us, np.array([-10.0 if start_us > 0 else 10.0]), ())
    monkeypatch.setattr(closing, "read_file", lambda *_: FileReading("somebody's", reading))
    assert close_of("a.dat", b"1\n").opaque_reason == "time_out_of_range"


def test_a_format_that_has_more_to_say_than_a_close_can_hold_makes_the_file_opaque(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Reading(None, "met", 0, np.array([0.0]), ())
    for notes in ({f"note {number}": "x" * 999 for number in range(99)}, {LONG: ""}):
        read = FileReading("somebody's", replace(one, notes=notes))
        monkeypatch.setattr(closing, "read_file", lambda *_, read=read: read)
        close = close_of("a.dat", b"1\n", NOBODY, MOST_SOURCES)
        assert close.opaque_reason == "format_error"
        assert close.opaque_detail
