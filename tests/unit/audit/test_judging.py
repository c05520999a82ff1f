"""What is a finding, and what is not one yet: lag, grace, and what resolves a letter."""

from typing import Any

import pytest

from b2stream.policies import Policies, Rule
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.judging.batches import Scope, judge
from tests.unit.audit.facts import (
    LONG_AGO_S,
    NOW_S,
    add_batch,
    digest,
    done,
    judged,
    kinds,
    path_of,
    put_object,
    whole_archive,
)

CLOSE = {"topic_id": "t", "partition": 0, "station": "SE-Htm", "series": "EC", "appended_at_us": int(LONG_AGO_S * 1e6)}


def test_a_whole_archive_has_no_finding() -> None:
    assert judged(whole_archive()) == []


def test_I7_a_batch_that_the_replicator_has_passed_is_unreplicated_and_one_before_it_is_lag() -> None:
    index = whole_archive(3)
    index.run("DELETE FROM replicated")
    index.run("DELETE FROM object WHERE centre = 'fzj'")
    done(index, "replicator", 2)
    assert kinds(judged(index)) == [("unreplicated", path_of(0), "fzj"), ("unreplicated", path_of(1), "fzj")]


def test_I7_what_was_committed_a_moment_ago_may_still_be_on_its_way() -> None:
    index = whole_archive(2, committed_s=NOW_S - 60)
    index.run("DELETE FROM replicated")
    done(index, "replicator", 2)
    assert judged(index) == []
    assert len(judged(index, grace_s=30.0)) == 2


def test_a_check_that_failed_is_a_finding_until_the_object_is_mended_or_read_again() -> None:
    index, then_us = whole_archive(2), int(NOW_S * 1e6)
    index.note_check("fzj", path_of(1), then_us, "other bytes")
    index.note_check("fzj", path_of(1), then_us - 5, None)
    assert kinds(judged(index)) == [("altered", path_of(1), "fzj")], "the latest check counts"
    index.note_check("fzj", path_of(1), then_us + 5, None)
    assert judged(index) == []


def test_a_letter_that_is_no_poison_has_a_grace_for_its_station_to_send_again() -> None:
    index = whole_archive(1)
    young = int((NOW_S - 60) * 1e6)
    index.put("letter", [{**_letter("1", attempt="c" * 32), "appended_at_us": young}])
    assert judged(index) == []
    index.run("UPDATE letter SET poison = 1")
    assert len(judged(index)) == 1


def test_a_data_object_whose_close_the_processors_have_before_them_is_lag() -> None:
    index = whole_archive(1)
    put_object(index, "csc", "SE-Htm/EC/known.csv")
    close = {**CLOSE, "offset": 9, "batch": digest("k"), "attempt": "d" * 32, "data_path": "SE-Htm/EC/known.csv"}
    index.put("close", [close])
    done(index, "processor", 9)
    assert judged(index) == []
    index.run("DELETE FROM done")
    assert kinds(judged(index)) == [("uncommitted", "SE-Htm/EC/known.csv", "csc")]


def test_I7_looking_at_the_second_centre_alone_lag_is_no_finding() -> None:
    index = whole_archive(2)
    index.run("DELETE FROM object WHERE centre = 'csc' OR path LIKE :path", path=path_of(1) + "%")
    index.run("DELETE FROM replicated WHERE batch IN (SELECT batch FROM committed WHERE number = 1)")
    index.derive()
    assert judge(index, Scope("csc", "fzj", NOW_S, 900.0, sees_first=False)) == []


def test_a_copy_that_nobody_checked_for_longer_than_the_policy_allows_is_overdue() -> None:
    strict = Policies("rules-1", "00", (Rule(series="*", check_days=30),))
    long_ago_s = NOW_S - 40 * 86_400
    index = whole_archive(2, committed_s=long_ago_s)
    index.note_check("csc", path_of(0), int((NOW_S - 86_400) * 1e6), None)
    overdue = [("overdue", path_of(1), "csc"), ("overdue", path_of(0), "fzj"), ("overdue", path_of(1), "fzj")]
    assert sorted(kinds(judged(index, policies=strict))) == sorted(overdue)
    index.run("UPDATE object SET recomputed_sha256 = sha256")
    assert judged(index, policies=strict) == [], "this very audit read them again"
    assert judged(whole_archive(2, committed_s=long_ago_s)) == [], "a year is allowed by default"


def test_without_a_second_centre_nothing_is_unreplicated() -> None:
    index = whole_archive(2)
    index.run("DELETE FROM replicated")
    done(index, "replicator", 2)
    assert judged(index, second=None) == []


def test_I1_a_close_that_the_processors_passed_without_a_trace_is_unarchived() -> None:
    index = whole_archive(1)
    closes: list[dict[str, Any]] = [
        {**CLOSE, "offset": 3, "batch": digest("lost"), "attempt": "a" * 32, "data_path": "SE-Htm/EC/lost.csv"},
        {**CLOSE, "offset": 9, "batch": digest("later"), "attempt": "b" * 32, "data_path": "SE-Htm/EC/later.csv"},
    ]
    index.put("close", closes)
    done(index, "processor", 5)
    assert kinds(judged(index)) == [("unarchived", "SE-Htm/EC/lost.csv", "csc")]


@pytest.mark.parametrize("resolved_by", ["letter", "superseded", "same batch"])
def test_I1_a_close_with_a_letter_or_a_later_attempt_is_accounted_for(resolved_by: str) -> None:
    index = whole_archive(1)
    batch = add_batch(index, 1) if resolved_by == "same batch" else digest("lost")
    index.put("close", [{**CLOSE, "offset": 3, "batch": batch, "attempt": "a" * 32, "data_path": "x"}])
    done(index, "processor", 5)
    if resolved_by == "superseded":
        index.put("superseded", [{"attempt": "a" * 32}])
    if resolved_by == "letter":
        index.put("letter", [_letter(attempt="a" * 32)])
    assert "unarchived" not in {finding.kind.value for finding in judged(index)}


def test_a_letter_is_named_until_a_committed_batch_has_its_id_or_attempt() -> None:
    index = whole_archive(1)
    index.put(
        "letter", [_letter("1", attempt="c" * 32), _letter("2", attempt="c" * 32), _letter("3", batch=digest("x"))]
    )
    assert [finding.kind.value for finding in judged(index)] == ["refused", "refused"], "one for each attempt"
    index.put("superseded", [{"attempt": "c" * 32}])
    assert len(judged(index)) == 1
    batch = add_batch(index, 1)
    index.run("UPDATE letter SET batch = :batch WHERE id = '3'", batch=batch)
    assert judged(index) == []


def _letter(identity: str = "1", *, attempt: str = "", batch: str = "") -> dict[str, Any]:
    facts = {"station": "SE-Htm", "reason": "hole", "detail": "block 3", "poison": 0}
    facts["appended_at_us"] = int(LONG_AGO_S * 1e6)
    return {"id": identity, "attempt": attempt, "batch": batch, **facts}


def test_I13_a_manifest_without_a_commit_event_is_unannounced_and_its_objects_are_not_extra() -> None:
    index = whole_archive(2)
    index.run("DELETE FROM committed WHERE number = 1")
    assert kinds(judged(index)) == [("unannounced", path_of(1) + ".manifest.json", "csc")]


def test_a_manifest_whose_close_a_processor_has_still_before_it_is_lag_however_old_it_is() -> None:
    index = whole_archive(2)
    index.run("DELETE FROM committed WHERE number = 1")
    index.put("close", [{**CLOSE, "offset": 9, "data_path": path_of(1)}])
    done(index, "processor", 9)
    assert judged(index) == [], "it died before it announced, and is not back yet"
    done(index, "processor", 10)
    assert kinds(judged(index)) == [("unannounced", path_of(1) + ".manifest.json", "csc")]


def test_a_data_object_of_a_known_close_is_uncommitted_and_of_an_unknown_one_extra() -> None:
    index = whole_archive(1)
    for name in ("known", "unknown", "young"):
        put_object(index, "csc", f"SE-Htm/EC/{name}.csv", modified_s=NOW_S if name == "young" else LONG_AGO_S)
    known = {**CLOSE, "offset": 9, "batch": digest("k"), "attempt": "d" * 32, "data_path": "SE-Htm/EC/known.csv"}
    index.put("close", [known])
    assert kinds(judged(index)) == [
        ("extra", "SE-Htm/EC/unknown.csv", "csc"),
        ("uncommitted", "SE-Htm/EC/known.csv", "csc"),
    ]


@pytest.mark.parametrize("status", ["stale", "intermediate"])
def test_a_bad_replica_is_stuck(status: str) -> None:
    index = whole_archive(1)
    index.run(
        "UPDATE object SET status = :status WHERE centre = 'fzj' AND path = :path", status=status, path=path_of(0)
    )
    assert kinds(judged(index)) == [("stuck", path_of(0), "fzj")]


def test_I10_what_was_staged_more_than_a_day_ago_is_debris() -> None:
    index = whole_archive(1)
    rows = [{"centre": "csc", "name": name, "modified_s": at} for name, at in (("old", NOW_S - 90_000), ("new", NOW_S))]
    index.put("staged", rows)
    assert kinds(judged(index)) == [("debris", "old", "csc")]


def test_I9_a_signature_that_does_not_hold_is_forged() -> None:
    index = whole_archive(2)
    index.run("UPDATE manifest SET forged = 'signed by nobody' WHERE number = 1")
    assert kinds(judged(index)) == [("forged", path_of(1) + ".manifest.json", "")]


def test_the_earliest_commit_event_of_a_batch_decides() -> None:
    index: Index = whole_archive(1)
    first = index.one("SELECT * FROM committed")
    assert first is not None
    index.put("committed", [{**dict(first), "sha256": digest("later")}], keep_first=True)
    assert judged(index) == []
