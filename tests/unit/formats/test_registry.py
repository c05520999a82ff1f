"""Formats are found as entry points, asked in a fixed order, and cannot harm the gateway."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from b2stream.errors import ConfigurationError
from b2stream.formats.base import NotReadable, Reading, SourceFile, Station, Variable
from b2stream.formats.registry import known_formats, load_formats, read_file
from b2stream.reader import formats as formats_of_the_reader
from tests.unit.formats import samples

FOREIGN = """
import numpy as np
from b2stream.formats.base import Reading, Variable

class Barometer:
    name = "acme-barometer"
    rank = 5

    def recognises(self, source):
        return source.head.startswith(b"ACME ")

    def read(self, source, station):
        values = np.array([float(word) for word in source.content.split()[1:]])
        return Reading(None, "acme", 0, np.arange(len(values)) * 1.0, (Variable("PA", "hPa", values),))
"""


@pytest.fixture
def foreign_package(tmp_path: Path) -> Path:
    """A package outside this project, installed as pip would leave it: a module and its dist-info."""
    (tmp_path / "acme_b2stream.py").write_text(FOREIGN)
    info = tmp_path / "acme_b2stream-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-b2stream\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[b2stream.formats]\nacme-barometer = acme_b2stream:Barometer\nbroken = acme_missing:Nothing\n"
    )
    return tmp_path


def test_the_order_is_the_documented_one() -> None:
    own = [known.name for known in known_formats() if type(known).__module__.startswith("b2stream.")]
    assert own == [
        "atc-product",
        "campbell-toa5",
        "picarro-datalog",
        "otc-product",
        "etc-eddy-covariance",
        "etc-biomet",
    ]


def test_a_format_of_another_package_is_found_and_used(foreign_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(foreign_package))
    formats = load_formats()
    result = read_file("a.txt", b"ACME 1000 1001.5", Station("XX-Demo"), formats)
    assert (result.format, result.series, result.rows) == ("acme-barometer", "acme", 2)
    assert formats[0].name == "acme-barometer"


def test_the_reader_reads_an_archived_file_with_the_other_package_too(
    foreign_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(foreign_package))
    block = formats_of_the_reader.read_file("acme-barometer", "a.txt", b"ACME 1000 1001.5", "XX-Demo", None, "a.txt")
    assert (block.series, block.variables[0].unit, block.variables[0].values.tolist()) == (
        "acme",
        "hPa",
        [1000, 1001.5],
    )


def test_the_reader_names_a_format_that_is_not_installed() -> None:
    with pytest.raises(ConfigurationError, match=r"a\.txt was read with the input format acme-barometer"):
        formats_of_the_reader.read_file("acme-barometer", "a.txt", b"ACME 1000", "XX-Demo", None, "a.txt")


def test_a_fresh_process_uses_the_other_package_without_a_word(foreign_package: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(foreign_package)!r})\n"
        "from b2stream.formats.base import Station\n"
        "from b2stream.formats.registry import read_file\n"
        "print(read_file('a.txt', b'ACME 1 2 3', Station()).rows)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "3\n"


def test_a_format_that_cannot_be_loaded_is_left_out_and_logged(
    foreign_package: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.syspath_prepend(str(foreign_package))
    names = [known.name for known in load_formats()]
    assert "acme-barometer" in names
    assert "broken" not in names
    assert "acme_missing" in caplog.text


class Scripted:
    """A format that takes every file and does as told."""

    def __init__(self, name: str, outcome: Reading | Exception) -> None:
        self.name, self.rank, self.outcome = name, 1, outcome

    def recognises(self, source: SourceFile) -> bool:
        return True

    def read(self, source: SourceFile, station: Station) -> Reading:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def reading(
    series: str = "s", offsets: tuple[float, ...] = (0.0,), start_us: int | None = 0, cells: int = 1
) -> Reading:
    return Reading(None, series, start_us, np.array(offsets), (Variable("a", "", np.zeros(cells)),))


@pytest.mark.parametrize("error", [ValueError("x"), MemoryError(), RecursionError(), KeyError(1), AssertionError("no")])
def test_an_unexpected_failure_within_a_format_makes_the_file_opaque(error: Exception) -> None:
    result = read_file("a", b"x", Station(), [Scripted("bad", error)])
    assert (result.reason, result.rows) == ("format_error", 0)
    assert type(error).__name__ in result.detail
    assert "bad" in result.detail


@pytest.mark.parametrize(
    "wrong",
    [
        reading(series=""),
        reading(series="a/b"),
        reading(series="../x"),
        reading(start_us=None),
        reading(cells=2),
        reading(offsets=(float("nan"),)),
        Reading(None, "s", 0, np.zeros(1), (Variable("a", "", np.zeros(1)), Variable("a", "", np.zeros(1)))),
    ],
)
def test_a_reading_that_breaks_the_interface_is_not_passed_on(wrong: Reading) -> None:
    assert read_file("a", b"x", Station(), [Scripted("bad", wrong)]).reason == "format_error"


def test_the_next_format_is_asked_and_the_first_reason_stands() -> None:
    first, second = Scripted("a", NotReadable("no_time", "1")), Scripted("b", NotReadable("truncated", "2"))
    assert read_file("a", b"x", Station(), [first, Scripted("c", reading())]).format == "c"
    assert read_file("a", b"x", Station(), [first, second]).reason == "no_time"


def test_a_path_is_read_like_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / samples.BM_NAME
    path.write_bytes(samples.biomet())
    by_path = read_file(path.name, path, Station("CH-Dav"))
    assert (by_path.format, by_path.rows) == ("etc-biomet", 4)


def test_the_content_is_never_changed() -> None:
    for name, content in samples.SAMPLES.values():
        before = bytes(bytearray(content))
        read_file(name, content, Station(utc_offset_h=0))
        assert content == before
