"""Which station gets which file, what is fed again, and what someone sees."""

import io
import os
from pathlib import Path

import pytest

from b2stream.errors import ConfigurationError
from b2stream.sandbox.demo.feeding import NOBODYS_STATION, from_folder, simulated
from b2stream.sandbox.demo.ledger import Fed, Ledger
from b2stream.sandbox.demo.progress import Counts
from b2stream.sandbox.demo.screen import Screen, sparkline
from tests.unit.formats import samples

HALF_HOUR = b"U,V\n" + b"1.5,2.5\n" * 1800
NAME = "SE-Htm_EC_202607301200_L01_F01.csv"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / NAME).write_bytes(HALF_HOUR)
    (folder / "notes.txt").write_bytes(b"hello\n")
    (folder / ".hidden").write_bytes(b"x")
    (folder / "below").mkdir()
    return folder


@pytest.fixture
def stations(tmp_path: Path) -> Path:
    folder = tmp_path / "stations"
    for name in ("SE-Htm", NOBODYS_STATION):
        (folder / name).mkdir(parents=True)
    return folder


def test_each_file_goes_to_the_station_it_names_and_the_rest_to_nobodys(
    data: Path, stations: Path, tmp_path: Path
) -> None:
    feed = from_folder(data, stations, Ledger(tmp_path))
    assert [(one.station, one.utc_offset_h) for one in feed.stations] == [("SE-Htm", None), (NOBODYS_STATION, 0.0)]
    assert (feed.count, feed.new, feed.left_out) == (2, 2, [".hidden", "below"])
    feed.give(9)
    assert feed.left == 0
    assert (stations / "SE-Htm" / NAME).read_bytes() == HALF_HOUR
    assert (stations / NOBODYS_STATION / "notes.txt").read_bytes() == b"hello\n"
    assert [path.name for path in (stations / "SE-Htm").iterdir()] == [NAME]  # no temporary name is left


def test_the_users_files_are_only_read_also_where_they_are_read_only(
    data: Path, stations: Path, tmp_path: Path
) -> None:
    for path in data.iterdir():
        if path.is_file():
            path.chmod(0o400)
            os.utime(path, ns=(1, 1_000_000_000))
    before = {path.name: path.stat() for path in data.iterdir() if path.is_file()}
    for _ in range(2):
        from_folder(data, stations, Ledger(tmp_path)).give(9)
    for path in data.iterdir():
        if path.is_file():
            now, then = path.stat(), before[path.name]
            assert (now.st_mtime_ns, now.st_mode, now.st_ino) == (then.st_mtime_ns, then.st_mode, then.st_ino)


def test_a_list_of_sources_is_no_file_and_is_there_before_its_own(data: Path, stations: Path, tmp_path: Path) -> None:
    (data / "day.bin").write_bytes(b"computed")
    (data / "day.bin.sources").write_text("11676/one\n")
    feed = from_folder(data, stations, Ledger(tmp_path))
    assert not [name for name in feed.left_out if name.startswith("day.bin")]
    lists: list[bool] = []
    feed.give(feed.count, lambda: lists.append(any(stations.rglob("day.bin.sources"))))
    order = [Path(one.source).name for one in feed.fed]
    assert order.count("day.bin") == 1
    assert "day.bin.sources" not in order
    assert lists[order.index("day.bin")]


def test_a_list_of_sources_without_its_file_is_named_among_what_is_left_out(
    data: Path, stations: Path, tmp_path: Path
) -> None:
    (data / "gone.bin.sources").write_text("11676/one\n")
    (data / "half.bin.sources").mkdir()
    assert from_folder(data, stations, Ledger(tmp_path)).left_out == [
        ".hidden",
        "below",
        "gone.bin.sources",
        "half.bin.sources",
    ]


@pytest.mark.parametrize("named", ["../../outside", "G T", "/tmp", "..", ".", "a/b", "x" * 101])
def test_a_name_that_is_none_of_a_station_leads_nowhere(data: Path, stations: Path, tmp_path: Path, named: str) -> None:
    content = samples.atc().replace(b"XYZ", named.encode())
    (data / "product.csv").write_bytes(content)
    feed = from_folder(data, stations, Ledger(tmp_path))
    assert {one.station for one in feed.stations} == {"SE-Htm", NOBODYS_STATION}
    feed.give(9)
    assert (stations / NOBODYS_STATION / "product.csv").read_bytes() == content


def test_what_was_fed_before_comes_first_and_is_not_new(data: Path, stations: Path, tmp_path: Path) -> None:
    from_folder(data, stations, Ledger(tmp_path)).give(9)
    (data / "about.txt").write_bytes(b"new\n")
    feed = from_folder(data, stations, Ledger(tmp_path))
    assert (feed.count, feed.new) == (3, 1)
    feed.give(9)
    assert [one.name for one in feed.fed][-1] == "about.txt"


def test_a_changed_file_is_compared_as_it_was_and_as_it_is(data: Path, stations: Path, tmp_path: Path) -> None:
    from_folder(data, stations, Ledger(tmp_path)).give(9)
    (data / "notes.txt").write_bytes(b"hello again\n")
    from_folder(data, stations, Ledger(tmp_path)).give(9)
    (old, new) = [one for one in Ledger(tmp_path).sources() if one["name"] == "notes.txt"]
    assert (old["file"], old["size_bytes"]) == (None, 6)
    assert (new["file"], new["size_bytes"]) == (str(data / "notes.txt"), 12)


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no file"):
        from_folder(tmp_path, tmp_path / "stations", Ledger(tmp_path))


def test_simulated_stations_bring_the_rows_that_they_wrote(tmp_path: Path) -> None:
    feed = simulated(tmp_path, Ledger(tmp_path), seed=7, size="tiny")
    feed.give(99)
    assert len(feed.fed) == feed.count == 4
    assert {one.rows for one in feed.fed} >= {36_000, 24, 1_440}
    assert {one["rows"] for one in Ledger(tmp_path).sources()} == {one.rows for one in feed.fed}


def test_rows_of_a_file_that_nobody_knows_are_not_invented(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(HALF_HOUR)
    assert Fed.of("SE-Htm", tmp_path / NAME).rows is None


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([], ""), ([0, 0], "▁▁"), ([0, 7, 0], "▁█▁"), ([0] * 80 + [9] + [0] * 79, "▁" * 20 + "█" + "▁" * 19)],
)
def test_a_short_peak_stays_visible_in_a_narrow_sparkline(values: list[int], drawn: str) -> None:
    assert sparkline(values) == drawn


def test_plain_lines_say_how_far_it_is_and_always_the_end() -> None:
    out = io.StringIO()
    with Screen(out, 3, "csc", "fzj") as screen:
        screen.show(Counts(0.1, 1, 1, 0, 0))
        screen.show(Counts(0.2, 2, 2, 1, 0))  # too soon after the line before
        screen.show(Counts(0.3, 3, 3, 3, 3))
        screen.lags()
    lines = out.getvalue().splitlines()
    assert "files 1/3  sent 1  at csc 0  at fzj 0  lag: processor 1, replicator 0" in lines[0]
    assert "files 3/3  sent 3  at csc 3  at fzj 3  lag: processor 0, replicator 0" in lines[1]
    assert lines[2].endswith("at most 1, now 0")


def test_a_content_that_came_back_is_the_one_that_is_there_now(data: Path, stations: Path, tmp_path: Path) -> None:
    for content in (b"one", b"two", b"one"):
        (data / "notes.txt").write_bytes(content)
        from_folder(data, stations, Ledger(tmp_path)).give(9)
    files = {one["sha256"]: one["file"] for one in Ledger(tmp_path).sources() if one["name"] == "notes.txt"}
    assert sorted(files.values(), key=str) == [str(data / "notes.txt"), None]
    assert files[Fed.of(NOBODYS_STATION, data / "notes.txt").sha256] is not None


def test_a_line_that_a_killed_demo_left_half_written_is_passed_over(data: Path, stations: Path, tmp_path: Path) -> None:
    from_folder(data, stations, Ledger(tmp_path)).give(1)
    with (tmp_path / "fed.jsonl").open("a") as file:
        file.write('{"station": "SE-')
    assert len(Ledger(tmp_path)) == 1
    from_folder(data, stations, Ledger(tmp_path)).give(9)
    assert len(Ledger(tmp_path)) == 2
