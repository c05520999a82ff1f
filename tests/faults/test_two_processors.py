"""Two processors in one group: one joins and one leaves in mid-load, one is killed, one freezes and comes back as a zombie.

The archive is the fence, not the rebalance: whatever the one that lost its partitions still does finds its batches in place.
"""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.ports import somebody_listens
from b2stream.sandbox.sandbox_zone import SandboxZone
from tests.faults import load, moments
from tests.faults.chain import PROCESSOR, Chain, beside
from tests.faults.judging import Judge, assert_same_end
from tests.faults.lasting import over
from tests.faults.load import StationFile
from tests.faults.scale import deadline_s, scaled_s
from tests.waiting import PATIENCE_S, NotInTime, until

SECOND = "processor-second"
ROUNDS = 10
PACE_S = 0.1
FROZEN_S = scaled_s(60.0, at_least_s=11.0)  # longer than a session


@pytest.mark.timeout(deadline_s(400))
@pytest.mark.usefixtures("all_faults")
def test_I1_processors_that_join_leave_die_and_freeze_in_mid_load_change_nothing(
    servers: Deployment, evidence: Path, name: str, seed: int, say: Callable[[str], None], note: Callable[..., None]
) -> None:
    told: list[str] = []
    with ThreadPoolExecutor(1) as pool, Chain(beside(servers, evidence / "two", f"{name}-two")) as chain:
        still = pool.submit(moments.undisturbed, servers, evidence / "undisturbed", f"{name}-still", ROUNDS, seed)
        chain.start()
        judge = Judge(chain)
        rounds = iter([load.round_of_files(seed, number) for number in range(ROUNDS)])
        for act in (partial(_one_joins, zone=_first(servers)), _one_leaves, _one_is_killed, _one_is_a_zombie):
            did = act(chain, rounds)
            recovered_s = chain.wait_until_drained()
            told.append(f"{did}; all in place after {recovered_s:.1f} s, {judge.judge().objects} objects judged")
            note(act)
        assert next(rounds, None) is None, "not all rounds were given"
        assert_same_end(judge.judge().archive, still.result()[-1])
    say("\n".join(told))


def _one_joins(chain: Chain, rounds: Iterator[list[StationFile]], zone: SandboxZone) -> str:
    """The second processor starts while commits of the first one hang at the centre, and takes partitions over."""
    files = [file for _ in range(3) for file in next(rounds)]
    rename = {"call": "DATA_OBJ_RENAME", "action": "hang", "path": f"/{chain.deployment.community}/"}
    zone.control({"do": "add", "fault": rename})
    try:
        chain.give(files[: len(files) // 3])
        until(lambda: _in_flight(chain) > 0, chain.describe)
        chain.launch(SECOND)
        until(lambda: somebody_listens(chain.port_of(SECOND)), chain.describe)  # in a moment it joins the group
        has_joined = lambda: chain.passed(SECOND, "append") > 0  # noqa: E731
        _feed(chain, files[len(files) // 3 :], has_joined)
        until(has_joined, chain.describe)
        in_flight, in_place = _in_flight(chain), chain.passed(PROCESSOR, "data object placed")
    finally:
        zone.control({"do": "clear"})
    assert in_flight > 0 == in_place, "no commit was under way when the second processor came"
    return f"a second processor joined with {in_flight} commits of the first under way"


def _in_flight(chain: Chain) -> int:
    """Batches of the first processor that are on their way into place and not there."""
    return chain.passed(PROCESSOR, "place data object") - chain.passed(PROCESSOR, "data object placed")


def _first(servers: Deployment) -> SandboxZone:
    zone = servers.servers["first"]
    assert isinstance(zone, SandboxZone)
    return zone


def _one_leaves(chain: Chain, rounds: Iterator[list[StationFile]]) -> str:
    """The first processor is asked to stop (SIGTERM) with commits under way; the second takes over."""
    lag = _in_mid_commit(chain, PROCESSOR, rounds, lambda: chain.deployment.programs[PROCESSOR].send(signal.SIGTERM))
    assert chain.deployment.programs[PROCESSOR].wait(PATIENCE_S), chain.describe()
    assert chain.deployment.programs[PROCESSOR].exit_code == 0
    return f"one left in order with {lag} messages unacknowledged"


def _one_is_killed(chain: Chain, rounds: Iterator[list[StationFile]]) -> str:
    """A processor joins again, then the other one is killed with commits under way."""
    chain.launch(PROCESSOR)
    chain.wait_until_ready(PROCESSOR)
    lag = _in_mid_commit(chain, SECOND, rounds, chain.deployment.programs[SECOND].kill)
    return f"one was killed with {lag} messages unacknowledged"


def _one_is_a_zombie(chain: Chain, rounds: Iterator[list[StationFile]]) -> str:
    """One is frozen with commits under way until the other has taken over and finished; thawed, it goes on where it was."""
    chain.launch(SECOND)
    chain.wait_until_ready(SECOND)
    zombie = chain.deployment.programs[SECOND]
    lag = _in_mid_commit(chain, SECOND, rounds, zombie.freeze)
    frozen_at, frozen_at_s = _steps(chain, SECOND), time.monotonic()
    try:
        chain.wait_until_drained()
        over(frozen_at_s, FROZEN_S)
    finally:
        zombie.thaw()
    until(lambda: _steps(chain, SECOND) > frozen_at, "the zombie does something late")
    appended = chain.passed(SECOND, "append")
    _feed(chain, next(rounds), lambda: False)
    until(lambda: chain.passed(SECOND, "append") > appended, lambda: f"it never came back: {chain.describe()}")
    assert zombie.running
    return (
        f"one was frozen for {FROZEN_S:.0f} s and more with {lag} messages unacknowledged until the other had done them,"
        " and works again since"
    )


def _in_mid_commit(chain: Chain, label: str, rounds: Iterator[list[StationFile]], act: Callable[[], object]) -> int:
    """Give two rounds and act as soon as this process has staged something that is not in place; the lag then."""
    staged, placed = chain.passed(label, "stage"), chain.passed(label, "place manifest")
    chain.give([*next(rounds), *next(rounds)])

    def lag_in_mid_commit() -> int:
        staging = chain.passed(label, "stage") - staged > 2 * (chain.passed(label, "place manifest") - placed)
        return chain.lag(label) if staging else 0

    # Asked before the act: whoever is asked to stop may finish what it holds, and then nothing lags any more.
    lag = until(lag_in_mid_commit, lambda: f"{label} commits nothing: {chain.describe()}")
    act()
    return lag


def _steps(chain: Chain, label: str) -> int:
    return sum(
        chain.passed(label, step) for step in ("stage", "verify", "place data object", "place manifest", "announce")
    )


def _feed(chain: Chain, files: list[StationFile], happened: Callable[[], bool]) -> None:
    """Give the files one after the other; once it has happened, the rest at once."""
    left = iter(files)
    for file in left:
        chain.give([file])
        try:
            until(happened, timeout_s=PACE_S)
        except NotInTime:
            continue
        break
    chain.give(list(left))
