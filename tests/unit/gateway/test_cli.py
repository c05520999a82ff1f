"""The commands beside a gateway, on a journal alone; and settings that cannot work."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from b2stream.batches.manifest import batch_of
from b2stream.errors import ConfigurationError
from b2stream.programs.gateway.cli import gateway
from b2stream.programs.gateway.journal.journal import ReceiptWriter
from tests.unit.gateway.events import write_commit
from tests.unit.gateway.stands import Stand, toa5


def call(stand: Stand, *arguments: str) -> Result:
    return CliRunner().invoke(gateway, [*arguments, "--journal", str(stand.journal_path)])


@pytest.fixture
def sent(stand: Stand) -> Stand:
    """Four files: committed, replicated, refused, sent; and an older content of the last."""
    contents = {"committed.dat": toa5(5), "replicated.bin": b"2", "refused.bin": b"3", "sent.bin": b"4"}
    for name, content in contents.items():
        stand.write(name, content)
    started = stand.start()
    started.step()
    stand.write("sent.bin", b"44")
    started.step()
    closes = {close.name: close for close in stand.log.closes()}

    def apply(writer: ReceiptWriter) -> None:
        for name in ("committed.dat", "replicated.bin"):
            write_commit(writer, closes[name])
        writer.replicated(batch_of(closes["replicated.bin"]), 2, "second")
        writer.letter(closes["refused.bin"].attempt, "", "bad_block", "in words", poison=True)

    started.journal.write_receipts(apply)
    return stand


def test_receipts_say_per_file_how_far_it_came(sent: Stand) -> None:
    result = call(sent, "receipts", "--json")
    files = {each["file"]: each for each in json.loads(result.stdout)["files"]}
    assert {name: each["state"] for name, each in files.items()} == {
        "committed.dat": "committed",
        "replicated.bin": "replicated",
        "refused.bin": "refused",
        "sent.bin": "sent",
    }
    assert [name for name, each in files.items() if each["safe_to_delete"]] == ["replicated.bin"]
    assert files["committed.dat"]["rows"] == 5
    assert files["committed.dat"]["pid"] == "21.T1/x"
    assert files["refused.bin"]["reason"] == "bad_block"
    assert files["sent.bin"]["size_bytes"] == 2, "the latest content, not the older one"
    assert result.exit_code == 1


def test_receipts_as_a_table_name_state_and_reason(sent: Stand) -> None:
    shown = call(sent, "receipts").stdout
    for words in ("replicated (safe to delete)", "bad_block: in words", "(not_recognised)"):
        assert words in shown


def test_a_file_with_the_one_copy_that_its_policy_wants_is_safe_to_delete_and_the_table_says_why(sent: Stand) -> None:
    journal = sent.start().journal
    (attempt,) = [each for each in journal.current() if each.name == "committed.dat"]
    journal.write_receipts(lambda writer: writer.only_copy(attempt.batch, 3))
    (entry,) = [
        each for each in json.loads(call(sent, "receipts", "--json").stdout)["files"] if each["file"] == "committed.dat"
    ]
    assert (entry["safe_to_delete"], entry["second_url"]) == (True, None)
    shown = call(sent, "receipts").stdout
    assert "committed, its policy wants one copy (safe to delete)" in shown
    assert "replicated (safe to delete)" in shown


def test_receipts_stay_whole_in_a_narrow_pipe(stand: Stand) -> None:
    name = f"{'a-long-name-' * 10}.bin"
    stand.write(name, b"1")
    stand.write("two\nlines\x1b[31m.bin", b"2")
    started = stand.start()
    started.step()
    closes = stand.log.closes()

    def apply(writer: ReceiptWriter) -> None:
        for close in closes:
            write_commit(writer, close)

    started.journal.write_receipts(apply)
    words = [sys.executable, "-m", "b2stream", "gateway", "receipts", "--journal", str(stand.journal_path)]
    environment = {**os.environ, "COLUMNS": "60"}
    run = subprocess.run(words, capture_output=True, text=True, check=True, env=environment, timeout=60)
    _, *lines = run.stdout.splitlines()
    assert sorted(line.split()[0] for line in lines) == sorted([name, "two\\nlines\\x1b[31m.bin"])
    assert {line.split()[-1] for line in lines} == {"21.T1/x"}


def test_older_contents_are_listed_when_asked_for(sent: Stand) -> None:
    files = json.loads(call(sent, "receipts", "--all", "--json").stdout)["files"]
    assert [each["size_bytes"] for each in files if each["file"] == "sent.bin"] == [1, 2]


def test_receipts_end_in_0_only_if_every_file_is_committed(stand: Stand) -> None:
    stand.write("a", b"1")
    started = stand.start()
    started.step()
    assert call(stand, "receipts").exit_code == 3
    (close,) = stand.log.closes()
    started.journal.write_receipts(lambda writer: write_commit(writer, close))
    assert call(stand, "receipts").exit_code == 0


def test_retry_is_taken_up_by_the_gateway(sent: Stand) -> None:
    assert "will be sent again" in call(sent, "retry", "/some/where/refused.bin").output
    files = json.loads(call(sent, "receipts", "--json").stdout)["files"]
    assert {each["file"]: each["state"] for each in files}["refused.bin"] == "sending"


def test_retry_of_what_is_committed_or_unknown_does_nothing_and_says_so(sent: Stand) -> None:
    assert "nothing to send again" in call(sent, "retry", "committed.dat").output
    unknown = call(sent, "retry", "other.dat")
    assert unknown.exit_code == 1
    assert "was never sent" in unknown.output


def test_a_folder_without_a_journal_is_said_to_have_none(tmp_path: Path) -> None:
    result = CliRunner().invoke(gateway, ["--watch", str(tmp_path), "receipts"])
    assert result.exit_code == 1
    assert "no gateway has worked on this folder yet" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--watch", "."], "gateway.station"),
        (["--station", "SE/Htm", "--watch", "."], "gateway.station"),
        (["--station", "SE-Htm"], "gateway.watch"),
        (["--station", "SE-Htm", "--watch", "/nowhere/at/all"], "gateway.watch"),
        (["--station", "SE-Htm", "--watch", ".", "--utc-offset-h", "77"], "gateway.utc_offset_h"),
        (["receipts"], "gateway.watch"),
    ],
)
def test_a_setting_that_cannot_work_is_named(
    arguments: list[str], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(gateway, arguments)
    assert isinstance(result.exception, ConfigurationError)
    assert named in str(result.exception)
    assert list(tmp_path.iterdir()) == [], "nothing was written"
