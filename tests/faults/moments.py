"""Moments at which a process is killed: the n-th passing of a named step, by one of the programs that pass it.

Moments are drawn from a seed, and a tour is a chain that lives through several of them, one in each round of files.
"""

import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from b2stream.sandbox.deployment import Deployment
from tests.faults import load
from tests.faults.chain import PROCESSOR, REPLICATOR, Chain, beside, gateway_of
from tests.faults.judging import Archive, Judge, assert_same_end
from tests.groups import end_sessions

DEATH_S = 90.0
ALL_FAULTS = os.environ.get("B2STREAM_FAULTS") == "all"
"""Then the session of who was killed runs out by itself; otherwise it is ended at once."""

WHO_PASSES = {
    "journal write": ("gateway",),
    "append": (PROCESSOR,),
    "stage": (PROCESSOR,),
    "verify": (PROCESSOR, REPLICATOR),
    "place data object": (PROCESSOR, REPLICATOR),
    "place manifest": (PROCESSOR, REPLICATOR),
    "announce": (PROCESSOR, REPLICATOR),
    "acknowledge": (PROCESSOR, REPLICATOR),
    "copy": (REPLICATOR,),
}
"""The steps, and the programs that pass them while a round is carried."""

LATEST = {
    "journal write": 18,  # two at the start, six for each of four files; receipts come on top
    "append": 60,  # of 68 blocks
    "stage": 20,  # of 24 objects
    "verify": 20,
    "place data object": 10,  # of 12 batches
    "place manifest": 10,
    "announce": 10,
    "acknowledge": 1,  # a few times a second, one for each partition that moved
    "copy": 20,
}
"""The latest passing that is drawn: so many are certain to come, and then something is still left to do."""
EARLIEST = {"journal write": 3}


@dataclass(frozen=True)
class Moment:
    """`label` is killed at the n-th passing of a step after its start; `twice`: and again where it passes that step next."""

    step: str
    n: int
    label: str
    twice: bool = False


@dataclass(frozen=True)
class Survived:
    """What came of a moment: the work that was in flight at the kill, how long it took from the restart until all was
    acknowledged and replicated, and how many objects the independent check read afterwards."""

    moment: Moment
    in_flight: int
    recovered_s: float
    objects: int


def each_step_once(seed: int) -> list[Moment]:
    """Nine moments, one for each step."""
    draw = random.Random(seed)
    return [_moment(draw, step, draw.choice(victims)) for step, victims in WHO_PASSES.items()]


def twenty(seed: int) -> list[Moment]:
    """Twenty moments: each step once for each program that passes it, six more drawn freely; one of them is a double."""
    draw = random.Random(seed)
    pairs = [(step, victim) for step, victims in WHO_PASSES.items() for victim in victims]
    moments = [_moment(draw, *pair) for pair in [*pairs, *(draw.choice(pairs) for _ in range(20 - len(pairs)))]]
    double = draw.choice([at for at, each in enumerate(moments) if each.step.startswith("place")])
    moments[double] = Moment(moments[double].step, moments[double].n, moments[double].label, twice=True)
    draw.shuffle(moments)
    return moments


def in_tours(moments: Sequence[Moment], count: int) -> list[list[Moment]]:
    """The moments shared out over tours, those with the long wait for a consumer's session evenly."""
    by_wait = sorted(moments, key=lambda moment: (moment.label.startswith("gateway"), not moment.twice))
    return [by_wait[first::count] for first in range(count)]


def undisturbed(servers: Deployment, directory: Path, community: str, rounds: int, seed: int) -> list[Archive]:
    """The archive after each round of a chain to which nothing happens."""
    archives = []
    with Chain(beside(servers, directory, community)) as chain:
        chain.start()
        judge = Judge(chain)
        for number in range(rounds):
            chain.give(load.round_of_files(seed, number))
            chain.wait_until_drained()
            archives.append(judge.judge().archive)
    return archives


def tour(
    servers: Deployment, directory: Path, community: str, moments: Sequence[Moment], seed: int
) -> list[tuple[Survived, Archive]]:
    """A chain through its moments; the archive after each. Raises AssertionError where one is not survived."""
    survived = []
    with Chain(beside(servers, directory, community)) as chain:
        chain.start({moments[0].label: _armed(moments[0].step, moments[0].n)})
        judge = Judge(chain)
        for number, moment in enumerate(moments):
            if number > 0:
                chain.restart(moment.label, fail_at=_armed(moment.step, moment.n))
            chain.give(load.round_of_files(seed, number))
            in_flight = _dies(chain, moment, moment.n)
            if moment.twice:
                chain.launch(moment.label, fail_at=_armed(moment.step, 1))
                _dies(chain, moment, 1)
            began = time.monotonic()
            chain.launch(moment.label)
            chain.wait_until_drained()
            recovered_s = time.monotonic() - began
            judgement = judge.judge()
            survived.append((Survived(moment, in_flight, recovered_s, judgement.objects), judgement.archive))
    return survived


def compare(survived: Sequence[tuple[Survived, Archive]], undisturbed: Sequence[Archive]) -> None:
    """Hold the archive after each moment of a tour against that of the undisturbed chain after the same round."""
    for (_, archive), expected in zip(survived, undisturbed, strict=False):
        assert_same_end(archive, expected)


def table(survived: Sequence[Survived]) -> str:
    """For a person."""
    lines = [f"{'step':<18} {'n':>3}  {'victim':<16} {'in flight':>9}  {'recovered after':>15}  {'judged objects':>14}"]
    for one in survived:
        moment = one.moment
        step = moment.step + (" ×2" if moment.twice else "")
        lines.append(
            f"{step:<18} {moment.n:>3}  {moment.label:<16} {one.in_flight:>9}  {one.recovered_s:>13.1f} s"
            f"  {one.objects:>14}"
        )
    kills = {step: sum(1 + one.moment.twice for one in survived if one.moment.step == step) for step in WHO_PASSES}
    lines.append("kills: " + ", ".join(f"{step} {number}" for step, number in kills.items()))
    return "\n".join(lines)


def _moment(draw: random.Random, step: str, victim: str) -> Moment:
    label = gateway_of(draw.choice(load.STATIONS)) if victim == "gateway" else victim
    return Moment(step, draw.randint(EARLIEST.get(step, 1), LATEST[step]), label)


def _armed(step: str, n: int) -> str:
    return f"{step}:{n}"


def _dies(chain: Chain, moment: Moment, n: int) -> int:
    """Wait until the victim has killed itself there and nowhere else; the work that was in flight."""
    victim = chain.deployment.programs[moment.label]
    passed = f"{victim.pid} {moment.step} {n}"
    assert victim.wait(DEATH_S), f"{moment} was not reached within {DEATH_S:.0f} s: {chain.describe()}"
    in_flight = chain.in_flight(moment.label)
    assert victim.exit_code == -9, f"{moment}: it ended with {victim.exit_code}; {victim.last_log_lines()}"
    recorded = chain.passings_file(moment.label).read_text(encoding="utf-8").splitlines()
    assert passed in recorded, f"{moment}: {passed!r} is not in {chain.passings_file(moment.label)}"
    if not ALL_FAULTS and not moment.label.startswith("gateway"):
        end_sessions(chain.deployment.addresses["kafka"], chain.group(moment.label))
    return in_flight
