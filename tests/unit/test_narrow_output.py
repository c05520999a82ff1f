"""Commands that need no server, in a pipe from a narrow window: every name and value whole, a line each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from b2stream.commands.output import print_columns
from b2stream.sandbox.records import Part, write_parts

LONG = f"irods://rods@zone.example.org:1247/cscZone/home/rods/{'a-long-name/' * 8}icos"


def lines(*words: str, **variables: str) -> list[str]:
    environment = {**os.environ, "COLUMNS": "60", **variables}
    run = subprocess.run(
        [sys.executable, "-m", "b2stream", *words], env=environment, capture_output=True, text=True, timeout=60
    )
    assert run.stdout, run.stderr
    return run.stdout.splitlines()


def test_a_setting_is_shown_whole() -> None:
    shown = lines("config", "show", B2STREAM_FIRST_URL=LONG)
    assert f"first.url = {LONG}  (B2STREAM_FIRST_URL)" in shown


def test_the_addresses_of_a_sandbox_are_shown_whole(tmp_path: Path) -> None:
    write_parts(tmp_path, [Part("first", "server", LONG, pid=None)])
    heading, first = lines("sandbox", "status", "--directory", str(tmp_path))
    assert first.split()[-1] == LONG
    assert heading.index("address") == first.index(LONG)


def test_columns_stand_below_one_another_and_control_characters_are_written_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_columns([["file", "state"], ["two\nlines\x1b[31m", "sent"], ["Zürich ☂", ""]])
    assert capsys.readouterr().out.splitlines() == [
        "file                state",
        "two\\nlines\\x1b[31m  sent",
        "Zürich ☂",
    ]
