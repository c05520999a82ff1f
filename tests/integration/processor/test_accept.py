"""`b2stream offsets`: what was lost is shown, accepted by someone, recorded for ever, and then the processor goes on."""

import json
import subprocess
import sys

from b2stream.contracts.framing import Framing
from b2stream.contracts.records import OffsetsAccepted
from tests.integration.processor.conftest import Deployment
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.waiting import until


def offsets(deployment: Deployment, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from b2stream.cli import main; main()", "offsets", *words]
    return subprocess.run(command, env=deployment.environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_loss_is_fatal_until_someone_accepts_it_and_then_the_rest_is_archived(deployment: Deployment) -> None:
    lost, kept = StationBatch(number=1), StationBatch(number=2)
    deployment.send(lost.sent(attempt_name(1)), kept.sent(attempt_name(2)))
    (number,) = [number for number, end in deployment.ends().items() if end]
    deployment.admin.set_committed(deployment.group, deployment.topic, {number: 1})
    assert offsets(deployment, "show").returncode == 0
    deployment.delete_records(number, 4)
    shown = offsets(deployment, "show", "--json")
    assert shown.returncode == 1
    rows = {row["partition"]: row for row in json.loads(shown.stdout)["partitions"]}
    assert rows[number] == {"partition": number, "committed": 1, "log_start": 4, "log_end": 8, "lost": True}
    accepted = offsets(deployment, "accept", "--why", "the disk was full", "--who", "Ada")
    assert accepted.returncode == 0, accepted.stderr
    assert "1 to 4 accepted as lost" in accepted.stdout
    (message,) = deployment.read("events")
    record = OffsetsAccepted.from_framed(Framing().unframe(message.value))
    assert (record.partition, record.first_lost, record.next, record.who, record.why) == (
        number,
        1,
        4,
        "Ada",
        "the disk was full",
    )
    deployment.start()
    until(deployment.is_all_acknowledged)
    assert list(deployment.data_objects().values()) == [kept.data_object()]


def test_where_nothing_is_lost_there_is_nothing_to_accept(deployment: Deployment) -> None:
    refused = offsets(deployment, "accept", "--why", "just so")
    assert refused.returncode == 4
    assert "nothing is lost" in refused.stderr
    assert deployment.read("events") == []
