"""A seed is a schedule: the same acts each time, other acts for another seed, nothing twice in trouble, all over at the end."""

import pytest

from tests.faults import scale, schedule, soak
from tests.faults.schedule import LINK_FAULTS, RESTARTS, Act, Targets

TARGETS = Targets(("processor", "replicator", "gateway-TOW"), ("kafka", "first", "second", "redis"), ("kafka", "first"))
SOAK = Targets(
    (*soak.MEMBERS, "gateway-XX-For", "gateway-XX-Mea", "gateway-TOW"),
    ("kafka", "redis", *soak.ANSWERING),
    ("first", "handle", "kafka", "redis", "second", "source"),
    soak.ZONES,
)
"""Whom a soak torments."""


@pytest.fixture(autouse=True)
def scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lengths are scaled, whatever is asked for outside."""
    monkeypatch.delenv(scale.FULL_VARIABLE, raising=False)


def test_the_same_seed_draws_the_same_schedule_and_another_seed_another() -> None:
    assert schedule.draw(7, 600, TARGETS) == schedule.draw(7, 600, TARGETS)
    assert schedule.draw(7, 600, TARGETS) != schedule.draw(8, 600, TARGETS)


def test_a_schedule_is_the_same_in_every_process() -> None:
    """Whoever has a seed from a report gets what was reported; written down once."""
    first = schedule.draw(1, 120, TARGETS)[:3]
    assert [(act.kind, act.target, act.fault) for act in first] == [
        ("link", "link first", "lost replies"),
        ("stop", "processor", ""),
        ("freeze", "redis", ""),
    ]


@pytest.mark.parametrize("seed", range(30))
def test_each_act_ends_in_time_and_nobody_is_in_two_troubles_at_once(seed: int) -> None:
    acts = schedule.draw(seed, 300, TARGETS)
    assert len(acts) > 20
    assert [act.at_s for act in acts] == sorted(act.at_s for act in acts)
    assert all(0 <= act.at_s < act.ends_s < 300 for act in acts)
    for act in acts:
        running = [one for one in acts if one.at_s <= act.at_s < one.ends_s]
        assert len(running) <= schedule.AT_ONCE
        assert len({one.target for one in running}) == len(running)


@pytest.mark.parametrize("seed", range(30))
def test_programs_are_ended_only_at_first_so_that_their_memory_can_be_measured(seed: int) -> None:
    acts = schedule.draw(seed, 600, TARGETS)
    late = [act for act in acts if act.at_s > 600 * schedule.RESTART_PART]
    assert not [act for act in late if act.kind in RESTARTS and act.target in TARGETS.programs]
    assert [act for act in late if act.kind in RESTARTS], "servers are ended all the time"


@pytest.mark.parametrize("seed", range(30))
def test_servers_of_ours_are_ended_only_at_first_too(seed: int) -> None:
    ended = [act for act in schedule.draw(seed, 1800, SOAK) if act.kind in RESTARTS]
    zones = [act.at_s for act in ended if act.target in SOAK.measured]
    assert zones
    assert max(zones) <= 1800 * schedule.RESTART_PART
    assert [act for act in ended if act.target == "kafka" and act.at_s > 1800 * schedule.RESTART_PART]


@pytest.mark.parametrize("seed", range(200))
def test_I11_in_ten_minutes_faults_outlast_sessions_and_timeouts_and_most_are_short(seed: int) -> None:
    acts = schedule.draw(seed, 600, SOAK)
    assert soak.too_short(acts, 600) == []
    silent = [act for act in acts if act.kind in (schedule.FREEZE, schedule.LINK)]
    long = [act for act in silent if act.length_s >= 12]
    assert 0.1 < len(long) / len(silent) < 0.5
    assert {act.length_s >= 12 for act in acts if act.kind == schedule.LINK} == {True, False}
    assert all(act.length_s <= 16 for act in silent)


@pytest.mark.parametrize(
    ("act", "session", "timeout"),
    [
        (Act(0, "freeze", "replicator", 12), True, False),
        (Act(0, "freeze", "replicator", 9), False, False),
        (Act(0, "freeze", "gateway-TOW", 12), False, False),
        (Act(0, "freeze", "kafka", 12), True, False),
        (Act(0, "freeze", "handle", 5), False, True),
        (Act(0, "freeze", "first", 3), False, False),
        (Act(0, "kill", "first", 12), False, False),
        (Act(0, "link", "link kafka", 12, "hold"), True, False),
        (Act(0, "link", "link kafka", 12, "delay"), False, False),
        (Act(0, "link", "link source", 5, "lost replies"), False, True),
        (Act(0, "link", "link second", 5, "throttle"), False, False),
        (Act(0, "link", "link redis", 12, "black hole"), False, False),
    ],
)
def test_who_is_silent_for_longer_than_somebody_waits_is_counted(act: Act, session: bool, timeout: bool) -> None:
    assert bool(schedule.outlasting_a_session([act], soak.MEMBERS)) is session
    assert bool(schedule.outlasting_a_timeout([act], soak.ANSWERING, 4.0)) is timeout


def test_a_load_of_ten_minutes_in_which_nothing_ran_out_says_so() -> None:
    acts = [Act(0, "freeze", "kafka", 12), Act(0, "kill", "first", 12)]
    assert soak.too_short(acts, 600) == ["no fault outlasted a timeout"]
    assert soak.too_short([], 600) == ["no fault outlasted a consumer's session", "no fault outlasted a timeout"]
    assert soak.too_short([], 599) == []


def test_every_kind_of_trouble_and_every_part_comes_in_an_hour() -> None:
    acts = schedule.draw(3, 3600, TARGETS)
    assert {act.kind for act in acts} == {schedule.KILL, schedule.FREEZE, schedule.STOP, schedule.LINK}
    assert {act.fault for act in acts if act.kind == schedule.LINK} == set(LINK_FAULTS)
    links = {f"link {name}" for name in TARGETS.links}
    assert {act.target for act in acts} == {*TARGETS.programs, *TARGETS.servers, *links}


def test_without_proxies_no_link_is_touched() -> None:
    acts: list[Act] = schedule.draw(3, 600, Targets(TARGETS.programs, TARGETS.servers))
    assert {act.kind for act in acts} == {schedule.KILL, schedule.FREEZE, schedule.STOP}
