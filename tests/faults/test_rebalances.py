"""Twenty rebalances within two minutes, while files come: every member of the group is thrown out, joins anew, and goes on from the log.

Processors that join, leave, die and freeze are in `test_two_processors`.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from b2stream.sandbox.deployment import Deployment
from tests.faults import load
from tests.faults.chain import PROCESSOR, Chain, beside
from tests.faults.judging import Judge
from tests.faults.watched import WatchedChain
from tests.groups import end_sessions
from tests.waiting import until

SECOND = "processor-second"
REBALANCES = 20
LONGEST_S = 120.0
"""For all of them: a minute where nothing else runs, twice that on a machine that others use."""
ROUNDS = 4
PROCESSORS = 2


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("all_faults")
def test_I1_twenty_rebalances_within_two_minutes_change_nothing(
    servers: Deployment, evidence: Path, name: str, seed: int, say: Callable[[str], None]
) -> None:
    with WatchedChain(beside(servers, evidence / "chain", name)) as chain:
        chain.start()
        chain.launch(SECOND)
        chain.wait_until_ready(SECOND)
        group = _Group(chain)
        files = [file for number in range(ROUNDS) for file in load.round_of_files(seed, number)]
        at_once = -(-len(files) // REBALANCES)
        began = time.monotonic()
        for number in range(REBALANCES):
            chain.give(files[number * at_once : (number + 1) * at_once])
            group.throw_out_all()
        rebalanced_s = time.monotonic() - began
        assert rebalanced_s < LONGEST_S, f"{REBALANCES} rebalances took {rebalanced_s:.0f} s"
        drained_s = chain.wait_until_drained()
        judgement = Judge(chain).judge()
        for label in (PROCESSOR, SECOND):
            assert chain.deployment.programs[label].running, chain.describe()
            assert chain.passed(label, "announced") > 0, f"{label} had nothing to do"
    say(
        f"{REBALANCES} rebalances in {rebalanced_s:.0f} s; drained {drained_s:.1f} s later, {judgement.objects} objects judged"
    )


class _Group:
    """The processors' group, as its coordinator knows it."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._bootstrap = chain.deployment.addresses["kafka"]
        self._admin = AdminClient({"bootstrap.servers": self._bootstrap})
        self._name = chain.group(PROCESSOR)
        self._members: frozenset[str] = frozenset()
        self._all_are_new()

    def throw_out_all(self) -> None:
        """As if every session had run out; returns once the group is complete again, of other members."""
        assert end_sessions(self._bootstrap, self._name) == PROCESSORS
        self._all_are_new()

    def _all_are_new(self) -> None:
        def joined() -> frozenset[str]:
            found = self._admin.describe_consumer_groups([self._name])[self._name].result()
            members = frozenset(member.member_id for member in found.members)
            complete = found.state == ConsumerGroupState.STABLE and len(members) == PROCESSORS
            return members if complete and not members & self._members else frozenset()

        self._members = until(joined, self._chain.describe)
