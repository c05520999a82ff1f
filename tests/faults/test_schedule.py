"""A seed is a schedule: the same acts each time, other acts for another seed, nothing twice in trouble, all over at the end."""

import pytest

from tests.faults import scale, schedule
from tests.faults.schedule import LINK_FAULTS, RESTARTS, Act, Targets

TARGETS = Targets(("processor", "replicator", "gateway-TOW"), ("kafka", "first", "second", "redis"), ("kafka", "first"))


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
        ("link", "link first", "delay"),
        ("link", "link first", "reset"),
        ("freeze", "kafka", ""),
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


def test_every_kind_of_trouble_and_every_part_comes_in_an_hour() -> None:
    acts = schedule.draw(3, 3600, TARGETS)
    assert {act.kind for act in acts} == {schedule.KILL, schedule.FREEZE, schedule.STOP, schedule.LINK}
    assert {act.fault for act in acts if act.kind == schedule.LINK} == set(LINK_FAULTS)
    links = {f"link {name}" for name in TARGETS.links}
    assert {act.target for act in acts} == {*TARGETS.programs, *TARGETS.servers, *links}


def test_without_proxies_no_link_is_touched() -> None:
    acts: list[Act] = schedule.draw(3, 600, Targets(TARGETS.programs, TARGETS.servers))
    assert {act.kind for act in acts} == {schedule.KILL, schedule.FREEZE, schedule.STOP}
