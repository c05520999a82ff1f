"""`b2stream inspect`: what the gateway would make of a file, and what the gateway then makes of it, are the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from b2stream.batches.manifest import batch_of, paths_of
from b2stream.programs.gateway.cli import gateway
from b2stream.programs.gateway.inspect import inspect
from b2stream.programs.gateway.watch import TEMPORARY_ENDS
from b2stream.software import VARIABLE, commit
from tests.unit.gateway.stands import STATION, Stand, toa5

OURS = ["--station", STATION, "--utc-offset-h", "1"]


def inspected(path: Path, *arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(inspect, [str(path), "--json", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    document: dict[str, object] = json.loads(result.stdout)
    return document


@pytest.mark.parametrize(("name", "content"), [("met.dat", toa5(90)), ("blob.bin", b"\x00" * 999), ("empty", b"")])
def test_it_says_what_the_gateway_then_publishes(stand: Stand, name: str, content: bytes) -> None:
    said = inspected(stand.write(name, content), *OURS)
    stand.start().step()
    (close,) = stand.log.closes()
    assert said["batch"] == batch_of(close)
    assert said["path"] == paths_of(close).data_object
    assert (said["rows"], said["series"], said["format"]) == (close.rows, close.series, close.input_format)
    manifest = said["manifest"]
    assert isinstance(manifest, dict)
    assert manifest["close"]["raw_sha256"] == close.raw_sha256
    assert "log" not in manifest
    assert "attempt" not in manifest["close"]


def test_variables_have_units_and_the_first_rows_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "met.dat"
    path.write_bytes(toa5(90))
    said = inspected(path, *OURS)
    assert {"name": "T_air", "unit": "degC"} in said["variables"]  # type: ignore[operator]
    assert said["start"] == "2026-02-28T23:00:00.000000Z"
    rows = said["first_rows"]
    assert isinstance(rows, list)
    assert [row["T_air"] for row in rows] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert rows[1]["State"] == "ok1"


def test_for_a_person_what_matters_stands_on_the_last_screen(tmp_path: Path) -> None:
    path = tmp_path / "met.dat"
    path.write_bytes(toa5(90))
    result = CliRunner().invoke(inspect, [str(path), *OURS], catch_exceptions=False)
    screen = "\n".join(result.stdout.splitlines()[-24:])
    for word in ("campbell-toa5", "T_air", "degC", "90 in", "batch", "id24"):
        assert word in screen


def printed(path: Path, **environment: str) -> str:
    """What a real process writes into a pipe."""
    words = [sys.executable, "-m", "b2stream", "inspect", str(path), *OURS]
    variables = {**os.environ, VARIABLE: commit(), **environment}  # this process's: somebody may commit meanwhile
    return subprocess.run(words, capture_output=True, text=True, check=True, env=variables, timeout=60).stdout


def test_the_manifest_is_shown_with_the_path_that_it_will_have(stand: Stand) -> None:
    path = stand.write("met.dat", toa5(90))
    title, _, rest = printed(path).partition("\n")
    shown = json.loads(rest[: rest.index("\n}\n") + 2])
    stand.start().step()
    (close,) = stand.log.closes()
    assert title.startswith(paths_of(close).manifest)
    assert title.endswith("(close.attempt, close.series_number, close.previous, close.key, signature, log):")
    assert shown == inspected(path, *OURS)["manifest"]
    assert shown["batch"] == batch_of(close)
    assert "log" not in shown


def test_names_and_values_stay_whole_in_a_narrow_pipe(tmp_path: Path) -> None:
    name = f"{'long-name-' * 12}.dat"
    path = tmp_path / name
    variable = f"air_temperature_{'of_the_upper_mast_' * 5}"
    path.write_bytes(toa5(90).replace(b"T_air", variable.encode()))
    narrow = printed(path, COLUMNS="60")
    said = inspected(path, *OURS)
    for whole in (f"file           {name}, ", f"{said['batch']}", f"{said['path']}", f"\n{variable}  degC"):
        assert whole in narrow
    assert "…" not in narrow


def test_without_a_station_the_one_that_the_file_names_is_taken_and_else_there_is_no_batch(tmp_path: Path) -> None:
    named = tmp_path / "DE-Tst_EC_202603011200_L01_F01.csv"
    named.write_bytes(b"U,V\n" + b"1,2\n" * 1800)
    assert inspected(named)["station"] == "DE-Tst"
    nameless = tmp_path / "blob.bin"
    nameless.write_bytes(b"content")
    said = inspected(nameless)
    assert (said["station"], said["batch"], said["path"], said["manifest"]) == (None, None, None, None)
    assert said["id24"]


def test_a_file_that_names_neither_station_nor_standard_time_is_read_with_the_options_that_are_told(
    tmp_path: Path,
) -> None:
    path = tmp_path / "met.dat"
    path.write_bytes(toa5(3).replace(STATION.encode(), b"meadow"))
    screens = [
        CliRunner().invoke(inspect, [str(path), *options], catch_exceptions=False).stdout
        for options in ([], ["--station", "XX-Demo"], ["--station", "XX-Demo", "--utc-offset-h", "-3"])
    ]
    assert ["give --station" in screen for screen in screens] == [True, False, False]
    assert ["give --utc-offset-h" in screen for screen in screens] == [True, True, False]
    assert "3 in 1 blocks" in screens[2]
    assert "give --utc-offset-h" not in CliRunner().invoke(inspect, [str(path), "--station", "SE-Htm"]).stdout


def test_a_file_of_another_station_is_opaque(tmp_path: Path) -> None:
    path = tmp_path / "FR-Oth_EC_202603011200_L01_F01.csv"
    path.write_bytes(b"U,V\n" + b"1,2\n" * 1800)
    assert inspected(path, *OURS)["opaque_reason"] == "wrong_station"


@pytest.mark.parametrize("name", [".met.dat", "met.dat~", "met.dat.tmp", "MET.PART", "met.dat.crdownload"])
def test_a_name_that_the_gateway_leaves_alone_is_said_first(stand: Stand, name: str) -> None:
    path = stand.write(name, toa5(9))
    stand.start().step()
    assert stand.log.closes() == [], "the gateway takes it, so nothing must be said"
    assert inspected(path, *OURS)["left_alone"] is True
    shown = CliRunner().invoke(inspect, [str(path), *OURS], catch_exceptions=False)
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"{name}: the gateway leaves this name alone: an unfinished transfer")


def test_of_a_name_that_the_gateway_takes_nothing_such_is_said(tmp_path: Path) -> None:
    path = tmp_path / "met.dat"
    path.write_bytes(toa5(9))
    assert inspected(path, *OURS)["left_alone"] is False
    assert "alone" not in CliRunner().invoke(inspect, [str(path), *OURS], catch_exceptions=False).stdout


def test_the_gateway_s_help_names_each_end_that_it_leaves_alone() -> None:
    said = " ".join(CliRunner().invoke(gateway, ["--help"], catch_exceptions=False).stdout.split())
    assert "hidden" in said
    assert [end for end in TEMPORARY_ENDS if end not in said] == []


@pytest.mark.parametrize("name", ["nothing.dat", "folder"])
def test_what_is_no_file_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    result = CliRunner().invoke(inspect, [str(tmp_path / name)])
    assert result.exit_code == 1
    assert name in result.output


def test_it_writes_nothing_and_needs_neither_kafka_nor_metrics(tmp_path: Path) -> None:
    """A reader-only installation has no prometheus_client, and no program may start a client library just to look at a file."""
    path = tmp_path / "met.dat"
    path.write_bytes(toa5(9))
    code = (
        "import sys; from b2stream.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(sorted({'prometheus_client', 'confluent_kafka', 'faust', 'irods'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "inspect", str(path), *OURS], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    assert [each.name for each in tmp_path.iterdir()] == ["met.dat"]
