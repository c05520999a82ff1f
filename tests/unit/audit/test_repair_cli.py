"""`b2stream repair --apply` prints each outcome as it comes, also those before somebody does not answer any more."""

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from b2stream.archive.memory import MemoryStore
from b2stream.errors import ConfigurationError, Retryable
from b2stream.programs.audit.repair import cli as repair_cli
from b2stream.programs.audit.repair import reannouncing
from b2stream.programs.audit.repair.planning import COPY, Act, RepairPlan
from tests.unit.audit.quiet_kafka import Kafka, NothingTold

PATHS = [f"SE-Htm/EC/2026/05/{number}.csv" for number in range(3)]
CONTENT = b"measured"


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """The centre to which three objects are to be copied."""
    first, made = MemoryStore("csc"), MemoryStore("fzj")
    for path in PATHS:
        first.put(path, CONTENT)
    monkeypatch.setattr(repair_cli, "open_centres", lambda settings: [first, made])
    monkeypatch.setattr(repair_cli, "Producer", Kafka)
    monkeypatch.setattr(repair_cli, "Log", NothingTold)
    monkeypatch.setattr(reannouncing, "known_stations", lambda settings, framing: {})
    return made


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Of the command that carries the plan out."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    acts = [Act(COPY, "fzj", path, source="csc", size_bytes=len(CONTENT), sha256=sha256) for path in PATHS]
    plan, config = tmp_path / "plan.json", tmp_path / "b2stream.toml"
    plan.write_text(json.dumps(RepairPlan(acts).to_json()), encoding="utf-8")
    config.write_text("", encoding="utf-8")
    return ["--apply", str(plan), "--config", str(config)]


def go_away_at_the_third(store: MemoryStore) -> None:
    def away(call: str, about: str) -> None:
        if about == PATHS[2]:
            raise Retryable("fzj is down")

    store.before_call = away


def test_each_outcome_is_printed(second: MemoryStore, words: list[str]) -> None:
    done = CliRunner().invoke(repair_cli.repair, words)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("✓ copied: copy") == 3
    assert "3 of 3 acts done\n" in done.stdout


def test_an_outcome_is_printed_before_the_next_act_begins(
    second: MemoryStore, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    printed: list[str] = []

    def look(call: str, about: str) -> None:
        if about == PATHS[1] and not printed:
            printed.append(capsys.readouterr().out)

    second.before_call = look
    with pytest.raises(SystemExit):
        repair_cli.repair(words)
    assert f"✓ copied: copy {PATHS[0]}" in printed[0]


def test_what_was_done_before_a_centre_went_away_is_printed(second: MemoryStore, words: list[str]) -> None:
    go_away_at_the_third(second)
    done = CliRunner().invoke(repair_cli.repair, words)
    assert done.exit_code == 3
    assert [path for path in PATHS if f"✓ copied: copy {path}" in done.stdout] == PATHS[:2]
    assert "2 of 2 acts done, and the plan is not finished: apply it again" in done.stdout
    assert "fzj is down" in done.stderr


def test_what_was_done_before_a_centre_went_away_is_there_as_json(second: MemoryStore, words: list[str]) -> None:
    go_away_at_the_third(second)
    done = CliRunner().invoke(repair_cli.repair, [*words, "--json"])
    assert done.exit_code == 3
    assert [(each["path"], each["outcome"]) for each in json.loads(done.stdout)] == [
        (path, "copied") for path in PATHS[:2]
    ]


def test_centres_that_the_settings_do_not_know_are_a_wrong_configuration(
    second: MemoryStore, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair_cli, "open_centres", lambda settings: [MemoryStore("csc")])
    done = CliRunner().invoke(repair_cli.repair, words)
    assert "fzj" in str(done.exception)
    assert done.stdout == ""


@pytest.mark.parametrize(
    "content",
    [
        b"no plan",
        b"\xff\xfe",
        b"[]",
        b'{"format": 99}',
        b'{"format": 1, "acts": [{"who": 1}]}',
        b'{"format": 1, "acts": 3}',
    ],
)
def test_a_file_that_is_no_plan_is_refused_by_name(second: MemoryStore, words: list[str], content: bytes) -> None:
    plan = Path(words[1])
    plan.write_bytes(content)
    done = CliRunner().invoke(repair_cli.repair, words)
    assert isinstance(done.exception, ConfigurationError)
    assert done.exception.detail.startswith(f"{plan}: ")
    assert "plan" in done.exception.detail.removeprefix(f"{plan}")
    assert second.calls == []
