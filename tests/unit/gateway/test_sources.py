"""A product's sources: what stands in the list beside its file is signed with it, and a list is never taken for a file."""

import json
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from b2stream.contracts.records import BatchClosed
from b2stream.programs.gateway import program
from b2stream.programs.gateway.cluster import LogFacts
from b2stream.programs.gateway.inspect import inspect
from b2stream.programs.gateway.journal.listing import entries
from b2stream.programs.gateway.outstanding import Outstanding
from b2stream.programs.gateway.snapshot import FileChanged, Snapshot, take
from b2stream.programs.gateway.sources import BadSources, sources_of
from b2stream.programs.gateway.watch import Folder, Seen
from tests.unit.gateway.stands import STATION, TOPIC_ID, Clock, Stand, judge, toa5

LIST = "# half hours of 1 March\n\n11676/one\n  hdl:21.T1/two \nhttps://doi.org/10.18160/three\n11676/one\n"
PIDS = ("11676/one", "21.T1/two", "10.18160/three")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


def test_the_sources_beside_a_file_are_signed_with_it(stand: Stand) -> None:
    stand.write("day.csv.sources", LIST.encode())
    stand.write("day.csv", toa5(5))
    stand.write("raw.csv", toa5(6))
    signed: list[bytes] = []
    gateway = stand.start()

    def sign(close: BatchClosed) -> BatchClosed:
        signed.append(close.signed_bytes())
        return close

    gateway.sign = sign
    gateway.step()
    assert {close.name: close.sources for close in stand.log.closes()} == {"day.csv": PIDS, "raw.csv": ()}
    assert [b"sources" in each for each in signed].count(True) == 1
    assert {each["file"]: each["sources"] for each in entries(gateway.journal, everything=False)} == {
        "day.csv": list(PIDS),
        "raw.csv": [],
    }
    assert gateway.all_taken()
    assert len(judge(stand.log)) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"11676/one\nday before\n", ("day.csv.sources, line 2", "'day before' is no PID", "11676/abc")),
        (b"\xff\xfe1\x001\x00", ("not UTF-8",)),
        (b"11676/" + b"x" * 300, ("line 1",)),
        (b"\n".join(b"11676/%0100d" % number for number in range(700)), ("more than 64 KiB", "collection")),
    ],
)
def test_a_list_with_a_mistake_holds_its_file_back_until_it_is_mended(
    stand: Stand, content: bytes, words: tuple[str, ...]
) -> None:
    """A batch is for ever: once it is archived without its sources, nobody can add them."""
    stand.write("day.csv.sources", content)
    stand.write("day.csv", toa5(5))
    stand.write("raw.csv", toa5(6))
    gateway = stand.start()
    gateway.step()
    assert [close.name for close in stand.log.closes()] == ["raw.csv"]
    for word in words:
        assert word in gateway.unreadable["day.csv"]
    stand.write("day.csv.sources", LIST.encode())
    gateway.step()
    assert stand.log.closes()[-1].sources == PIDS
    assert not gateway.unreadable


def test_a_bad_list_is_said_before_its_file_is_read_and_not_at_every_scan(
    stand: Stand, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.write("day.csv.sources", b"nonsense")
    stand.write("day.csv", toa5(5))
    taken: list[str] = []

    def noted(seen: Seen) -> Snapshot:
        taken.append(seen.name)
        return take(seen)

    monkeypatch.setattr(program, "take", noted)
    gateway = stand.start()
    for _ in range(3):
        gateway.step()
    assert taken == []
    assert len([each for each in caplog.records if each.levelno == logging.ERROR]) == 1
    stand.write("day.csv.sources", LIST.encode())
    gateway.step()
    assert taken == ["day.csv"]


def test_a_bad_list_is_said_before_what_is_sent_again_is_read(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    stand.write("day.csv", toa5(5))
    gateway = stand.start()
    gateway.step()
    stand.write("day.csv.sources", b"nonsense")
    gateway.journal.ask_retry("day.csv")
    gateway.outstanding = Outstanding(gateway.journal, lambda: LogFacts(TOPIC_ID, 0, 100, None), 60.0)
    monkeypatch.setattr(program, "take", lambda seen: pytest.fail("it was read"))
    gateway.step()
    assert "nonsense" in gateway.unreadable["day.csv"]


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_nowhere(path: Path) -> None:
    path.symlink_to(path.with_name("nobody"))


def door(path: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(path.parent)  # a socket's address has 107 bytes at most
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)


@pytest.mark.parametrize("make", [pipe, door, Path.mkdir, link_to_nowhere])
def test_a_list_that_is_no_file_holds_its_product_back_and_nobody_waits_for_it(
    stand: Stand, make: Callable[[Path], None]
) -> None:
    make(stand.folder / "day.csv.sources")
    stand.write("day.csv", toa5(5))
    stand.write("raw.csv", toa5(6))
    gateway = stand.start()
    gateway.step()
    assert [close.name for close in stand.log.closes()] == ["raw.csv"]
    assert "day.csv.sources" in gateway.unreadable["day.csv"]


def test_a_list_that_changes_while_it_is_read_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = tmp_path / "day.csv.sources"
    beside.write_text(LIST)
    looked: list[int] = []

    def truncated_after_the_first_look(number: int) -> os.stat_result:
        status = status_of(number)
        if not looked:
            beside.write_text("11676/one\n")
        looked.append(number)
        return status

    status_of = os.fstat
    monkeypatch.setattr(os, "fstat", truncated_after_the_first_look)
    with pytest.raises(FileChanged, match=r"day\.csv\.sources"):
        sources_of(tmp_path / "day.csv")


@pytest.mark.parametrize("before", [None, LIST])
@pytest.mark.parametrize("half", ["11676/one\n", "1167"])
def test_a_list_that_is_written_anew_during_a_long_scan_settles_first(
    stand: Stand, caplog: pytest.LogCaptureFixture, before: str | None, half: str
) -> None:
    """While `a.csv` is published, somebody truncates the list of `b.csv` and writes it anew."""
    stand.write("a.csv", toa5(4))
    stand.write("b.csv", toa5(5))
    if before is not None:
        stand.write("b.csv.sources", before.encode())
    gateway = stand.start(settle_s=5.0)
    gateway.step()
    stand.clock.now += 6

    def write_half() -> None:
        stand.log.after_append = lambda: None
        stand.write("b.csv.sources", half.encode())

    stand.log.after_append = write_half
    gateway.step()
    assert [close.name for close in stand.log.closes()] == ["a.csv"]
    assert not gateway.unreadable, "it is not bad, but not all there yet"
    stand.write("b.csv.sources", LIST.encode())
    stand.clock.now += 4
    gateway.step()
    assert len(stand.log.closes()) == 1
    for _ in range(2):
        stand.clock.now += 6
        gateway.step()
    assert [(close.name, close.sources) for close in stand.log.closes()] == [("a.csv", ()), ("b.csv", PIDS)]
    assert not warnings(caplog)


def test_a_list_without_its_product_is_said_once_with_both_names(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    stand.write("Day.csv.sources", LIST.encode())
    stand.write("day.csv", toa5(5))
    gateway = stand.start()
    for _ in range(3):
        gateway.step()
    (said,) = warnings(caplog)
    assert "Day.csv.sources names sources of Day.csv, which is not in the folder" in said
    assert [close.name for close in stand.log.closes()] == ["day.csv"]


@pytest.mark.parametrize("on_its_way", ["day.csv.part", ".day.csv.X4f2aa", "day.csv"])
def test_a_list_whose_product_is_there_on_its_way_or_sent_is_not_alone(
    stand: Stand, caplog: pytest.LogCaptureFixture, on_its_way: str
) -> None:
    stand.write("day.csv.sources", LIST.encode())
    product = stand.write(on_its_way, toa5(5))
    gateway = stand.start()
    gateway.step()
    product = product.rename(stand.folder / "day.csv")
    gateway.step()
    product.unlink()
    gateway.step()
    assert not warnings(caplog)
    assert len(stand.log.closes()) == 1


def test_what_is_sent_again_keeps_its_sources_though_the_list_is_gone(stand: Stand) -> None:
    beside = stand.write("day.csv.sources", LIST.encode())
    stand.write("day.csv", toa5(5))
    gateway = stand.start()
    gateway.step()
    beside.unlink()
    gateway.journal.ask_retry("day.csv")
    gateway.outstanding = Outstanding(gateway.journal, lambda: LogFacts(TOPIC_ID, 0, 100, None), 60.0)
    gateway.step()
    assert [close.sources for close in stand.log.closes()] == [PIDS, PIDS]


@pytest.mark.parametrize(("later", "is_said"), [(LIST, False), ("11676/other\n", True), ("nonsense\n", True)])
def test_a_list_that_comes_or_changes_too_late_is_said_once(
    stand: Stand, caplog: pytest.LogCaptureFixture, later: str, is_said: bool
) -> None:
    stand.write("day.csv.sources", LIST.encode())
    stand.write("day.csv", toa5(5))
    gateway = stand.start()
    gateway.step()
    gateway.step()
    assert not warnings(caplog)
    stand.write("day.csv.sources", later.encode() + b"\n# touched\n")
    gateway.step()
    gateway.step()
    assert len(warnings(caplog)) == is_said
    assert len(stand.log.closes()) == 1


def test_a_file_waits_until_the_list_beside_it_has_settled(tmp_path: Path) -> None:
    clock = Clock()
    folder = Folder(tmp_path, 5.0, clock)
    (tmp_path / "day.csv").write_text("1\n")
    folder.scan()
    clock.now += 4
    (tmp_path / "day.csv.sources").write_text("11676/o")
    (tmp_path / "raw.csv").write_text("2\n")
    folder.scan()
    clock.now += 2
    found = folder.scan()
    assert [seen.name for seen in found.complete] == []
    assert {seen.name for seen in found.unsettled} == {"day.csv", "raw.csv"}
    clock.now += 4
    found = folder.scan()
    assert {seen.name for seen in found.complete} == {"day.csv", "raw.csv"}
    assert [seen.name for seen in found.lists] == ["day.csv.sources"]


def test_a_list_that_cannot_be_read_is_no_list_without_sources(tmp_path: Path) -> None:
    (tmp_path / "day.csv.sources").mkdir()
    with pytest.raises(BadSources, match=r"day\.csv\.sources"):
        sources_of(tmp_path / "day.csv")


def test_inspect_shows_sources_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(toa5(5))
    beside = tmp_path / "day.csv.sources"
    beside.write_text(LIST)
    arguments = [str(path), "--station", STATION, "--utc-offset-h", "1"]
    said = json.loads(CliRunner().invoke(inspect, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert said["sources"] == said["manifest"]["close"]["sources"] == list(PIDS)
    derived = said["manifest"]["provenance"]["wasDerivedFrom"].values()
    assert {f"pid:{pid}" for pid in PIDS} <= {each["prov:usedEntity"] for each in derived}
    assert "11676/one, 21.T1/two" in CliRunner().invoke(inspect, arguments, catch_exceptions=False).stdout
    assert json.loads(CliRunner().invoke(inspect, [str(beside), "--json"]).stdout)["left_alone"] is True
    beside.write_text("nonsense")
    refused = CliRunner().invoke(inspect, arguments)
    assert refused.exit_code == 1
    assert "line 1: 'nonsense' is no PID" in refused.output
