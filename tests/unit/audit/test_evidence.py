"""A year's evidence: what is counted, and an index that tells any later change."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2stream.batches.signing import public_key_of
from b2stream.contracts.canonical import from_iso_utc
from b2stream.policies import OWN_FILE
from b2stream.programs.audit.auditing import Report
from b2stream.programs.audit.evidence import cli as evidence_cli
from b2stream.programs.audit.evidence.bundle import INDEX, SIGNATURE, SUPPORTS, Year, write_bundle
from b2stream.programs.audit.evidence.checking import troubles
from b2stream.stations.keys import NoSuchKey, load_key, make_key
from tests.unit.batches.test_history import COMMIT, REPLICA, event

IN_2026 = from_iso_utc("2026-12-31T23:59:59.999999Z")
IN_2027 = from_iso_utc("2027-01-01T00:00:00.000000Z")
KEY = Ed25519PrivateKey.from_private_bytes(b"e" * 32)


def year_2026() -> Year:
    year = Year(2026)
    first = replace(COMMIT, committed_at_us=IN_2026)
    for one in (
        first,
        first,
        replace(first, batch="b" * 64, rows=5),
        replace(first, batch="c" * 64, committed_at_us=IN_2027),
    ):
        year.committed(one)
    for copy in (replace(REPLICA, replicated_at_us=IN_2026), replace(REPLICA, replicated_at_us=IN_2027)):
        year.replicated(copy)
    for told in (event(IN_2026), event(IN_2026, "fail"), event(IN_2027, "fail")):
        year.told(told)
    return year


def test_each_batch_of_the_year_counts_once_and_those_of_the_next_year_do_not() -> None:
    counts = year_2026().counts()
    assert counts["stations"] == {
        COMMIT.station: {"batches": 2, "rows": COMMIT.rows + 5, "bytes": 2 * COMMIT.size_bytes}
    }
    assert counts["copies"] == {"fzj": 1}
    assert counts["policies"] == {COMMIT.policy: 2}


def test_checks_are_counted_by_centre_and_outcome_and_each_failure_is_listed() -> None:
    fixity = year_2026().fixity()
    assert [(row["outcome"], row["objects"]) for row in fixity["events"]] == [("fail", 1), ("success", 1)]
    assert [failure["path"] for failure in fixity["failures"]] == [COMMIT.path]


def test_I12_what_was_announced_again_after_the_log_was_lost_counts_in_the_year_of_its_close() -> None:
    again = replace(
        COMMIT, software="b2stream-reannounce 0.1.0", closed_at_us=IN_2026, committed_at_us=IN_2027, policy="p"
    )
    copy = replace(REPLICA, commit=again, replicated_at_us=IN_2027)
    then, now = Year(2026), Year(2027)
    for year in (then, now):
        year.committed(again)
        year.replicated(copy)
    station = {"batches": 1, "rows": COMMIT.rows, "bytes": COMMIT.size_bytes}
    assert then.counts() == {
        "year": 2026,
        "stations": {COMMIT.station: station},
        "copies": {"fzj": 1},
        "policies": {"p": 1},
    }
    assert now.counts() == {"year": 2027, "stations": {}, "copies": {}, "policies": {}}
    assert dict(then.software) == {}
    assert dict(now.software) == {again.software: 1, REPLICA.software: 1}, "these ran now"


def test_a_copy_that_was_told_the_year_before_does_not_count_again() -> None:
    year = Year(2027)
    for at_us in (IN_2026, IN_2027):
        year.replicated(replace(REPLICA, replicated_at_us=at_us))
    assert year.counts()["copies"] == {}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(tmp_path, year_2026(), {"findings": []}, OWN_FILE, KEY)
    return tmp_path


def verified(folder: Path) -> bool:
    """Whether the bundle is what was signed."""
    return not troubles(folder, public_key_of(KEY))


def test_the_signed_index_names_every_file_and_what_it_supports(bundle: Path) -> None:
    assert verified(bundle)
    entries = {
        each["name"]: each["supports"] for each in json.loads((bundle / INDEX).read_text(encoding="utf-8"))["files"]
    }
    assert entries == SUPPORTS
    assert {path.name for path in bundle.iterdir()} == {*SUPPORTS, INDEX, SIGNATURE}


@pytest.mark.parametrize("name", [*SUPPORTS, INDEX])
def test_any_later_change_is_told(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes((bundle / name).read_bytes().replace(b"2026", b"2025") + b" ")
    assert not verified(bundle)


def test_a_bundle_signed_with_another_key_or_with_none_is_not_what_was_signed(bundle: Path) -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    assert troubles(bundle, public_key_of(other)) == [f"{INDEX} is not what this key signed"]
    (bundle / SIGNATURE).unlink()
    assert troubles(bundle, public_key_of(KEY)) == [f"{SIGNATURE} is missing: the bundle is not signed"]


def test_a_file_that_is_missing_and_one_that_is_not_in_the_index_are_told(bundle: Path) -> None:
    (bundle / "counts.json").unlink()
    (bundle / "more.json").write_text("{}", encoding="utf-8")
    missing, more = troubles(bundle, public_key_of(KEY))
    assert missing.startswith("counts.json: ")
    assert more == "more.json is not named by the signed index"


def checked(bundle: Path, *more: str) -> tuple[int, str]:
    words = ["--check", str(bundle), "--public-key", base64.b64encode(public_key_of(KEY)).decode(), *more]
    result = CliRunner().invoke(evidence_cli.evidence, words)
    return result.exit_code, result.stdout


def test_the_command_checks_a_bundle_without_any_server(bundle: Path) -> None:
    assert checked(bundle) == (0, f"✓ {bundle} is what was signed\n")
    (bundle / "audit.json").write_text("{}", encoding="utf-8")
    code, said = checked(bundle)
    assert code == 1
    assert said.startswith("✗ audit.json was altered")
    code, said = checked(bundle, "--json")
    assert [each.split(" ")[0] for each in json.loads(said)["troubles"]] == ["audit.json"]


@pytest.fixture
def writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Calls `b2stream evidence --year 2026` in a folder with a key, of an archive in which everything is right."""
    report = Report(0.0, 1.0, ["csc"], 0, 0, 0, [], [])
    monkeypatch.setattr(evidence_cli, "run", lambda *_: report)
    monkeypatch.setattr(evidence_cli, "_year", lambda *_: year_2026())
    make_key(tmp_path / "key")
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(evidence_cli.evidence, ["--year", "2026", *words])


def test_a_bundle_is_signed_with_the_key_that_is_given(writing: Callable[..., Result]) -> None:
    result = writing("--key", "key")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert not troubles(Path("evidence-2026"), public_key_of(load_key(Path("key"))))


def test_a_bundle_that_nobody_signs_is_asked_for_and_warned_of(writing: Callable[..., Result]) -> None:
    result = writing("--unsigned")
    assert result.exit_code == 0, result.output
    assert "the index is not signed" in result.stderr
    assert not (Path("evidence-2026") / SIGNATURE).exists()


@pytest.mark.parametrize("words", [(), ("--key", "key", "--unsigned")], ids=["neither", "both"])
def test_who_says_neither_key_nor_unsigned_or_both_gets_no_bundle(
    writing: Callable[..., Result], words: tuple[str, ...]
) -> None:
    result = writing(*words)
    assert result.exit_code == 2
    assert "say --key FILE, which signs the index, or --unsigned" in result.stderr
    assert not Path("evidence-2026").exists()


def test_a_key_that_cannot_be_used_is_told_before_anything_is_audited(
    writing: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_cli, "run", lambda *_: pytest.fail("an audit takes hours"))
    assert isinstance(writing("--key", "nowhere").exception, NoSuchKey)
    assert not Path("evidence-2026").exists()


def test_a_bundle_is_never_written_over(bundle: Path) -> None:
    with pytest.raises(FileExistsError):
        write_bundle(bundle, year_2026(), {"findings": []}, OWN_FILE, None)


def test_each_requirement_that_a_file_supports_is_explained() -> None:
    text = (Path(__file__).parents[3] / "docs" / "trust.md").read_text(encoding="utf-8")
    for requirement in {each for supported in SUPPORTS.values() for each in supported}:
        assert f"| {requirement} " in text
