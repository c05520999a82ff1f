"""Three brokers under load: leader, coordinator and controller die, one freezes, two are away. Nothing acknowledged is lost."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.server import Server
from tests.faults import cluster, load, moments
from tests.faults.chain import NO_HANDLE, PROCESSOR, Chain, gateway_of
from tests.faults.cluster import Acknowledged
from tests.faults.judging import Judge, assert_same_end
from tests.faults.lasting import in_mid, over
from tests.faults.load import StationFile
from tests.faults.scale import deadline_s, scaled_s

HEALED_S = deadline_s(120.0)
AWAY_S = scaled_s(90.0)
Rounds = Iterator[list[StationFile]]


@pytest.mark.timeout(deadline_s(900))
@pytest.mark.usefixtures("all_faults")
def test_I1_brokers_of_a_cluster_that_die_and_freeze_lose_nothing_that_was_acknowledged(
    servers: Deployment, evidence: Path, name: str, seed: int, say: Callable[[str], None], note: Callable[..., None]
) -> None:
    own = Deployment(evidence / "chain", NO_HANDLE, community="cluster", brokers=cluster.BROKERS)
    told = []
    with ThreadPoolExecutor(1) as pool, Chain(own) as chain:
        still = pool.submit(moments.undisturbed, servers, evidence / "undisturbed", name, sum(ROUNDS_OF.values()), seed)
        chain.start()
        judge = Judge(chain)
        rounds = iter([load.round_of_files(seed, number) for number in range(sum(ROUNDS_OF.values()))])
        begun, done = dict(own.programs), 0
        with Acknowledged(own.addresses["kafka"]) as acknowledged:
            for act, count in ROUNDS_OF.items():
                began = time.monotonic()
                did = act(chain, rounds)
                done += count
                judgement = judge.judge()
                assert own.programs == begun, "restarted by hand"
                assert all(process.running for process in own.programs.values()), chain.describe()
                assert_same_end(judgement.archive, still.result()[done - 1])
                told.append(f"{did}; {judgement.objects} objects judged, {time.monotonic() - began:.1f} s in all")
                say(told[-1])
                note(act)
        count, doubled = acknowledged.check()
        told.append(f"{count} other messages were acknowledged meanwhile, and each is where it was; {doubled} twice")
    say("\n".join(told))


def _leader_is_killed_while_a_gateway_publishes(chain: Chain, rounds: Rounds) -> str:
    """The others have what it acknowledged, and one of them leads; what it did not acknowledge is sent again, once."""
    station = chain.stations[0]
    lost = cluster.broker(chain.deployment, cluster.leader_of(chain, station))
    _in_mid(chain, gateway_of(station), "publish block", next(rounds), lost.kill)
    return f"{lost.name} led what {station} was publishing and was killed; {_drained_without(chain, [lost])}"


def _leader_is_killed_while_the_processor_reads(chain: Chain, rounds: Rounds) -> str:
    lost = cluster.broker(chain.deployment, cluster.leader_of(chain, chain.stations[1]))
    _in_mid(chain, PROCESSOR, "append", next(rounds), lost.kill)
    return f"{lost.name} led what the processor was reading and was killed; {_drained_without(chain, [lost])}"


def _coordinator_is_killed_while_offsets_are_committed(chain: Chain, rounds: Rounds) -> str:
    lost = cluster.broker(chain.deployment, cluster.coordinator_of(chain, PROCESSOR))
    _in_mid(chain, PROCESSOR, "acknowledge", next(rounds), lost.kill)
    return f"{lost.name} kept the processor's offsets and was killed; {_drained_without(chain, [lost])}"


def _controller_is_killed(chain: Chain, rounds: Rounds) -> str:
    lost = cluster.broker(chain.deployment, cluster.controller_of(chain.deployment))
    _in_mid(chain, PROCESSOR, "stage", next(rounds), lost.kill)
    return f"{lost.name} was the controller and was killed; {_drained_without(chain, [lost])}"


def _leader_freezes(chain: Chain, rounds: Rounds) -> str:
    """Its connections stay open. The others go on without it; thawed it believes for a moment that it leads, and nobody believes it."""
    frozen = cluster.broker(chain.deployment, cluster.leader_of(chain, chain.stations[2]))
    _in_mid(chain, PROCESSOR, "append", next(rounds), frozen.freeze)
    began = time.monotonic()
    try:
        drained_s = chain.wait_until_drained(HEALED_S)
        over(began, AWAY_S)
    finally:
        frozen.thaw()
    chain.give(next(rounds))
    thawed_s = chain.wait_until_drained(HEALED_S)
    return (
        f"{frozen.name} froze; without it drained after {drained_s:.1f} s; thawed, another round after {thawed_s:.1f} s"
    )


def _two_of_three_are_away(chain: Chain, rounds: Rounds) -> str:
    """Kafka refuses to write with one copy: everything waits, and is done when the others are back."""
    away = cluster.others(chain.deployment, cluster.leader_of(chain, chain.stations[0]))
    _in_mid(chain, PROCESSOR, "stage", next(rounds), lambda: cluster.kill(away))
    began, files = time.monotonic(), next(rounds)
    chain.give(files)
    over(began, AWAY_S)
    states = {file.name: chain.outcomes(file.station)[file.name] for file in files}
    assert set(states.values()) <= {"not taken", "sending"}, f"nothing can have been acknowledged: {states}"
    cluster.start_together(away)
    drained_s = chain.wait_until_drained(HEALED_S)
    return f"{' and '.join(lost.name for lost in away)} were away, all writes waited; drained {drained_s:.1f} s after they came back"


ROUNDS_OF: dict[Callable[[Chain, Rounds], str], int] = {
    _leader_is_killed_while_a_gateway_publishes: 1,
    _leader_is_killed_while_the_processor_reads: 1,
    _coordinator_is_killed_while_offsets_are_committed: 1,
    _controller_is_killed: 1,
    _leader_freezes: 2,
    _two_of_three_are_away: 2,
}
"""What is done, in this order, and how many rounds of files each takes."""


def _in_mid(chain: Chain, label: str, step: str, files: list[StationFile], act: Callable[[], object]) -> None:
    """As ever; and then there is something left to do."""
    in_mid(chain, label, step, files, act)
    assert chain.waiting(), "nothing was left to do"


def _drained_without(chain: Chain, lost: list[Server]) -> str:
    """All is done while they are away; then they come back."""
    drained_s = chain.wait_until_drained(HEALED_S)
    cluster.start_together(lost)
    return f"without it drained after {drained_s:.1f} s"
