"""The schedule against its promises, in time that only the test moves."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from b2stream.contracts.messages import LogMessage
from b2stream.errors import AccessRefused, Retryable
from b2stream.work.schedule import LONGEST_PAUSE_S, LONGEST_STUCK_PAUSE_S, Schedule, Work

_EITHER: st.SearchStrategy[bool] = st.booleans()


def work(number: int, key: str | None = None, partition: int = 0) -> Work:
    message = LogMessage("commits", partition, number, b"", b"", [], number)
    return Work(message, key or f"batch-{number}", 1)


def of_partition(partition: int) -> Callable[[Work], bool]:
    return lambda each: each.message.partition == partition


def schedule(chance: float = 1.0) -> Schedule:
    return Schedule(lambda: chance)


def test_works_are_taken_in_order_and_those_of_one_key_after_each_other() -> None:
    plan = schedule()
    works = [work(0, "a"), work(1, "a"), work(2, "b")]
    for each in works:
        plan.add(each)
    assert plan.take(0.0) is works[0]
    assert plan.take(0.0) is works[2]
    assert plan.take(0.0) is None
    plan.finished(works[0])
    assert plan.take(0.0) is works[1]
    assert plan.running == 2


def test_pauses_grow_with_each_try_up_to_their_limit() -> None:
    plan = schedule()
    refused = work(0)
    plan.add(refused)
    now_s, pauses = 0.0, []
    for _ in range(14):
        assert plan.take(now_s) is refused
        pauses.append(plan.failed(refused, AccessRefused("x"), now_s))
        assert plan.take(now_s + pauses[-1] - 0.01) is None
        now_s += pauses[-1]
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_STUCK_PAUSE_S


@given(st.floats(0, 1), st.integers(1, 2000))
def test_jitter_keeps_a_pause_between_half_and_all_of_its_length(chance: float, tries: int) -> None:
    full, drawn = schedule(), schedule(chance)
    first, second = work(0), work(0)
    for plan, each in ((full, first), (drawn, second)):
        plan.add(each)
        assert plan.take(0.0) is each
        each.tries = tries
    longest = full.failed(first, Retryable("x"), 0.0)
    pause = drawn.failed(second, Retryable("x"), 0.0)
    assert longest / 2 <= pause <= longest <= LONGEST_PAUSE_S


def test_when_two_batches_find_nobody_one_at_a_time_goes_to_see_and_a_success_wakes_all() -> None:
    plan = schedule()
    works = [work(number) for number in range(5)]
    for each in works:
        plan.add(each)
    for _ in range(2):
        taken = plan.take(0.0)
        assert taken is not None
        plan.failed(taken, Retryable("nobody"), 0.0)
    assert plan.away
    assert plan.take(0.0) is None
    probe = plan.take(2.0)
    assert probe is not None
    assert plan.take(2.0) is None
    plan.finished(probe)
    assert plan.unreachable == set()
    assert {id(plan.take(2.0)) for _ in range(4)} == {id(each) for each in works if each is not probe}


def test_one_batch_that_always_finds_nobody_does_not_hold_the_others_up() -> None:
    plan = schedule()
    bad = work(0)
    plan.add(bad)
    for now_s in range(0, 600, 60):
        assert plan.take(float(now_s)) is bad
        plan.failed(bad, Retryable("always"), float(now_s))
        good = work(now_s + 1)
        plan.add(good)
        assert plan.take(float(now_s)) is good
        plan.again(good, float(now_s))  # not a success: that would wake the bad one
        assert plan.take(float(now_s)) is good
        plan.finished(good)
        if plan.take(float(now_s)) is bad:  # woken, because someone else got through
            plan.failed(bad, Retryable("always"), float(now_s))


def test_a_centre_that_refuses_everything_for_a_quarter_of_an_hour_is_an_outage_and_one_bad_batch_is_not() -> None:
    plan = schedule()
    first, second = work(0), work(1)
    for each in (first, second):
        plan.add(each)
        assert plan.take(0.0) is each
    plan.failed(first, AccessRefused("x"), 0.0)
    assert not plan.refuses_everything(10_000.0)
    plan.failed(second, AccessRefused("x"), 0.0)
    assert not plan.refuses_everything(899.0)
    assert plan.refuses_everything(900.0)
    third = work(2)
    plan.add(third)
    assert plan.take(0.0) is third
    plan.finished(third)
    assert not plan.refuses_everything(10_000.0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=30), st.data())
def test_every_work_is_finished_once_whatever_fails_and_only_dropped_partitions_are_forgotten(
    added: list[tuple[int, int]], data: st.DataObject
) -> None:
    plan = schedule()
    works = [work(number, f"{partition}-{key}", partition) for number, (key, partition) in enumerate(added)]
    for each in works:
        plan.add(each)
    finished: list[Work] = []
    running: list[Work] = []
    dropped: list[Work] = []
    now_s = 0.0
    drop_at = data.draw(st.integers(0, 40))
    for step in range(2000):
        if step == drop_at:
            dropped = plan.drop(lambda each: each.message.partition == 0)
        now_s += 700.0
        taken = plan.take(now_s)
        if taken is not None:
            assert taken.key not in {each.key for each in running}
            running.append(taken)
        if running and (taken is None or data.draw(_EITHER)):
            done = running.pop(0)
            outcome = data.draw(st.sampled_from(["finished", "finished", "retryable", "stuck"]))
            if outcome == "finished":
                plan.finished(done)
                finished.append(done)
            else:
                plan.failed(done, Retryable("x") if outcome == "retryable" else AccessRefused("x"), now_s)
        if not running and len(plan) == 0:
            break
    assert len(plan) == plan.running == 0
    assert sorted(id(each) for each in finished + dropped) == sorted(id(each) for each in works)
    assert all(each.message.partition == 0 for each in dropped)


@given(st.lists(st.tuples(st.sampled_from(["add", "take", "finish", "fail", "drop"]), st.integers(0, 2))))
def test_the_length_is_the_number_of_works_that_are_neither_finished_nor_running(steps: list[tuple[str, int]]) -> None:
    plan = schedule()
    idle: set[int] = set()
    running: list[Work] = []
    now_s = 0.0
    for number, (step, choice) in enumerate(steps):
        now_s += LONGEST_STUCK_PAUSE_S
        if step == "add":
            plan.add(work(number, f"key-{choice}", choice))
            idle.add(number)
        elif step == "drop":
            dropped = plan.drop(of_partition(choice))
            idle -= {each.message.offset for each in dropped}
        elif step == "take":
            taken = plan.take(now_s)
            if taken is not None:
                running.append(taken)
                idle.discard(taken.message.offset)
        elif running and step == "finish":
            plan.finished(running.pop())
        elif running:
            failed = running.pop()
            plan.failed(failed, AccessRefused("x"), now_s)
            idle.add(failed.message.offset)
        assert len(plan) == len(idle)
