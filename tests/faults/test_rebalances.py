"""Twenty rebalances within a minute, while files come: every member of the group is thrown out, joins anew, and goes on from the log.

Processors that join, leave, die and freeze are in `test_two_processors`.
"""

import itertools
import math
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
WINDOW_S = 60.0
LONGEST_S = 300.0
"""Until twenty in a row fit into the window: at once where nothing else runs, later on a machine that others use at first."""
FILES = 3  # for each
PROCESSORS = 2


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("all_faults")
def test_I1_twenty_rebalances_within_a_minute_change_nothing(
    servers: Deployment, evidence: Path, name: str, seed: int, say: Callable[[str], None]
) -> None:
    with WatchedChain(beside(servers, evidence / "chain", name)) as chain:
        chain.start()
        chain.launch(SECOND)
        chain.wait_until_ready(SECOND)
        group = _Group(chain)
        files = (file for number in itertools.count() for file in load.round_of_files(seed, number))
        ends_s = [time.monotonic()]
        while _window_s(ends_s) > WINDOW_S:
            assert ends_s[-1] - ends_s[0] < LONGEST_S, f"{REBALANCES} rebalances took {_window_s(ends_s):.0f} s"
            chain.give(list(itertools.islice(files, FILES)))
            group.throw_out_all()
            ends_s.append(time.monotonic())
        drained_s = chain.wait_until_drained()
        judgement = Judge(chain).judge()
        for label in (PROCESSOR, SECOND):
            assert chain.deployment.programs[label].running, chain.describe()
            assert chain.passed(label, "announced") > 0, f"{label} had nothing to do"
    rebalances = f"{REBALANCES} rebalances within {_window_s(ends_s):.0f} s, {len(ends_s) - 1} in all"
    say(f"{rebalances}; drained {drained_s:.1f} s later, {judgement.objects} objects judged")


def _window_s(ends_s: list[float]) -> float:
    """How long the last twenty took; for ever while there were not so many."""
    return ends_s[-1] - ends_s[-1 - REBALANCES] if len(ends_s) > REBALANCES else math.inf


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
