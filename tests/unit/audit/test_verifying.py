"""Signatures as audit and verify see them, and a file that is verified without any network."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2stream.archive.attributes import Attributes
from b2stream.archive.memory import MemoryStore
from b2stream.batches.examining import Examination
from b2stream.batches.manifest import InLog, build_manifest, paths_of
from b2stream.batches.signing import public_key_of, sign
from b2stream.contracts.canonical import canonical_json
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import StationDescription, StationKey, key_id
from b2stream.errors import ConfigurationError
from b2stream.handles.describing import FAIL, SUCCESS, Describing, fixity
from b2stream.handles.memory import MemoryHandles
from b2stream.handles.records import Prefixes
from b2stream.programs.audit.gathering.origins import signature_check
from b2stream.programs.audit.verify.checks import Check, Outcome, compared, exit_code
from b2stream.programs.audit.verify.registered import Registered
from b2stream.programs.audit.verify.subjects import Subject
from b2stream.programs.audit.verify.verifying import Verifier, verify_offline
from tests.unit.batches.test_history import COMMIT
from tests.unit.processor.stations import StationBatch, attempt_name

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
BATCH = StationBatch()
CLOSE = BATCH.record(attempt_name(1))
AT_US = 1_000


def public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(public_key_of(key)).decode()


def stations(*periods: tuple[Ed25519PrivateKey, int, int | None]) -> Mapping[str, StationDescription]:
    keys = tuple(StationKey(key_id(public_key_of(key)), public(key), since, until) for key, since, until in periods)
    return {CLOSE.station: StationDescription(station=CLOSE.station, name="x", theme="ecosystem", keys=keys)}


def trouble(close: BatchClosed, known: Mapping[str, StationDescription], *, accept_unsigned: bool = True) -> str | None:
    return signature_check(known, accept_unsigned=accept_unsigned)(close, AT_US)


def test_I9_a_close_that_its_station_signed_is_good_and_any_change_of_it_is_not() -> None:
    signed, known = sign(CLOSE, KEY), stations((KEY, 0, None))
    assert trouble(signed, known) is None
    for forged in (
        replace(signed, rows=signed.rows + 1),
        replace(signed, name="another.csv"),
        replace(signed, raw_sha256="0" * 64),
        replace(signed, previous="0" * 64),
        sign(CLOSE, OTHER),
        replace(signed, signature=None),
    ):
        assert trouble(forged, known) is not None


def test_I9_a_key_that_had_ended_by_then_does_not_count() -> None:
    signed = sign(CLOSE, KEY)
    assert "key_expired" in (trouble(signed, stations((KEY, 0, AT_US))) or "")
    assert trouble(signed, stations((KEY, 0, AT_US + 1), (OTHER, 0, None))) is None


def test_what_was_archived_before_the_first_key_is_not_signed_and_nothing_wrong() -> None:
    later = stations((KEY, AT_US + 1, None))
    assert trouble(CLOSE, later) is None
    assert trouble(CLOSE, later, accept_unsigned=False) is not None


def test_verify_says_why_a_signature_was_not_compared() -> None:
    assert Verifier([]).signature("csc", CLOSE, AT_US).outcome is Outcome.LEFT_OUT
    assert Verifier([], {}).signature("csc", CLOSE, AT_US).outcome is Outcome.LEFT_OUT
    assert Verifier([], stations((KEY, 0, None))).signature("csc", CLOSE, AT_US).outcome is Outcome.BAD
    assert Verifier([], stations((KEY, 0, None))).signature("csc", sign(CLOSE, KEY), AT_US).outcome is Outcome.GOOD


def test_a_finding_outweighs_a_centre_that_does_not_answer() -> None:
    good, bad = compared("csc", "size", 1, 1), compared("csc", "size", 1, 2)
    away = Check("fzj", "the centre answers", Outcome.UNREACHABLE)
    assert [exit_code(checks) for checks in ([good], [good, away], [good, away, bad])] == [0, 3, 1]
    assert "1, expected 2" in bad.line()


@pytest.fixture
def downloaded(tmp_path: Path) -> tuple[Path, Path]:
    """A file and its manifest, signed."""
    examination = Examination(CLOSE)
    for sent in BATCH.blocks(attempt_name(1)):
        examination.take(Framing().unframe(sent.value))
    log = InLog("topic", 0, ((0, 2),), 3, AT_US)
    file, manifest = tmp_path / "f.csv", tmp_path / "f.csv.manifest.json"
    file.write_bytes(BATCH.data_object())
    manifest.write_bytes(build_manifest(sign(CLOSE, KEY), examination.result(), log))
    return file, manifest


def bad(checks: list[Check]) -> list[str]:
    return [check.about for check in checks if check.outcome is Outcome.BAD]


def test_a_file_its_manifest_and_a_public_key_are_enough(downloaded: tuple[Path, Path]) -> None:
    checks = list(verify_offline(*downloaded, public(KEY)))
    *compared_here, unseen = checks
    assert {check.outcome for check in compared_here} == {Outcome.GOOD}
    assert unseen.line().startswith("- f.csv.manifest.json: left out: variables, labels, summary and place in the log")
    assert bad(list(verify_offline(*downloaded, public(OTHER)))) == ["signed with this public key"]
    assert [check.outcome for check in verify_offline(*downloaded, None)][-2:] == [Outcome.LEFT_OUT] * 2


def test_each_changed_thing_is_named(downloaded: tuple[Path, Path]) -> None:
    file, manifest = downloaded
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    assert bad(list(verify_offline(file, manifest, None))) == [
        "SHA-256, computed here, as in the manifest",
        "suffix of its PID",
    ]
    manifest.write_bytes(manifest.read_bytes().replace(b'"rows":12', b'"rows":13'))
    assert "signed with this public key" in bad(list(verify_offline(file, manifest, public(KEY))))
    manifest.write_bytes(b"{}")
    assert bad(list(verify_offline(file, manifest, None))) == ["the manifest agrees with itself"]


def test_what_is_no_public_key_is_said_so(downloaded: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigurationError, match="no public key"):
        list(verify_offline(*downloaded, "AAAA"))


def changed(manifest: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A manifest that agrees with its close in everything but the change."""
    document = json.loads(manifest.read_bytes())
    change(document)
    manifest.write_bytes(canonical_json(document))


def test_offline_the_path_must_be_the_one_that_the_close_leads_to(downloaded: tuple[Path, Path]) -> None:
    file, manifest = downloaded
    where = paths_of(CLOSE)
    for path in (
        "SE-Nor/EC/2024/03/f.csv",
        f"{where.folder}/x/{where.object_name}",
        f"{where.series_folder}/2024/3/{where.object_name}",
        where.object_name,
    ):
        changed(manifest, lambda document, path=path: document["data_object"].update(path=path))  # type: ignore[misc]
        checks = list(verify_offline(file, manifest, public(KEY)))
        assert bad(checks) == ["its path is the one that the close leads to"], path
        assert where.data_object in "".join(check.detail for check in checks)
    elsewhere = f"{where.series_folder}/undated/{where.object_name}"
    changed(manifest, lambda document: document["data_object"].update(path=elsewhere))
    checks = list(verify_offline(file, manifest, public(KEY)))
    assert bad(checks) == [], "what was archived before stays in the month where it lies"
    assert "but for the month: undated" in [check.detail for check in checks]


def test_offline_the_provenance_must_be_the_one_that_the_close_tells(downloaded: tuple[Path, Path]) -> None:
    file, manifest = downloaded
    changed(manifest, lambda document: document["provenance"]["agent"].update({"station:SE-Nor": {}}))
    about = "its provenance is the one that the close tells"
    assert bad(list(verify_offline(file, manifest, public(KEY)))) == [about]
    changed(manifest, lambda document: document.pop("provenance"))
    assert bad(list(verify_offline(file, manifest, public(KEY)))) == [about]


def test_verify_says_what_it_leaves_out_without_a_commit_event_and_without_a_handle_server() -> None:
    def left_out(verifier: Verifier, subject: Subject) -> list[str]:
        return [check.where for check in verifier.verify(subject) if check.outcome is Outcome.LEFT_OUT]

    prefixes = Prefixes("21.T1")
    handles = Registered(MemoryHandles(), prefixes, Describing("icos", prefixes, {}), "csc")
    known, unknown = Subject(COMMIT.path, COMMIT), Subject(COMMIT.path)
    assert left_out(Verifier([]), unknown) == ["log", "Handle server"]
    assert left_out(Verifier([]), known) == ["Handle server"]
    assert left_out(Verifier([], registered=handles), unknown) == ["log"]
    assert left_out(Verifier([], registered=handles), known) == []


def test_verify_names_a_check_of_the_centre_that_failed_until_one_went_well() -> None:
    store, prefixes = MemoryStore("csc"), Prefixes("21.T1")
    store.put(COMMIT.path, b"x")
    describing = Describing("icos", prefixes, {})
    registered = Registered(MemoryHandles(), prefixes, describing, "csc")
    described = describing.at_first(COMMIT)
    store.set_attributes(COMMIT.path, described)
    assert bad(list(registered.attributes(store, COMMIT, None))) == []
    store.set_attributes(COMMIT.path, fixity("icos", FAIL, 7_000_000, Attributes()))
    checks = list(registered.attributes(store, COMMIT, None))
    assert bad(checks) == ["the centre's own latest check of it went well"]
    assert "fail 1970-01-01T00:00:07.000000Z" in checks[-1].detail
    assert checks[0].outcome is Outcome.GOOD, "what the events say is there all the same"
    store.set_attributes(COMMIT.path, fixity("icos", SUCCESS, 8_000_000, store.attributes(COMMIT.path)))
    assert bad(list(registered.attributes(store, COMMIT, None))) == []
