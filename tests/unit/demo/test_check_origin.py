"""I9 by the independent check: each signature over the manifest's own text, and each way in which one does not hold."""

import base64
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2stream.batches.signing import public_key_of, sign
from b2stream.contracts.canonical import canonical_json, from_iso_utc
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import key_id
from b2stream.sandbox.demo.check.centres import Found
from b2stream.sandbox.demo.check.findings import Findings
from b2stream.sandbox.demo.check.manifests import read
from b2stream.sandbox.demo.check.origin import check_signatures
from b2stream.sandbox.demo.check.ours import EVERYTHING, Ours
from b2stream.sandbox.demo.check.plan import Centre, Key, Password
from b2stream.sandbox.demo.check.zone import Stored
from tests.unit.demo.archives import Archive, committed, table
from tests.unit.demo.conftest import Check

PRIVATE, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
CENTRE = Centre("first", "csc", "/z", "/z/.staging", {}, Password(None, None, None), None, None, False)


def key(private: Ed25519PrivateKey, valid_from_us: int = 0, valid_until_us: int | None = None) -> Key:
    public = public_key_of(private)
    return Key(key_id(public), base64.b64encode(public).decode(), valid_from_us, valid_until_us)


def signed(close: BatchClosed) -> BatchClosed:
    return sign(close, PRIVATE)


def manifest(change: Callable[[BatchClosed], BatchClosed] = signed) -> bytes:
    return committed("SE-Htm", "one – Ü.csv", table(5), 5, "EC", None, 0, change).manifest


def judged(
    content: bytes,
    *keys: Key,
    repeats: list[dict[str, Any]] | None = None,
    ours: Ours = EVERYTHING,
    shared: bool = False,
) -> Findings:
    """What the check finds about one manifest, or repeated closes."""
    found, findings = Found(replace(CENTRE, shared=shared)), Findings()
    path = "SE-Htm/EC/2026/07/one.csv.manifest.json"
    stored = Stored(path, 1, 0.0, 0.0, content=content)
    batch = read(stored)
    assert not isinstance(batch, str), batch
    found.objects[path], found.batches[batch.path] = stored, batch
    check_signatures(found, repeats or [], {"SE-Htm": list(keys)} if keys else {}, findings, ours)
    return findings


def held(findings: Findings) -> int:
    return findings.compared["I9", "signatures that hold"]


CLOSED_US = from_iso_utc(json.loads(manifest())["log"]["closed_at"])


def test_I9_a_signature_that_holds_is_counted() -> None:
    findings = judged(manifest(), key(OTHER), key(PRIVATE))
    assert (held(findings), findings.found) == (1, [])


def test_I9_of_a_station_without_a_key_nothing_is_said() -> None:
    findings = judged(manifest(lambda close: close))
    assert (held(findings), findings.found) == (0, [])


def altered(change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(manifest())
    change(document["close"])
    return canonical_json(document)


WRONG: dict[str, tuple[bytes, tuple[Key, ...], str]] = {
    "not signed": (manifest(lambda close: close), (key(PRIVATE),), "is not signed"),
    "of another key": (manifest(lambda close: sign(close, OTHER)), (key(PRIVATE),), "no key of its station"),
    "another key under this one's id": (
        manifest(lambda close: replace(sign(close, OTHER), key=key(PRIVATE).id)),
        (key(PRIVATE),),
        "is not that of key",
    ),
    "no base64": (manifest(lambda close: replace(signed(close), signature="*")), (key(PRIVATE),), "is not that of key"),
    "the close was altered": (altered(lambda close: close.update(rows=4)), (key(PRIVATE),), "is not that of key"),
    "a note was added": (altered(lambda close: close["notes"].update(a="b")), (key(PRIVATE),), "is not that of key"),
    "the key had ended": (manifest(), (key(PRIVATE, 0, CLOSED_US),), "did not hold when the close came"),
    "the key had not begun": (manifest(), (key(PRIVATE, CLOSED_US + 1),), "did not hold when the close came"),
}


@pytest.mark.parametrize("case", WRONG)
def test_I9_what_does_not_hold_is_named_with_its_place(case: str) -> None:
    content, keys, why = WRONG[case]
    findings = judged(content, *keys)
    assert held(findings) == 0
    (finding,) = findings.found
    assert (finding.invariant, finding.station, finding.centre) == ("I9", "SE-Htm", "csc")
    assert why in finding.what


def test_a_batch_from_before_its_station_had_a_key_need_not_be_signed() -> None:
    findings = judged(manifest(lambda close: close), key(PRIVATE, CLOSED_US + 1))
    assert (held(findings), findings.found) == (0, [])


def repeat(close: BatchClosed) -> dict[str, Any]:
    text = canonical_json({**close.to_json(), "signature": close.signature}).decode()
    return {"station": close.station, "close": text}


def test_I9_a_close_that_repeats_a_batch_is_checked_too() -> None:
    batch = committed("SE-Htm", "one.csv", table(5), 5, "EC", None, 7, signed)
    assert held(judged(manifest(), key(PRIVATE), repeats=[repeat(batch.close)])) == 2
    forged = repeat(replace(batch.close, series_number=8))
    (finding,) = judged(manifest(), key(PRIVATE), repeats=[forged]).found
    assert (finding.station, finding.path) == ("SE-Htm", "close of number 8")


@pytest.mark.parametrize("fed", [True, False])
def test_I9_a_batch_of_an_earlier_run_with_another_key_counts_in_an_own_root_alone(fed: bool) -> None:
    batch = committed("SE-Htm", "one – Ü.csv", table(5), 5, "EC", None, 0, lambda close: sign(close, OTHER))
    sources = frozenset({("SE-Htm", "one – Ü.csv", batch.close.raw_sha256)} if fed else ())
    this_kafka = Ours(sources, topic_id="another topic id")
    assert len(judged(batch.manifest, key(PRIVATE), ours=this_kafka).found) == 1
    assert judged(batch.manifest, key(PRIVATE), ours=this_kafka, shared=True).found == []
    its_own_kafka = Ours(sources, topic_id="topic")
    assert len(judged(batch.manifest, key(PRIVATE), ours=its_own_kafka, shared=True).found) == fed


def test_I9_the_whole_check_tells_of_signatures(archive: Archive, check: Check) -> None:
    batch = committed("SE-Sig", "one.csv", table(5), 5, "EC", None, 0, signed)
    archive.source("SE-Sig", "one.csv", table(5), 5)
    archive.commit(batch)
    good = check(archive.write_plan(keys={"SE-Sig": [asdict(key(PRIVATE))]}))
    assert good.exit_code == 0, good.text
    assert "I9  holds  origin: 1 signatures that hold" in good.text
    wrong = check(archive.write_plan(keys={"SE-Sig": [asdict(key(OTHER))]}))
    assert wrong.exit_code == 1
    assert "I9 SE-Sig one.csv at csc" in wrong.text
