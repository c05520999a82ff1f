"""Whatever bytes come, there is a result: rows that fit together, or a documented reason."""

from hypothesis import given, settings
from hypothesis import strategies as st

from b2stream.formats.base import Station
from b2stream.formats.reasons import REASONS
from b2stream.formats.registry import read_file
from tests.unit.formats import samples

SMALL = {
    **samples.SAMPLES,
    "record": (samples.RECORD_NAME, samples.record()),
    "gzip": (samples.TOA5_NAME, samples.gzipped(samples.toa5())),
    "zip": (samples.BM_NAME, samples.zipped((samples.BM_NAME, samples.biomet()))),
}
CELLS = st.sampled_from(
    [
        b"",
        b"\n",
        b"\r\n",
        b",",
        b";",
        b'"',
        b'""',
        b"NAN",
        b"-9999",
        b"1e999",
        b"\0",
        b"\xff",
        b"\xc2\x85",
        b"99999999999999",
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A sample with some stretches replaced, removed, doubled or cut."""
    name, content = SMALL[draw(st.sampled_from(sorted(SMALL)))]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 40)))
        patch = draw(st.one_of(CELLS, st.binary(max_size=12), st.just(content[start:end] * 2)))
        content = content[:start] + patch + content[end:]
    return name, content[: draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))]


def check(name: str, content: bytes, station: Station) -> None:
    result = read_file(name, content, station)
    if result.reading is None:
        assert result.reason in REASONS
        assert result.reason != "format_error", result.detail
        return
    assert result.reason is None
    assert result.rows > 0
    assert {len(variable.values) for variable in result.reading.variables} <= {result.rows}
    assert {len(label.values) for label in result.reading.labels} <= {result.rows}


@settings(max_examples=4 * settings.default.max_examples)  # type: ignore[union-attr]  # a profile is loaded
@given(mutated(), st.sampled_from([Station(), Station("CH-Dav", 1.0), Station("XX-Demo", -4.5)]))
def test_a_damaged_file_never_raises_nor_trips_a_format(file: tuple[str, bytes], station: Station) -> None:
    check(*file, station)


@settings(max_examples=2 * settings.default.max_examples)  # type: ignore[union-attr]
@given(
    st.sampled_from([*(name for name, _ in SMALL.values()), "x"]),
    st.sampled_from(
        [b"", b'"TOA5",', b"DATE EPOCH_TIME", b"#\n#Site;", b"Date/Time,Longitude\n", b"PK\x03\x04", b"\x1f\x8b"]
    ),
    st.binary(max_size=300),
)
def test_random_bytes_never_raise_nor_trip_a_format(name: str, front: bytes, content: bytes) -> None:
    check(name, front + content, Station(utc_offset_h=0))
