"""Redis holds nothing that decides, and the Handle server's replies may be lost: neither slows a commit nor doubles a PID record."""

from collections.abc import Callable

import pytest

from tests.faults.chain import REGISTRAR
from tests.faults.links.linked import ANSWER_S, HEALED_S, LinkedChain
from tests.faults.proxy import BOTH, DOWN, UP, Fault
from tests.faults.scale import deadline_s
from tests.waiting import until

Say = Callable[[str], None]

pytestmark = pytest.mark.timeout(deadline_s(300))

all_faults = pytest.mark.usefixtures("all_faults")


@pytest.fixture
def redis(chain: LinkedChain) -> LinkedChain:
    if "redis" not in chain.links:
        chain.settled = True
        pytest.skip("no Redis on this machine")
    return chain


@pytest.fixture
def handle(chain: LinkedChain) -> LinkedChain:
    if not chain.registers:
        chain.settled = True
        pytest.skip("no Handle server on this machine")
    return chain


def test_I11_a_redis_that_swallows_everything_does_not_hold_up_a_commit(redis: LinkedChain, say: Say) -> None:
    redis.strike("redis", Fault("black_hole"), redis.next_files(10))
    until(redis.is_drained, redis.describe, HEALED_S)
    assert redis.links["redis"].fault.kind == "black_hole", "it is still there"
    say(redis.settle())


@all_faults
def test_I11_a_redis_that_is_hardly_there_changes_nothing(redis: LinkedChain, say: Say) -> None:
    for fault in (Fault("reset"), Fault("delay", seconds=1.0), Fault("cut", DOWN)):
        redis.strike("redis", fault, redis.next_files(2))
        until(redis.is_drained, redis.describe, HEALED_S)
    say(redis.settle())


@all_faults
@pytest.mark.parametrize("kind", ["reset", "black_hole"])
def test_I6_a_handle_server_that_is_away_is_lag_of_the_registrar_alone(
    handle: LinkedChain, say: Say, kind: str
) -> None:
    handle.links["handle"].break_off("reset")
    handle.strike("handle", Fault(kind))
    until(lambda: not handle.waiting(), handle.describe, HEALED_S)  # committed and replicated meanwhile
    handle.stay(ANSWER_S)
    assert handle.lag(REGISTRAR) > 0, "somebody registered them"
    say(handle.settle())


@all_faults
def test_I6_a_slow_handle_server_is_waited_for(handle: LinkedChain, say: Say) -> None:
    handle.strike("handle", Fault("delay", seconds=0.5))
    until(handle.is_drained, handle.describe, HEALED_S)
    say(handle.settle())


@all_faults
@pytest.mark.parametrize("kind", ["reset", "cut"])
def test_I6_a_lost_reply_of_the_handle_server_doubles_no_record(handle: LinkedChain, say: Say, kind: str) -> None:
    """Requests arrive whole, and the connection breaks at the first byte of the answer: TLS application data (record type 23)."""
    fault = Fault(kind, DOWN, 0, r"\x17\x03\x03", UP, times=3)
    handle.strike("handle", fault, hits=2)
    say(handle.settle())


@all_faults
def test_I6_a_byte_flipped_on_the_way_to_the_handle_server_breaks_the_connection_and_nothing_else(
    handle: LinkedChain, say: Say
) -> None:
    handle.strike("handle", Fault("flip", BOTH, 20, r"\x17\x03\x03", times=4))
    say(handle.settle())
