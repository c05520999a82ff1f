"""A history outlives Kafka, on real zones: what the log told before it was lost, the station's days tell."""

import json
from typing import Any

from b2stream.contracts import topics
from b2stream.kafka.admin import Admin
from b2stream.programs.audit.history.cli import run
from b2stream.programs.audit.history.drawing import Step, steps
from b2stream.programs.audit.repair import reannounce_cli
from b2stream.sandbox import signing
from b2stream.settings import load as load_settings
from b2stream.settings import variable
from tests.faults import load
from tests.faults.chain import PARTITIONS
from tests.integration.audit.archive import MANIFEST, RestingArchive

DONE = {"commit at the first centre", "replication to fzj"}


def done(document: dict[str, Any]) -> list[Step]:
    """Commit and replication as they are told."""
    return [step for step in steps(document) if step.label in DONE]


def of_an_archived_day(archive: RestingArchive) -> str:
    """Path of a data object of whose commit a day's document tells."""
    days = b"".join(archive.read("first", path) for path in archive.days())
    for path in archive.data_objects():
        batch = json.loads(archive.read("first", path + MANIFEST))["batch"]
        if f"batch:{batch}/replication/fzj".encode() in days:
            return path
    raise AssertionError("no day tells of any batch")


def test_I12_commit_and_copy_are_told_as_they_were_after_kafka_was_lost_and_after_it_was_announced_again(
    archive: RestingArchive, community: str
) -> None:
    path = of_an_archived_day(archive)
    _, before = run(path, archive.settings)
    assert {step.label for step in done(before)} == DONE

    anew = {variable("general", "community"): community}
    settings = load_settings(archive.deployment.settings_file, environment=anew).settings
    admin = Admin(settings.kafka)
    for topic in topics.ALL:
        admin.create_topic(topic.full_name(community), PARTITIONS, 1, topic.config())
    subject, lost = run(path, settings)
    assert subject.event is None
    assert done(lost) == done(before)

    signing.register(settings, archive.deployment.directory, dict.fromkeys(load.STATIONS, 1.0))
    reannounce_cli.run(settings)
    subject, again = run(path, settings)
    assert subject.event is not None
    assert "reannounce" in subject.event.software
    assert done(again) == done(before)
