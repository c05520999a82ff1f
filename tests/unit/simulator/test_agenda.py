"""The simulator's agenda: threads take turns as the agenda says, and whatever fails in one of them is raised."""

import pytest

from tests.simulator.agenda import Agenda, Hand


def test_two_threads_that_wait_in_turn_go_on_when_their_time_has_come() -> None:
    agenda, said = Agenda(), []

    def begin(name: str, pauses_s: list[float]) -> None:
        def job() -> None:
            for pause_s in pauses_s:
                said.append((name, agenda.now_s))
                agenda.after(pause_s, lambda: agenda.call(hand))
                agenda.go_through(hand)
                assert agenda.working is hand
            said.append((name, agenda.now_s))

        hand = Hand.take(agenda, job)
        agenda.call(hand)

    agenda.at(0.0, lambda: begin("long", [3.0, 3.0]))
    agenda.at(1.0, lambda: begin("short", [1.0, 3.0]))
    assert not agenda.run_until(lambda: False, 100.0)
    assert said == [("long", 0), ("short", 1), ("short", 2), ("long", 3), ("short", 5), ("long", 6)]
    assert agenda.working is None


def test_what_fails_while_a_thread_waits_is_raised_by_the_run() -> None:
    agenda = Agenda()

    def fail() -> None:
        raise AssertionError("planted")

    def begin() -> None:
        hand = Hand.take(agenda, lambda: agenda.go_through(hand))
        agenda.call(hand)

    agenda.at(0.0, begin)
    agenda.at(1.0, fail)
    with pytest.raises(AssertionError, match="planted"):
        agenda.run_until(lambda: False, 100.0)


def test_a_run_ends_at_its_deadline_and_as_soon_as_it_is_so() -> None:
    agenda, done = Agenda(), []
    for at_s in range(40):
        agenda.at(float(at_s), lambda at_s=at_s: done.append(at_s))  # type: ignore[misc]
    assert not agenda.run_until(lambda: False, 9.5)
    assert done == list(range(10))
    assert agenda.run_until(lambda: len(done) >= 20, 100.0)
    assert 20 <= len(done) < 40
