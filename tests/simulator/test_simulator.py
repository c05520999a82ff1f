"""Any schedule of messages, faults, kills, freezes and rebalances: after it is healed and drained I1 to I9 and I12 hold.

`SIMULATE_SECONDS=600 pytest tests/simulator` runs for longer, `SIMULATE_SEED` begins with another seed.
"""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.simulator import centres, kafka
from tests.simulator.exploring import Summary, described, shortened
from tests.simulator.schedule import ACTS, Act, Attempt, Fault, LostOffsets, Schedule, from_seed, schedules
from tests.simulator.simulation import RESTART_S, run

KINDS = {
    *(f"first: {kind}" for kind in centres.KINDS),
    *(f"second: {kind}" for kind in centres.OF_SECOND),
    *(f"log: {kind}" for kind in kafka.PUBLISHING),
    *(f"offsets: {kind}" for kind in kafka.COMMITTING),
    *ACTS,
    "spool: full",
    "stray abandonment",
    "key published late",
    "offsets of the processors lost",
    "offsets of the replicator lost",
}
"""All that can go wrong in a schedule, but for the loss of Kafka, which comes when all is drained."""


def test_I1_to_I9_hold_after_any_schedule(explored: Summary) -> None:
    for seed, schedule, outcome in explored.found:
        short = shortened(schedule)
        pytest.fail(f"{described(seed, schedule, outcome)}\nshortened:\n{described(None, short, run(short))}")


def test_every_kind_of_fault_struck_with_work_in_flight(explored: Summary) -> None:
    assert set(explored.hit) == KINDS | {"amnesia"}
    assert {kind for kind in KINDS if not explored.in_flight[kind]} == set()


@given(schedules())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_I1_to_I9_hold_after_any_schedule_that_hypothesis_can_think_of(schedule: Schedule) -> None:
    outcome = run(schedule)
    assert not outcome.violations, described(None, schedule, outcome)


@pytest.mark.parametrize("seed", range(20))
def test_a_seed_replays_its_schedule(seed: int) -> None:
    first, second = (run(from_seed(seed), tracing=True) for _ in range(2))
    assert first.trace == second.trace
    assert first.trace


FOUND = {
    "test_I11_a_rebalance_during_a_flood_of_letters_stops_nobody": Schedule(
        attempts=(
            Attempt(batch=2, at_s=2.67, gap_s=0.01, order=(0,), conflict=True),
            Attempt(batch=2, at_s=2.86, order=(0,)),
        ),
        offsets=(LostOffsets(at_s=3.63, part=0.5),),
        letters_per_minute=3,
    ),
    "test_I11_a_move_that_was_not_made_and_a_kill_leave_no_manifest_alone_for_ever": Schedule(
        attempts=(Attempt(batch=7, at_s=0.31, order=()),),
        faults=(Fault("first", 1, "moved nothing"),),
        acts=(Act(0, 23, "kill"),),
    ),
    "test_I11_a_move_that_was_not_made_at_the_second_centre_and_a_kill": Schedule(
        attempts=(Attempt(batch=7),), faults=(Fault("second", 1, "moved nothing"),), acts=(Act(9, 23, "kill"),)
    ),
    "test_I7_bytes_lost_twice_on_the_way_are_no_dead_letter_of_a_sound_batch": Schedule(
        attempts=(
            Attempt(batch=9, at_s=4.37, gap_s=0.3, order=()),
            Attempt(batch=0, at_s=2.33, gap_s=0.01, order=(0, 1)),
        ),
        faults=(Fault("first", 16, "read short"), Fault("first", 4, "read short")),
    ),
}
"""Schedules that were bad once, by the name of what was wrong."""


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_stays_mended(name: str) -> None:
    outcome = run(FOUND[name], tracing=True)
    assert not outcome.violations, "\n".join([*outcome.trace, *outcome.violations])


# The machinery itself ----------------------------------------------------------------------------------------------------


def test_a_kill_ends_everything_that_a_process_does() -> None:
    killed = 0
    for step in range(1, 40):
        schedule = Schedule((Attempt(batch=0), Attempt(batch=1)), acts=(Act(0, step, "kill"),))
        outcome = run(schedule, tracing=True)
        assert not outcome.violations, described(None, schedule, outcome)
        lines = [line.split(maxsplit=2) for line in outcome.trace]
        died_s = next((float(when_s) for when_s, *what in lines if what == ["kill"]), None)
        if died_s is not None:
            killed += 1
            dead = [what for when_s, *what in lines if died_s < float(when_s) < died_s + RESTART_S]
            assert not [what for what in dead if what[0] == "0:"], "\n".join(outcome.trace)
    assert killed > 30


@pytest.mark.parametrize("kind", centres.KINDS)
def test_a_fault_strikes_the_call_it_is_meant_for(kind: str) -> None:
    acts = (Act(0, 27, "kill"),)  # before the announcement: the manifest is read by the next one
    outcome = run(Schedule((Attempt(batch=0),), faults=(Fault("first", 2, kind),), acts=acts), tracing=True)
    assert outcome.hit[f"first: {kind}"] == 1
    assert not outcome.violations


def test_a_bad_schedule_is_made_as_short_as_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    long = from_seed(4)
    needed = long.attempts[0]
    monkeypatch.setattr(
        "tests.simulator.exploring._is_bad", lambda schedule: needed in schedule.attempts and bool(schedule.attempts)
    )
    short = shortened(long)
    assert short == Schedule((needed,))
