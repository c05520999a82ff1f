"""An audit of an archive that is being filled says nothing: what is under way is lag, with the grace of every day and with none (I13)."""

import os
from pathlib import Path

import pytest

from b2stream.programs.audit.auditing import GRACE_S, Plan, Report
from b2stream.programs.audit.cli import run
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.given import Given
from b2stream.settings import Settings
from b2stream.settings import load as load_settings
from tests.faults import load
from tests.faults.chain import LOOK_EVERY_S, PROCESSOR, Chain
from tests.waiting import until

ROUNDS = 3
DIES_AT = "manifest placed:4"
"""The batch is committed and nobody knows it; three others went through before."""


class Audits:
    """Audits that must all be clean."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.reports: list[Report] = []

    def audit(self) -> bool:
        """Audit with each grace; whether something was under way."""
        for grace_s in (GRACE_S, 0.0):
            report = run(self._settings, Plan(recompute=grace_s == 0.0, grace_s=grace_s))
            lag = {each.program: each.messages for each in report.lag}
            told = [finding.line() for finding in report.findings]
            assert told == [], f"audit {len(self.reports)}, grace {grace_s:.0f} s, {report.batches} batches, lag {lag}"
            self.reports.append(report)
        return any(each.messages for each in self.reports[-1].lag)


@pytest.mark.timeout(600)
@pytest.mark.skipif(os.environ.get("B2STREAM_FAULTS") != "all", reason="takes long: B2STREAM_FAULTS=all runs it")
def test_I13_audits_while_the_archive_is_being_filled_and_a_processor_is_dead_find_nothing(
    kafka_bootstrap: str, tmp_path: Path, community: str
) -> None:
    deployment = Deployment(tmp_path / "chain", Given(kafka=kafka_bootstrap), community=community)
    with Chain(deployment, signed=load.STATIONS) as chain:
        chain.start(fail_at={PROCESSOR: DIES_AT})
        audits = Audits(load_settings(deployment.settings_file, environment={}).settings)
        chain.give(load.round_of_files(11, 0))
        until(lambda: not deployment.programs[PROCESSOR].running, chain.describe, poll_s=LOOK_EVERY_S)
        assert audits.audit(), "the processor has something to do, and is dead"
        chain.launch(PROCESSOR)
        for number in range(1, ROUNDS):
            chain.give(load.round_of_files(11, number))
            audits.audit()
        until(lambda: not audits.audit() and chain.is_drained(), chain.describe, 240.0)
        audits.audit()
    last = audits.reports[-1]
    assert (last.batches, last.objects) == (len(chain.given), 4 * len(chain.given))
    assert len({report.batches for report in audits.reports}) > 1, "the archive grew between audits"
