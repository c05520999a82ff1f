"""Moments at which a process is killed: the n-th passing of a named step, by one of the programs that pass it.

Moments are drawn from a seed, and a tour is a chain that lives through several of them, one in each round of files.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from b2stream import failpoints
from b2stream.sandbox.deployment import Deployment
from tests.faults import load
from tests.faults.chain import PROCESSOR, READS, REGISTRAR, REPLICATOR, Chain, beside, gateway_of
from tests.faults.judging import Archive, Judge, assert_same_end
from tests.groups import end_sessions
from tests.waiting import until

DEATH_S = 90.0
ALL_FAULTS = os.environ.get("B2STREAM_FAULTS") == "all"

GATEWAY = "gateway"
WHO_PASSES = {
    GATEWAY: failpoints.GATEWAY,
    PROCESSOR: tuple(step for step in failpoints.PROCESSOR if "letter" not in step),  # `test_poison` has those
    REPLICATOR: failpoints.REPLICATOR,
    REGISTRAR: tuple(step for step in failpoints.REGISTRAR if step != "announce"),  # `test_registrar` has that
}
"""The programs, and the steps that they pass while a round is carried."""

LATEST = {
    "journal write": 9,  # one at the start, three for each of four files; receipts come on top
    "journal written": 9,
    "publish block": 8,  # of ten or more
    "blocks sent": 3,
    "close sent": 3,
    "receipts read": 1,
    "append": 60,  # of 68 blocks
    "stage": 16,  # of 24 objects
    "copy": 16,
    "verify": 16,
    "place data object": 8,  # of 12 batches, of which 8 are under way at once
    "data object placed": 8,
    "place manifest": 8,
    "manifest placed": 8,
    "write PID record": 8,  # of 24 events
    "PID record written": 8,
    "write attributes": 8,
    "attributes written": 8,
    "announce": 10,
    "announced": 10,
    "acknowledge": 1,  # a few times a second, one for each partition that moved
    "acknowledged": 1,
}
"""The latest passing that is drawn: so many are certain to come, and then something is still left to do, for a second kill too."""
EARLIEST = {"journal write": 2, "journal written": 2}
OF_TODAY = (
    ("journal write", GATEWAY),
    ("append", PROCESSOR),
    ("stage", PROCESSOR),
    ("verify", REPLICATOR),
    ("data object placed", PROCESSOR),
    ("place manifest", REPLICATOR),
    ("announced", PROCESSOR),
    ("acknowledge", PROCESSOR),
    ("copy", REPLICATOR),
)
"""What `make test` takes of them."""
LONG_WAITS = 2
"""Kills after which a session runs out by itself; after the others it is ended at once."""


@dataclass(frozen=True)
class Moment:
    """`label` is killed at the n-th passing of a step after its start; `twice`: and again where it passes that step next.

    `waits`: the session of who was killed runs out by itself.
    """

    step: str
    n: int
    label: str
    twice: bool = False
    waits: bool = False


@dataclass(frozen=True)
class Survived:
    """What came of a moment: the work that was in flight at the kill, how long it took from the restart until all was
    acknowledged and replicated, and how many objects the independent check read afterwards (None: it judged after a later one)."""

    moment: Moment
    in_flight: int
    recovered_s: float
    objects: int | None


def some(seed: int) -> list[Moment]:
    """Nine moments, one for each kind of step."""
    draw = random.Random(seed)
    return [_moment(draw, step, victim) for step, victim in OF_TODAY]


def all_of_them(seed: int) -> list[Moment]:
    """Each step of each program, on the first try and on the next one."""
    draw = random.Random(seed)
    moments = [
        replace(_moment(draw, step, victim), twice=True) for victim, steps in WHO_PASSES.items() for step in steps
    ]
    draw.shuffle(moments)
    waiting = draw.sample([at for at, each in enumerate(moments) if not each.label.startswith(GATEWAY)], LONG_WAITS)
    return [replace(each, waits=at in waiting) for at, each in enumerate(moments)]


def in_tours(moments: Sequence[Moment], count: int) -> list[list[Moment]]:
    """The moments shared out over tours, those with the long wait for a consumer's session evenly; the registrar's are one of their own."""
    by_wait = sorted(moments, key=lambda moment: (not moment.waits, moment.label.startswith(GATEWAY)))
    registering = [each for each in by_wait if each.label == REGISTRAR]
    others = [each for each in by_wait if each.label != REGISTRAR]
    return [others[first::count] for first in range(count)] + ([registering] if registering else [])


def judged_rounds(tours: Sequence[Sequence[Moment]], at_least: int, seed: int) -> set[int]:
    """The rounds after which tours are judged: the last of each, and others, drawn until so many moments are followed by a check.

    The same rounds in all tours, so that the undisturbed chain is judged after these alone.
    """
    judged = {len(moments) - 1 for moments in tours}
    others = sorted(set(range(max(map(len, tours)))) - judged)
    random.Random(f"judged {seed}").shuffle(others)
    while others and sum(number < len(moments) for number in judged for moments in tours) < at_least:
        judged.add(others.pop())
    return judged


def undisturbed(
    servers: Deployment, directory: Path, community: str, rounds: int, seed: int, judged: Collection[int] | None = None
) -> list[Archive]:
    """The archive after each round of a chain to which nothing happens; an empty one after rounds that nobody asks for."""
    archives = []
    with Chain(beside(servers, directory, community)) as chain:
        chain.start()
        judge = Judge(chain)
        for number in range(rounds):
            chain.give(load.round_of_files(seed, number))
            chain.wait_until_drained()
            archives.append(judge.judge().archive if judged is None or number in judged else Archive())
    return archives


def tour(
    servers: Deployment, directory: Path, community: str, moments: Sequence[Moment], seed: int, judged: Collection[int]
) -> list[tuple[Survived, Archive | None]]:
    """A chain through its moments; the archive after those rounds. Raises AssertionError where one is not survived."""
    survived: list[tuple[Survived, Archive | None]] = []
    registering = any(moment.label == REGISTRAR for moment in moments)
    with Chain(beside(servers, directory, community, registering=registering)) as chain:
        chain.start({moments[0].label: _armed(moments[0].step, moments[0].n)})
        judge = Judge(chain)
        for number, moment in enumerate(moments):
            if number > 0:
                chain.restart(moment.label, fail_at=_armed(moment.step, moment.n))
            chain.give(load.round_of_files(seed, number))
            in_flight = _dies(chain, moment, moment.n)
            if moment.twice:
                again = EARLIEST.get(moment.step, 1)
                chain.launch(moment.label, fail_at=_armed(moment.step, again))
                _dies(chain, moment, again)
            began = time.monotonic()
            chain.launch(moment.label)
            chain.wait_until_drained()
            recovered_s = time.monotonic() - began
            judgement = judge.judge() if number in judged or number == len(moments) - 1 else None
            objects, archive = (judgement.objects, judgement.archive) if judgement else (None, None)
            survived.append((Survived(moment, in_flight, recovered_s, objects), archive))
    return survived


def compare(survived: Sequence[tuple[Survived, Archive | None]], undisturbed: Sequence[Archive]) -> None:
    """Hold the archive after moments of a tour against that of the undisturbed chain after the same round."""
    assert survived[-1][1] is not None, "the end of a tour was not judged"
    for (_, archive), expected in zip(survived, undisturbed, strict=False):
        if archive is not None:
            assert_same_end(archive, expected)


def table(survived: Sequence[Survived]) -> str:
    """For a person."""
    lines = [f"{'step':<18} {'n':>3}  {'victim':<16} {'in flight':>9}  {'recovered after':>15}  {'judged objects':>14}"]
    for one in survived:
        moment = one.moment
        step = moment.step + (" ×2" if moment.twice else "")
        lines.append(
            f"{step:<18} {moment.n:>3}  {moment.label:<16} {one.in_flight:>9}  {one.recovered_s:>13.1f} s"
            f"  {one.objects or 'later':>14}"
        )
    kills = Counter[str]()
    for one in survived:
        kills[one.moment.step] += 1 + one.moment.twice
    lines.append("kills per step: " + ", ".join(f"{step} {number}" for step, number in kills.items()))
    checks = sum(one.objects is not None for one in survived)
    lines.append(f"{kills.total()} kills at {len(kills)} steps, {checks} times judged afterwards")
    return "\n".join(lines)


def _moment(draw: random.Random, step: str, victim: str) -> Moment:
    label = gateway_of(draw.choice(load.STATIONS)) if victim == GATEWAY else victim
    return Moment(step, draw.randint(EARLIEST.get(step, 1), LATEST[step]), label)


def _armed(step: str, n: int) -> str:
    return f"{step}:{n}"


def _dies(chain: Chain, moment: Moment, n: int) -> int:
    """Wait until the victim has killed itself there and nowhere else; the work that was in flight."""
    victim = chain.deployment.programs[moment.label]
    passed = f"{victim.pid} {moment.step} {n}"
    assert victim.wait(DEATH_S), f"{moment} was not reached within {DEATH_S:.0f} s: {chain.describe()}"
    (in_flight,) = until(lambda: [chain.in_flight(moment.label)], chain.describe)
    assert victim.exit_code == -9, f"{moment}: it ended with {victim.exit_code}; {victim.last_log_lines()}"
    recorded = chain.passings_file(moment.label).read_text(encoding="utf-8").splitlines()
    assert passed in recorded, f"{moment}: {passed!r} is not in {chain.passings_file(moment.label)}"
    if not moment.waits and not moment.label.startswith(GATEWAY):
        for topic in READS[moment.label]:
            end_sessions(chain.deployment.addresses["kafka"], chain.group(moment.label, topic))
    return in_flight
