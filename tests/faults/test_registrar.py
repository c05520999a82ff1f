"""The chain with a Handle server and a registrar: once all queues are drained, each content has its PID record (I6, I7)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from b2stream.sandbox import handle
from b2stream.sandbox.deployment import Deployment
from tests.faults import load
from tests.faults.chain import REGISTRAR, Chain, beside
from tests.faults.judging import Judge


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("all_faults")
def test_I6_after_the_queues_drain_each_content_has_one_record_though_the_registrar_was_killed(
    servers: Deployment, evidence: Path, name: str, seed: int, say: Callable[[str], None]
) -> None:
    if why := handle.why_not():
        pytest.skip(f"Handle server: {why}")
    with Chain(beside(servers, evidence / "chain", name, registering=True), signed=load.STATIONS) as chain:
        chain.start()
        judge = Judge(chain)
        chain.give(load.round_of_files(seed, 0))
        chain.deployment.programs[REGISTRAR].kill()
        chain.launch(REGISTRAR)
        chain.wait_until_drained()
        judgement = judge.judge()
        assert judgement.compared["I9"]["signatures that hold"] == len(chain.given)
    say(f"{judgement.compared['I6']}")
