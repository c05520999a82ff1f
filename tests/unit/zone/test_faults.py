"""Which calls a fault takes, and when it ends."""

import threading

import pytest

from b2stream.sandbox.zone.faults import Fault, Faults


def test_without_faults_nothing_happens() -> None:
    assert Faults().consult("DATA_OBJ_OPEN", b"") is None


def test_a_fault_takes_its_call_only() -> None:
    faults = Faults()
    fault = Fault("DATA_OBJ_OPEN", "cut")
    faults.add(fault)
    assert faults.consult("DATA_OBJ_CLOSE", b"") is None
    assert faults.consult("DATA_OBJ_OPEN", b"") is fault


def test_after_and_times_count_matching_calls() -> None:
    faults = Faults()
    faults.add(Fault("*", "cut", path="/x", after=2, times=2))
    taken = [faults.consult("ANY", b"...<objPath>/x</objPath>") is not None for _ in range(6)]
    assert taken == [False, False, True, True, False, False]
    assert faults.consult("ANY", b"/y") is None
    assert faults.list()[0]["hits"] == 2


def test_a_spent_fault_lets_the_next_one_take_effect() -> None:
    faults = Faults()
    faults.add(Fault("*", "cut", times=1))
    second = Fault("*", "error", code=-1)
    faults.add(second)
    faults.consult("ANY", b"")
    assert faults.consult("ANY", b"") is second


def test_clear_lets_a_call_that_hangs_go_on() -> None:
    faults = Faults()
    fault = Fault("*", "hang")
    faults.add(fault)
    waiting = threading.Thread(target=faults.wait, args=(fault,))
    waiting.start()
    assert waiting.is_alive()
    faults.clear()
    waiting.join(60)
    assert not waiting.is_alive()


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(ValueError, match="action is one of"):
        Fault("*", "explode")
