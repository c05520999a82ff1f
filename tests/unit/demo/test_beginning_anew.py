"""What is left of an earlier demo when one begins anew: nothing, but the keys where the archive stays."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from b2stream.sandbox.demo import cli
from b2stream.sandbox.demo.run import Outcome

ZONE = "irods://user@127.0.0.1:1247/zone/home/user"
DIRECTORY = Path(".b2stream") / "demo" / "simulated"


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ([], []),
        (["--first", ZONE], ["fed.jsonl", "keys"]),
        (["--first", ZONE, "--fresh", "--directory", str(DIRECTORY)], []),
    ],
)
def test_keys_are_kept_where_simulated_stations_meet_their_archive_again(
    options: list[str], kept: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("keys/SE-Htm.key", "kafka/log", "fed.jsonl", "plan.json"):
        (DIRECTORY / name).parent.mkdir(parents=True, exist_ok=True)
        (DIRECTORY / name).write_text("of the earlier run\n")
    seen: list[list[str]] = []

    def look(*_: Any) -> Outcome:
        seen.append(sorted(path.name for path in DIRECTORY.iterdir()))
        return Outcome(good=True)

    monkeypatch.setattr(cli, "run", look)
    for _ in range(2):  # the second finds what the first left when it was interrupted at once
        result = CliRunner().invoke(cli.demo, options)
        assert result.exit_code == 0, result.output
    assert seen == [kept, kept]
    if kept:
        assert (DIRECTORY / "keys" / "SE-Htm.key").exists()
        assert (DIRECTORY / "fed.jsonl").read_text() == ""
