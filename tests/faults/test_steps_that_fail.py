"""Named steps that fail without a kill: each raises once, each stalls for a while, and some stall for ever until somebody asks them to end.

Nothing is restarted by hand after the first two (I11), but for the processor's `append`: an error there ends it, as it should.
"""

import random
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from b2stream.sandbox import handle
from b2stream.sandbox.deployment import Deployment
from b2stream.settings import variable
from tests.faults import load, moments
from tests.faults.chain import PROCESSOR, REGISTRAR, REPLICATOR, STOP_S, Chain, beside, gateway_of
from tests.faults.judging import Judge
from tests.faults.moments import EARLIEST, LATEST, WHO_PASSES
from tests.waiting import until

MOST = 4  # of passings before a step fails, so that all steps of a program fail in one round
STALL_S, LONG_STALL_S = 1, 14
"""The long one outlasts a consumer's session of 10 s."""
GRACE_S = 5.0
ENDS = "append"
HANGS = {PROCESSOR: "stage", REPLICATOR: "copy", REGISTRAR: "write PID record", moments.GATEWAY: "publish block"}


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("all_faults")
def test_I11_steps_that_raise_or_stall_change_nothing(
    servers: Deployment, evidence: Path, name: str, seed: int, say: Callable[[str], None]
) -> None:
    draw = random.Random(seed)
    registering = not handle.why_not()
    told = []
    grace = {variable(program, "grace_s"): str(GRACE_S) for program in (PROCESSOR, REPLICATOR, REGISTRAR)}
    own = beside(servers, evidence / "chain", name, registering=registering)
    with Chain(own, environment=grace) as chain:
        chain.start()
        judge = Judge(chain)
        rounds = iter([load.round_of_files(seed, number) for number in range(4)])
        for did, act in (
            ("raised", _raise_once),
            ("ended by an error and started again", _append_raises),
            ("stalled", _stall_a_while),
            ("hung until they were asked to end", _stall_for_ever),
        ):
            began = time.monotonic()
            count = act(chain, next(rounds), draw)
            chain.wait_until_drained()
            told.append(
                f"{time.monotonic() - began:5.1f} s  {count} steps {did}; {judge.judge().objects} objects judged"
            )
    say("\n".join(told))


def _raise_once(chain: Chain, files: list[load.StationFile], draw: random.Random) -> int:
    return _fail(chain, files, {label: _points(label, "raise", draw) for label in chain.labels})


def _append_raises(chain: Chain, files: list[load.StationFile], draw: random.Random) -> int:
    _start_anew(chain, {PROCESSOR: {ENDS: (MOST, "raise")}})
    chain.give(files)
    processor = chain.deployment.programs[PROCESSOR]
    assert processor.wait(STOP_S), "it went on"
    assert processor.exit_code == 1, processor.last_log_lines()
    chain.launch(PROCESSOR)
    return 1


def _stall_a_while(chain: Chain, files: list[load.StationFile], draw: random.Random) -> int:
    points = {label: _points(label, f"stall={STALL_S}", draw) for label in chain.labels}
    points[PROCESSOR]["announce"] = (2, f"stall={LONG_STALL_S}")
    points[REPLICATOR]["acknowledged"] = (1, f"stall={LONG_STALL_S}")
    return _fail(chain, files, points)


def _stall_for_ever(chain: Chain, files: list[load.StationFile], draw: random.Random) -> int:
    points = {label: {HANGS[label.partition("-")[0]]: (1, "stall")} for label in chain.labels}
    _start_anew(chain, points)
    chain.give(files)
    for label in (gateway_of(load.FOREST), PROCESSOR, REPLICATOR, *([REGISTRAR] if chain.registers else [])):
        (step,) = points[label]
        until(lambda label=label, step=step: chain.passed(label, step), chain.describe)  # type: ignore[misc]
        program = chain.deployment.programs[label]
        program.send(signal.SIGTERM)
        assert program.wait(STOP_S), f"{label} hangs in {step} and does not end"
        chain.launch(label)
        if label.startswith(moments.GATEWAY):
            _start_anew(chain, {other: {} for other in chain.labels if other.startswith(moments.GATEWAY)})
    return len(HANGS)


Points = dict[str, tuple[int, str]]


def _points(label: str, what: str, draw: random.Random) -> Points:
    steps = [step for step in WHO_PASSES[label.partition("-")[0]] if step != ENDS]
    return {step: (_passing(step, draw), what) for step in steps}


def _passing(step: str, draw: random.Random) -> int:
    first = EARLIEST.get(step, 1)
    return draw.randint(first, max(first, min(LATEST[step], MOST)))


def _fail(chain: Chain, files: list[load.StationFile], points: Mapping[str, Points]) -> int:
    """Give a round while all these steps fail once; how many did."""
    _start_anew(chain, points)
    chain.give(files)
    chain.wait_until_drained()
    for label, armed in points.items():
        for step, (number, _) in armed.items():
            until(lambda label=label, step=step, number=number: chain.passed(label, step) >= number, f"{label} {step}")  # type: ignore[misc]
        assert chain.deployment.programs[label].running, f"{label} ended; {chain.describe()}"
    return sum(len(armed) for armed in points.values())


def _start_anew(chain: Chain, points: Mapping[str, Points]) -> None:
    for label, armed in points.items():
        chain.restart(label, fail_at=",".join(f"{step}:{number}:{what}" for step, (number, what) in armed.items()))
