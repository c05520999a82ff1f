"""Kafka wiped: commit events come back from the manifests, the replicator finds its copies in place, and the audit is clean again."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from b2stream.contracts import topics
from b2stream.kafka.admin import Admin
from b2stream.programs.audit import cli
from b2stream.programs.audit.auditing import Plan
from b2stream.programs.audit.judging.findings import Kind
from b2stream.programs.audit.repair import reannounce_cli
from b2stream.programs.audit.repair.cli import apply, make_plan
from b2stream.programs.audit.repair.planning import COPY
from b2stream.sandbox import signing
from b2stream.settings import Settings, variable
from b2stream.settings import load as load_settings
from tests.faults import load
from tests.faults.chain import PARTITIONS
from tests.integration.audit.archive import MANIFEST, RestingArchive
from tests.waiting import until

GENERAL = variable("general", "community")


@pytest.fixture
def wiped(archive: RestingArchive, community: str) -> Settings:
    """Settings of a Kafka that has never heard of the archive: the same centres, and topics that are empty."""
    settings = load_settings(archive.deployment.settings_file, environment={GENERAL: community}).settings
    admin = Admin(settings.kafka)
    for topic in topics.ALL:
        admin.create_topic(topic.full_name(community), PARTITIONS, 1, topic.config())
    # The stations' keys are in files, which are left.
    signing.register(settings, archive.deployment.directory, dict.fromkeys(load.STATIONS, 1.0))
    return settings


def test_I12_after_kafka_was_wiped_reannounce_and_the_replicator_make_everything_whole_again(
    archive: RestingArchive, wiped: Settings, community: str
) -> None:
    lost = cli.run(wiped, Plan(grace_s=0.0))
    assert {finding.kind for finding in lost.findings} == {Kind.UNANNOUNCED}
    manifests = {path + MANIFEST for path in archive.data_objects()}
    assert {finding.path for finding in lost.findings} == manifests

    assert reannounce_cli.run(wiped) == (len(manifests), {})
    assert reannounce_cli.run(wiped) == (0, {}), "what has an event is not announced again"

    replicate(archive, wiped, community)
    healed = cli.run(wiped, Plan(recompute=True, grace_s=0.0))
    assert healed.findings == []
    assert healed.batches == len(manifests)


def test_I12_what_the_first_centre_lost_with_kafka_comes_back_from_the_second(
    archive: RestingArchive, wiped: Settings, community: str
) -> None:
    paths = archive.data_objects()
    whole, data_object, manifest, truncated = paths[:4]
    for path in (whole, whole + MANIFEST, data_object, manifest + MANIFEST):
        archive.delete("first", path)
    archive.rot("first", truncated, archive.read("first", truncated)[:-1])

    plan = make_plan(wiped, Plan(recompute=True, grace_s=0.0))
    assert plan.left == []
    copied = [act.path for act in plan.acts if act.act == COPY]
    assert sorted(copied) == sorted([whole, whole + MANIFEST, data_object, manifest + MANIFEST, truncated])
    assert {act.source for act in plan.acts if act.act == COPY} == {wiped.second.name}
    assert [each.trouble for each in apply(wiped, plan) if each.trouble] == []

    replicate(archive, wiped, community)
    healed = cli.run(wiped, Plan(recompute=True, grace_s=0.0))
    assert healed.findings == []
    assert healed.batches == len(paths)


def replicate(archive: RestingArchive, wiped: Settings, community: str) -> None:
    """Let the replicator work off what was announced."""
    process = archive.deployment.run_program("replicator", environment={GENERAL: community})
    try:
        until(lambda: not waiting(wiped, "replicator"), "the replicator lags")
    finally:
        process.stop()


def waiting(settings: Settings, program: str) -> int:
    """Messages that a program has still before it."""
    report = cli.run(settings, Plan(grace_s=0.0))
    return sum(lag.messages for lag in report.lag if lag.program == program)


def test_I5_what_does_not_verify_is_named_and_not_announced(
    archive: RestingArchive, wiped: Settings, community: str, tmp_path: Path
) -> None:
    path, *_ = archive.data_objects()
    archive.put("first", path, b"something else")
    config = archive.deployment.settings_file
    arguments = ["--config", str(config), "--station", path.partition("/")[0]]
    result = CliRunner(env={GENERAL: community}).invoke(reannounce_cli.command, arguments)
    assert result.exit_code == 1, result.output
    assert path + MANIFEST in result.output
    assert "commit events published" in result.output
