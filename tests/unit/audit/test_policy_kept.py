"""The archive against its policies: a copy too few, a copy too many, a check too late."""

from dataclasses import replace
from typing import Any

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.policies import Policies, Rule
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.repair.planning import plan_repair
from b2stream.programs.audit.verify.checks import Check, Outcome
from b2stream.programs.audit.verify.subjects import Subject
from b2stream.programs.audit.verify.verifying import Verifier
from tests.unit.audit.facts import (
    CENTRES,
    LONG_AGO_S,
    NOW_S,
    add_batch,
    done,
    judged,
    kinds,
    path_of,
    put_object,
    whole_archive,
)
from tests.unit.batches.test_history import COMMIT

ONE_COPY = Policies("rules-2", "00", (Rule(series="SE-Htm/*", copies=1), Rule(series="*")))
TWO_COPIES = Policies("rules-1", "00", (Rule(series="*"),))
UNDER_ONE: dict[str, Any] = {"copies": 1, "policy": ONE_COPY.label}
UNDER_TWO: dict[str, Any] = {"copies": 2, "policy": TWO_COPIES.label}
MANIFEST = path_of(0) + ".manifest.json"


def without_copies(index: Index) -> Index:
    """The first centre alone has anything, and nothing else was told."""
    index.run("DELETE FROM object WHERE centre = 'fzj'")
    index.run("DELETE FROM replicated")
    return index


def test_a_series_of_which_the_policy_wants_one_copy_is_never_unreplicated() -> None:
    index = without_copies(whole_archive(2, **UNDER_ONE))
    done(index, "replicator", 2)
    assert judged(index, policies=ONE_COPY) == []
    assert len(judged(index, policies=TWO_COPIES)) == 2, "as soon as the policy wants two"


def test_a_copy_that_the_policy_forbids_is_unwanted_and_named_with_path_centre_and_policy() -> None:
    index = whole_archive(2, **UNDER_ONE)
    index.run("DELETE FROM object WHERE centre = 'fzj' AND path LIKE :path", path=path_of(1) + "%")
    findings = judged(index, policies=ONE_COPY)
    assert kinds(findings) == [("unwanted", path_of(0), "fzj"), ("unwanted", MANIFEST, "fzj")]
    assert all(ONE_COPY.label in finding.detail for finding in findings)
    assert judged(index, policies=ONE_COPY, second=None) == []


def test_an_unwanted_copy_that_nobody_told_of_is_unwanted_as_well() -> None:
    index = without_copies(whole_archive(1, **UNDER_ONE))
    put_object(index, "fzj", path_of(0), modified_s=LONG_AGO_S + 5)
    assert ("unwanted", path_of(0), "fzj") in kinds(judged(index, policies=ONE_COPY))


@pytest.mark.parametrize(
    ("event", "now"),
    [(UNDER_TWO, ONE_COPY), (UNDER_ONE, TWO_COPIES), (UNDER_TWO, TWO_COPIES), ({}, ONE_COPY)],
    ids=["an older policy wanted it", "today's wants it", "both want it", "the event does not say"],
)
def test_a_copy_that_some_policy_wanted_is_no_finding(event: dict[str, Any], now: Policies) -> None:
    assert judged(whole_archive(2, **event), policies=now) == []


def test_a_copy_that_is_older_than_its_commit_event_was_made_before_the_log_was_lost() -> None:
    index = Index()
    add_batch(index, 0, appended_at_us=int((NOW_S - 2_000) * 1e6), **UNDER_ONE)
    assert judged(index, policies=ONE_COPY) == [], "the event was made again, with the policies of today"


def test_a_copy_of_a_moment_ago_may_be_on_its_way_out() -> None:
    index = whole_archive(1, committed_s=NOW_S - 60, **UNDER_ONE)
    assert judged(index, policies=ONE_COPY) == []
    assert len(judged(index, policies=ONE_COPY, grace_s=30.0)) == 2


def test_repair_removes_nothing_because_of_a_policy() -> None:
    index = whole_archive(1, **UNDER_ONE)
    plan = plan_repair(index, judged(index, policies=ONE_COPY), list(CENTRES))
    assert plan.acts == []
    assert [finding.path for finding, _ in plan.left] == [path_of(0), MANIFEST]
    assert all("a person decides" in reason for _, reason in plan.left)


def test_an_unwanted_copy_that_somebody_took_away_is_not_missing() -> None:
    index = whole_archive(2, **UNDER_ONE)
    index.run("DELETE FROM object WHERE centre = 'fzj'")
    assert judged(index, policies=ONE_COPY) == [], "although replica events name it"
    assert len(judged(index, policies=TWO_COPIES)) == 4
    index.run("DELETE FROM object WHERE path = :path", path=path_of(0))
    assert kinds(judged(index, policies=ONE_COPY)) == [("missing", path_of(0), "csc")]


def at_second(store: MemoryStore, copies: int | None) -> list[Check]:
    """What verify says of a centre that is not the first."""
    return list(Verifier([store], second="fzj").verify(Subject(COMMIT.path, replace(COMMIT, copies=copies))))[:-1]


def test_verify_does_not_ask_for_a_second_copy_that_the_policy_did_not_want() -> None:
    (only,) = at_second(MemoryStore("fzj"), 1)
    assert (only.where, only.outcome) == ("fzj", Outcome.LEFT_OUT)
    for copies in (2, None):
        assert Outcome.BAD in {check.outcome for check in at_second(MemoryStore("fzj"), copies)}
    assert Outcome.BAD in {check.outcome for check in at_second(MemoryStore("csc"), 1)}, "where it was committed"


def test_verify_judges_an_unwanted_copy_as_any_other() -> None:
    store = MemoryStore("fzj")
    store.put(COMMIT.path, b"other bytes")
    assert Outcome.BAD in {check.outcome for check in at_second(store, 1)}
