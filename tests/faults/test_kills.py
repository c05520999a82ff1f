"""Kill -9 of gateway, processor, replicator and registrar at named steps of a load: the end is the same as if nothing had happened.

After a kill, or two at the same step, the independent check judges both centres, the archive is compared with that of an undisturbed
chain, and with what the pure core makes of the log (`judging.py`): after each in `make test`, after twenty of them and at the end of
each chain where every step is killed at, since what was wrong before is wrong then, too.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from b2stream.sandbox import handle
from b2stream.sandbox.deployment import Deployment
from tests.faults import moments
from tests.faults.chain import REGISTRAR
from tests.faults.moments import ALL_FAULTS, Moment, Survived

Say = Callable[[str], None]
JUDGED = 20  # moments, at least, that are followed by a check
TOURS = 3  # chains that live at the same time: most of a kill's time is the wait for a dead consumer's session


@pytest.mark.timeout(900)
@pytest.mark.skipif(ALL_FAULTS, reason="all steps follow, these among them")
def test_I1_a_kill_at_each_kind_of_step_changes_nothing(
    servers: Deployment, evidence: Path, name: str, seed: int, say: Say
) -> None:
    drawn = moments.some(seed)
    _survive(servers, evidence, name, drawn, seed, say, judged_at_least=len(drawn))


@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("all_faults")
def test_I1_kills_at_every_step_on_the_first_try_and_on_the_next_change_nothing(
    servers: Deployment, evidence: Path, name: str, seed: int, say: Say
) -> None:
    drawn = moments.all_of_them(seed)
    if why := handle.why_not():
        say(f"nobody registers PIDs here: {why}")
        drawn = [each for each in drawn if each.label != REGISTRAR]
    _survive(servers, evidence, name, drawn, seed, say, judged_at_least=JUDGED)


def _survive(
    servers: Deployment, directory: Path, name: str, drawn: list[Moment], seed: int, say: Say, *, judged_at_least: int
) -> None:
    tours = moments.in_tours(drawn, TOURS)
    with ThreadPoolExecutor(len(tours) + 1) as pool:
        rounds, judged = max(map(len, tours)), moments.judged_rounds(tours, judged_at_least, seed)
        still = pool.submit(
            moments.undisturbed, servers, directory / "undisturbed", f"{name}-still", rounds, seed, judged
        )
        touring = [
            pool.submit(moments.tour, servers, directory / f"tour-{number}", f"{name}-{number}", each, seed, judged)
            for number, each in enumerate(tours)
        ]
        survived: list[Survived] = []
        for future in touring:
            ended = future.result()
            moments.compare(ended, still.result())
            survived += [one for one, _ in ended]
    say(moments.table(survived))
    assert Counter(one.moment for one in survived) == Counter(drawn), "a step was never hit"
    assert all(one.in_flight > 0 for one in survived), "a step was hit with nothing in flight"
    compared = [one.objects for one in survived if one.objects is not None]
    assert len(compared) >= judged_at_least, f"only {len(compared)} moments were judged"
    assert all(compared), "a check compared no object"
