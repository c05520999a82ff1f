"""A product's sources: what stands in the list beside its file is signed with it, and a list is never taken for a file."""

import json
import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from b2stream.contracts.records import BatchClosed
from b2stream.programs.gateway.cluster import LogFacts
from b2stream.programs.gateway.inspect import inspect
from b2stream.programs.gateway.listing import entries
from b2stream.programs.gateway.outstanding import Outstanding
from b2stream.programs.gateway.sources import BadSources, sources_of
from b2stream.programs.gateway.watch import Folder
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
