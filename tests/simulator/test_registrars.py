"""I6 after any order of events, whatever fails between registrars, Handle server and centres; and the judge complains of planted bugs."""

from collections import Counter
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import pytest

from b2stream.errors import LostReply
from b2stream.handles import registering
from b2stream.handles.registering import Registered
from b2stream.handles.service import HandleRecord, HandleService
from tests.simulator.centres import ANY_CALL
from tests.simulator.registrars import registered

SEEDS = 150
JOB, HANDLES = "b2stream.programs.registrar.registering", "b2stream.handles.registering"
_create = registering.create


def test_I6_holds_whatever_order_events_come_in_and_whatever_fails() -> None:
    hit, events = Counter[str](), 0
    for seed in range(SEEDS):
        outcome = registered(seed)
        assert not outcome.violations, "\n".join([f"seed {seed}", *outcome.trace, *outcome.violations])
        hit += outcome.hit
        events += outcome.events
    assert set(hit) == {*ANY_CALL, "kill"}
    assert events > SEEDS


def test_a_seed_replays_what_registrars_do() -> None:
    for seed in range(10):
        assert registered(seed) == registered(seed)


def _commit_events_rewrite(service: HandleService, record: HandleRecord) -> tuple[Registered, HandleRecord]:
    service.rewrite(record)
    return Registered.CREATED, record


def _lost_replies_are_believed(service: HandleService, record: HandleRecord) -> tuple[Registered, HandleRecord]:
    try:
        service.create(record)
    except LostReply:
        return Registered.CREATED, record
    return _create(service, record)


PLANTS: dict[str, tuple[tuple[str, ...], Any]] = {
    "commit events rewrite what is there": ((f"{JOB}.create",), _commit_events_rewrite),
    "a lost reply is taken for a record": ((f"{JOB}.create", f"{HANDLES}.create"), _lost_replies_are_believed),
    "replica events only create": ((f"{JOB}.create_or_rewrite",), _create),
}
"""By name: which functions of the product are another one, and which."""


@pytest.mark.parametrize("name", PLANTS)
def test_I6_the_judge_complains_of_a_planted_bug(name: str) -> None:
    functions, planted = PLANTS[name]
    with ExitStack() as stack:
        for function in functions:
            stack.enter_context(patch(function, planted))
        found = next((seed for seed in range(SEEDS) if any("I6" in each for each in registered(seed).violations)), None)
    assert found is not None, f"nobody noticed in {SEEDS} schedules: {name}"
    assert not registered(found).violations, "the same without the plant"
