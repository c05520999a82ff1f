"""Which files are taken, and when: never a half-written one."""

import os
from pathlib import Path

import pytest

from b2stream.errors import ConfigurationError
from b2stream.programs.gateway.watch import Folder, FolderAway, Scan, check_folder, is_temporary, printable
from tests.unit.gateway.stands import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path, clock: Clock) -> Folder:
    return Folder(tmp_path, 5.0, clock)


def names(scan: Scan) -> list[str]:
    return [seen.name for seen in scan.complete]


def test_a_new_file_is_taken_once_it_was_unchanged_for_the_settle_time(
    folder: Folder, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "a.csv").write_text("1\n")
    assert names(folder.scan()) == []
    clock.now += 4.9
    assert names(folder.scan()) == []
    assert [seen.name for seen in folder.scan().unsettled] == ["a.csv"]
    clock.now += 0.2
    assert names(folder.scan()) == ["a.csv"]


def test_a_file_that_grows_settles_anew(folder: Folder, tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "a.csv"
    for content in ("1\n", "1\n2\n", "1\n2\n3\n"):
        path.write_text(content)
        clock.now += 4.0
        assert names(folder.scan()) == []
    clock.now += 5.0
    assert names(folder.scan()) == ["a.csv"]


def test_a_change_that_keeps_size_and_modification_time_is_seen(folder: Folder, tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1\n")
    status = path.stat()
    folder.scan()
    clock.now += 6
    before = folder.scan().complete[0].signature
    path.write_text("2\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    found = folder.scan()
    assert [seen.name for seen in found.unsettled] == ["a.csv"]
    assert found.unsettled[0].signature != before


@pytest.mark.parametrize("name", [".hidden", "a.part", "a.csv.tmp", "A.PART", "a.csv~", ".a.csv.x7Gh", "b.filepart"])
def test_temporary_names_are_ignored(folder: Folder, tmp_path: Path, clock: Clock, name: str) -> None:
    (tmp_path / name).write_text("1\n")
    folder.scan()
    clock.now += 60
    assert folder.scan() == Scan((), ())
    assert is_temporary(name)


def test_a_file_renamed_from_a_temporary_name_is_complete_at_once(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "a.csv.part").write_text("1\n")
    folder.scan()
    (tmp_path / "a.csv.part").rename(tmp_path / "a.csv")
    assert names(folder.scan()) == ["a.csv"]


@pytest.mark.skipif(os.name != "posix", reason="the time of the last status change is POSIX's")
def test_an_old_file_renamed_into_the_folder_is_complete_at_once(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path / ".elsewhere"
    outside.mkdir()
    (outside / "a.csv").write_text("1\n")
    os.utime(outside / "a.csv", (1_000_000_000, 1_000_000_000))
    (outside / "a.csv").rename(tmp_path / "a.csv")
    assert names(folder.scan()) == ["a.csv"]


def test_a_file_that_changed_while_it_was_read_settles_anew(folder: Folder, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "a.csv").write_text("1\n")
    folder.scan()
    clock.now += 6
    assert names(folder.scan()) == ["a.csv"]
    folder.unsettle("a.csv")
    assert names(folder.scan()) == []
    clock.now += 6
    assert names(folder.scan()) == ["a.csv"]


def test_folders_dead_links_and_what_lies_below_are_left_alone(folder: Folder, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.csv").write_text("1\n")
    (tmp_path / "dead").symlink_to(tmp_path / "nothing")
    folder.scan()
    clock.now += 60
    assert folder.scan() == Scan((), ())


def test_files_come_oldest_first(folder: Folder, tmp_path: Path, clock: Clock) -> None:
    for name, instant in (("b", 200), ("a", 300), ("c", 100)):
        (tmp_path / name).write_text("1\n")
        os.utime(tmp_path / name, (instant, instant))
    folder.scan()
    clock.now += 6
    assert names(folder.scan()) == ["c", "b", "a"]


def test_a_folder_that_went_away_is_waited_for_and_one_that_never_was_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FolderAway, match="gone"):
        Folder(tmp_path / "gone", 1.0).scan()
    with pytest.raises(ConfigurationError, match=r"gateway\.watch"):
        check_folder(tmp_path / "gone")


def test_a_name_that_is_no_utf8_becomes_text() -> None:
    assert printable(os.fsdecode(b"caf\xe9.dat")) == "caf\\udce9.dat"
    assert printable("Zürich ~ 100%.csv") == "Zürich ~ 100%.csv"
