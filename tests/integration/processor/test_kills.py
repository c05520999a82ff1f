"""A processor that is killed at each step of a commit, each time with a commit in flight, and started again."""

import signal

import pytest

from b2stream.failpoints import FAIL_VARIABLE
from tests.integration.processor.alongside import alongside
from tests.integration.processor.conftest import Deployment
from tests.integration.processor.test_process import expect_exactly, interleaved, some_batches
from tests.waiting import until

KILLS = {  # at which passings of a step each next processor is killed
    "append": (5,),
    "stage": (5,),
    "verify": (5,),
    "place data object": (4,),
    "place manifest": (4, 2),
    "announce": (4, 2),
    "acknowledge": (1,),
}


@pytest.mark.parametrize("step", KILLS)
@alongside
def test_I1_killed_at_any_step_and_started_again_it_ends_at_the_same_objects(deployment: Deployment, step: str) -> None:
    # Offsets are acknowledged a few times a second: so many batches that some are always left at the first time.
    batches = some_batches(150 if step == "acknowledge" else 8, stations=12)
    deployment.send(interleaved(batches, seed=len(step)))
    for number in KILLS[step]:
        process = deployment.start({FAIL_VARIABLE: f"{step}:{number}"})
        assert process.wait(120.0), f"{step} was never passed {number} times: {process.last_log_lines()}"
        assert process.exit_code == -signal.SIGKILL, process.last_log_lines()
        assert not deployment.is_all_acknowledged(), "it was killed with nothing in flight"
    last = deployment.start()
    until(deployment.is_all_acknowledged, timeout_s=120.0)
    expect_exactly(deployment, batches)
    last.stop()
