"""Batches of earlier runs in a root that was there before: no finding there, and still one in a root of the demo's own."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from b2stream.contracts.canonical import canonical_json
from b2stream.contracts.records import BatchClosed
from b2stream.sandbox.demo.check import history
from b2stream.sandbox.demo.check.centres import Found
from b2stream.sandbox.demo.check.events import Events
from b2stream.sandbox.demo.check.findings import Findings
from b2stream.sandbox.demo.check.manifests import Batch
from b2stream.sandbox.demo.check.ours import Ours
from b2stream.sandbox.demo.check.plan import Centre, Password
from b2stream.sandbox.demo.check.zone import Stored
from tests.unit.demo.archives import Committed, committed, table

OLD, NOW = "old topic id", "topic"  # archives.py writes the latter into its manifests
STATIONS = {"SE-Htm"}


def closed(name: str, number: int, previous: Committed | None = None, rows: int = 5) -> Committed:
    return committed("SE-Htm", name, table(rows), rows, "EC", previous.close if previous else None, number)


def supersedes(attempt: str) -> Callable[[BatchClosed], BatchClosed]:
    """A close that was sent instead of that attempt."""
    return lambda close: replace(close, supersedes=(attempt,))


def centre(role: str, batches: list[tuple[Committed, str]], *, shared: bool) -> Found:
    found = Found(Centre(role, role, "/z", "/z/s", {}, Password(None, None, None), None, None, shared))
    for batch, topic_id in batches:
        document = json.loads(batch.manifest)
        document["log"]["topic_id"] = topic_id
        found.batches[batch.path] = Batch(batch.manifest_path, document)
        found.objects[batch.path] = Stored(batch.path, 1, 0.0, 0.0, [], 10, batch.close.raw_sha256)
        found.objects[batch.manifest_path] = Stored(batch.manifest_path, 2, 0.0, 0.0, [], 10, "e" * 64)
    return found


def ours(*fed: Committed, repeated: frozenset[str] = frozenset(), kafka_shared: bool = False) -> Ours:
    sources = frozenset(("SE-Htm", batch.close.name or "", batch.close.raw_sha256) for batch in fed)
    return Ours(sources, NOW, repeated, kafka_shared)


def commit(batch: Committed) -> dict[str, Any]:
    document = json.loads(batch.manifest)
    return {
        "batch": document["batch"], "station": "SE-Htm", "name": batch.close.name, "stem": batch.close.stem,
        "rows": batch.close.rows, "path": batch.path, "size_bytes": 10, "sha256": batch.close.raw_sha256,
        "manifest_path": batch.manifest_path, "manifest_size_bytes": 10, "manifest_sha256": "e" * 64,
    }  # fmt: skip


def event_findings(batches: list[tuple[Committed, str]], events: Events, answers: Ours, *, shared: bool) -> list[str]:
    findings = Findings()
    both = [centre(role, batches, shared=shared) for role in ("first", "second")]
    history.check_events(events, both[0], both[1], STATIONS, findings, answers)
    return sorted(one.invariant for one in findings.found)


def chain_findings(
    batches: list[tuple[Committed, str]],
    answers: Ours,
    *,
    shared: bool,
    repeats: tuple[Committed, ...] = (),
    dead: tuple[Committed, ...] = (),
) -> list[str]:
    findings = Findings()
    said = [
        {
            "station": "SE-Htm",
            "series": "EC",
            "series_number": each.close.series_number,
            "close": canonical_json({**each.close.to_json(), "signature": None}).decode(),
        }
        for each in repeats
    ]
    letters = [
        {
            "station": "SE-Htm",
            "series": "EC",
            "series_number": each.close.series_number,
            "attempt": each.close.attempt,
        }
        for each in dead
    ]
    history.check_chains(centre("first", batches, shared=shared), said, STATIONS, findings, answers, letters)
    return [one.what.partition(": ")[2] or one.what for one in findings.found]


def test_I5_and_I7_a_batch_of_an_earlier_run_needs_no_event_in_a_shared_root_alone() -> None:
    old, new = closed("old.csv", 0), closed("new.csv", 0, rows=6)
    batches, events = [(old, OLD), (new, NOW)], Events([commit(new)], [{"commit": commit(new)}])
    assert event_findings(batches, events, ours(new), shared=True) == []
    assert event_findings(batches, events, ours(new), shared=False) == ["I5", "I7"]


def test_I5_and_I7_a_batch_that_was_fed_here_needs_its_events_in_a_shared_root_too() -> None:
    old, new = closed("old.csv", 0), closed("new.csv", 0, rows=6)
    assert event_findings([(new, NOW)], Events(), ours(new), shared=True) == ["I5", "I7"]
    batch = json.loads(old.manifest)["batch"]
    again = ours(old, repeated=frozenset({batch}))
    assert event_findings([(old, OLD)], Events(), again, shared=True) == ["I5", "I7"]


@pytest.mark.parametrize("kafka_shared", [True, False])
def test_I5_an_event_of_an_earlier_run_may_name_what_is_gone_on_a_shared_kafka_alone(kafka_shared: bool) -> None:
    old, new = closed("old.csv", 0), closed("new.csv", 0, rows=6)
    found = event_findings(
        [(new, NOW)],
        Events([commit(old), commit(new)], [{"commit": commit(new)}]),
        ours(new, kafka_shared=kafka_shared),
        shared=True,
    )
    assert found == ([] if kafka_shared else ["I5", "I5"])  # data object and manifest


def test_I2_chains_of_an_earlier_run_are_no_forks_in_a_shared_root_alone() -> None:
    old, new = closed("old.csv", 0), closed("new.csv", 0, rows=6)
    batches = [(old, OLD), (new, NOW)]
    assert chain_findings(batches, ours(new), shared=True) == []
    assert chain_findings(batches, ours(new), shared=False) == ["a fork"]


def test_I2_holes_of_others_are_no_gaps_in_a_shared_root_alone_and_ours_still_are() -> None:
    old, new, far = closed("old.csv", 4), closed("new.csv", 0, rows=6), closed("far.csv", 2, rows=7)
    assert chain_findings([(old, OLD), (new, NOW)], ours(new), shared=True) == []
    assert chain_findings([(old, OLD), (new, NOW)], ours(new), shared=False).count("a gap") == 3
    assert chain_findings([(far, NOW), (new, NOW)], ours(far, new), shared=True) == ["a gap"]


def test_I2_a_number_that_was_sent_again_after_the_log_lost_it_is_no_gap_and_any_other_still_is() -> None:
    lost, last = closed("lost.csv", 1), closed("last.csv", 0)
    again = committed("SE-Htm", "lost.csv", table(5), 5, "EC", lost.close, 2, supersedes(lost.close.attempt))
    assert chain_findings([(last, NOW), (again, NOW)], ours(last, again), shared=False) == []
    further = committed("SE-Htm", "lost.csv", table(5), 5, "EC", lost.close, 3, supersedes(lost.close.attempt))
    assert chain_findings([(last, NOW), (further, NOW)], ours(last, further), shared=False) == ["a gap", "a gap"]
    known = committed("SE-Htm", "lost.csv", table(5), 5, "EC", lost.close, 2, supersedes(last.close.attempt))
    assert chain_findings([(last, NOW), (known, NOW)], ours(last, known), shared=False) == ["a gap"]
    assert chain_findings([(last, NOW), (again, NOW)], ours(last, again), shared=False, dead=(lost,)) == []


def test_I2_a_chain_that_goes_on_from_an_earlier_kafka_is_whole() -> None:
    old = closed("old.csv", 0)
    new = closed("new.csv", 1, old, rows=6)
    stray = closed("stray.csv", 1, closed("other.csv", 0, rows=9), rows=6)
    assert chain_findings([(old, OLD), (new, NOW)], ours(new), shared=True) == []
    assert len(chain_findings([(old, OLD), (stray, NOW)], ours(stray), shared=True)) == 1


def test_I2_closed_again_in_another_order_on_a_new_kafka_is_a_chain_of_its_own() -> None:
    one = closed("one.csv", 0)
    two = closed("two.csv", 1, one, rows=6)
    two_again = closed("two.csv", 0, rows=6)
    one_again = closed("one.csv", 1, two_again)
    answers, before = ours(one, two), [(one, OLD), (two, OLD)]
    assert chain_findings(before, answers, shared=True, repeats=(two_again, one_again)) == []
    assert chain_findings(before, answers, shared=False, repeats=(two_again, one_again)) == ["a fork", "a fork"]


@pytest.mark.parametrize("shared", [True, False])
def test_I2_on_a_kafka_that_an_earlier_run_used_too_both_may_begin_at_0(shared: bool) -> None:
    one = closed("one.csv", 0)
    two_again = closed("two.csv", 0, rows=6)
    found = chain_findings([(one, NOW)], ours(one, kafka_shared=True), shared=shared, repeats=(two_again,))
    assert found == ([] if shared else ["a fork"])


def test_I2_a_number_whose_close_became_a_letter_is_no_gap_and_a_number_of_nobody_is_one() -> None:
    first, lost = closed("a.dat", 0), closed("b.dat", 1)
    later = closed("c.dat", 2, lost)
    batches = [(first, NOW), (later, NOW)]
    assert chain_findings(batches, ours(first, later), shared=False) == ["a gap"]
    assert chain_findings(batches, ours(first, later), shared=False, dead=(lost,)) == []
    far = closed("d.dat", 4, later)
    assert chain_findings([*batches, (far, NOW)], ours(first, later, far), shared=False, dead=(lost,)) == ["a gap"]
