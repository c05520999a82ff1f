"""I9 at the gateway: with a key every close is signed, once, and what is published again is what was signed then."""

import base64
import contextlib
import json
import logging
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from b2stream.batches.signing import is_signed_by, public_key_of
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import StationKey, key_id
from b2stream.errors import ConfigurationError, Retryable
from b2stream.programs.gateway.cli import gateway as command
from b2stream.programs.gateway.journal.journal import ReceiptWriter
from b2stream.programs.gateway.signing import signer
from b2stream.stations.keys import load_key, make_key
from tests.unit.gateway.stands import Stand, judge, toa5


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "station.key"
    make_key(path)
    return path


def public(key_file: Path) -> StationKey:
    raw = public_key_of(load_key(key_file))
    return StationKey(key_id(raw), base64.b64encode(raw).decode(), 0)


def test_I9_every_close_is_signed_and_the_chain_goes_on(stand: Stand, key_file: Path) -> None:
    gateway = stand.start()
    gateway.sign = signer(str(key_file))
    for number in range(3):
        stand.write("met.dat", toa5(5 + number))
        gateway.step()
    closes = stand.log.closes()
    assert len(closes) == 3
    assert all(is_signed_by(close, public(key_file)) for close in closes)
    assert len(judge(stand.log)) == 3  # each names the one before it


def test_I9_the_chain_goes_on_across_a_gateway_that_begins_to_sign(stand: Stand, key_file: Path) -> None:
    stand.write("met.dat", toa5(5))
    stand.start().step()
    gateway = stand.start()
    gateway.sign = signer(str(key_file))
    stand.write("met.dat", toa5(6))
    gateway.step()
    assert [close.signature is None for close in stand.log.closes()] == [True, False]
    assert len(judge(stand.log)) == 2


def test_I9_a_close_that_is_published_again_has_the_signature_that_it_had(stand: Stand, tmp_path: Path) -> None:
    """Killed right after Kafka had the close, and started with another key: the first one signed it, and only that one fits."""
    old, new = tmp_path / "old.key", tmp_path / "new.key"
    make_key(old)
    make_key(new)
    stand.write("met.dat", toa5(5))
    first = stand.start()
    first.sign = signer(str(old))

    def lost() -> None:
        if stand.log.closes():
            raise Retryable("the answer was lost")

    stand.log.after_append = lost
    with pytest.raises(Retryable):
        first.step()
    stand.log.after_append = lambda: None
    second = stand.start()
    second.sign = signer(str(new))
    second.step()
    closes = stand.log.closes()
    assert len(closes) == 2
    assert closes[0] == closes[1]
    assert is_signed_by(closes[1], public(old))


def test_without_a_key_nothing_is_signed(stand: Stand) -> None:
    stand.write("met.dat", toa5(5))
    gateway = stand.start()
    gateway.sign = signer("")
    gateway.step()
    assert [(close.key, close.signature) for close in stand.log.closes()] == [(None, None)]


def test_a_journal_of_an_older_release_has_no_signatures(stand: Stand) -> None:
    stand.write("met.dat", toa5(5))
    stand.start().step()
    text = json.dumps(stand.log.closes()[0].to_json())
    assert "signature" not in text
    with contextlib.closing(sqlite3.connect(stand.journal_path)) as older, older:
        older.execute("UPDATE attempts SET close = ?", (text,))
    (attempt,) = stand.start().journal.current()
    assert attempt.close == stand.log.closes()[0]


def test_a_key_that_cannot_be_used_stops_the_gateway_before_anything_else(tmp_path: Path) -> None:
    missing = tmp_path / "absent.key"
    environment = {"B2STREAM_GATEWAY_KEY_FILE": str(missing)}
    done = CliRunner().invoke(command, ["--station", "SE-Htm", "--watch", str(tmp_path)], env=environment)
    assert isinstance(done.exception, ConfigurationError)
    assert f"{missing}: No such file" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_everybody_can_read_is_warned_about(key_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    signer(str(key_file))
    assert not caplog.records or max(each.levelno for each in caplog.records) < logging.WARNING
    key_file.chmod(0o644)
    signer(str(key_file))
    assert "everybody on this computer can read" in caplog.text


@pytest.mark.parametrize("reason", ["signature_missing", "signature_wrong", "key_expired", "station_without_key"])
def test_receipts_show_a_refused_signature_with_its_reason(stand: Stand, reason: str) -> None:
    stand.write("met.dat", toa5(5))
    gateway = stand.start()
    gateway.step()
    (close,) = stand.log.closes()

    def letters(writer: ReceiptWriter) -> None:
        writer.letter(close.attempt, "", reason, "key 0123456789abcdef", poison=True)
        writer.letter(close.attempt, "", "abandoned", "silent", poison=False)  # what becomes of its blocks

    gateway.journal.write_receipts(letters)
    told = CliRunner().invoke(command, ["receipts", "--json", "--journal", str(stand.journal_path)])
    (entry,) = json.loads(told.stdout)["files"]
    assert (entry["state"], entry["reason"], entry["detail"]) == ("refused", reason, "key 0123456789abcdef")
    assert told.exit_code == 1
    shown = CliRunner().invoke(command, ["receipts", "--journal", str(stand.journal_path)], env={"COLUMNS": "200"})
    assert reason in shown.stdout


def test_a_key_that_nobody_knew_yet_is_shown_and_the_file_is_sent_again(stand: Stand) -> None:
    stand.write("met.dat", toa5(5))
    gateway = stand.start()
    gateway.step()
    close: BatchClosed = stand.log.closes()[0]

    def letter(writer: ReceiptWriter) -> None:
        writer.letter(close.attempt, "", "unknown_key", "key 0", poison=False)

    gateway.journal.write_receipts(letter)
    told = CliRunner().invoke(command, ["receipts", "--json", "--journal", str(stand.journal_path)])
    (entry,) = json.loads(told.stdout)["files"]
    assert (entry["state"], entry["reason"]) == ("lost", "unknown_key")
