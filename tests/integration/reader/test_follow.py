"""`b2stream follow` and `b2stream.follow` on a real Kafka and an embedded zone."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import b2stream
from b2stream.contracts.records import BatchCommitted
from b2stream.contracts.topics import COMMITS
from b2stream.errors import DamagedObject
from b2stream.kafka.admin import Admin
from b2stream.sandbox.zone.process import EmbeddedZone
from tests.replication.batches import event_header_list, event_value
from tests.replication.deployment import PARTITIONS, Deployment
from tests.replication.files import archive_file
from tests.waiting import PATIENCE_S, until

TOA5 = b""""TOA5","CR1000","logger","1","CR1000.Std.31","CPU:program.CR1","1","Table1"
"TIMESTAMP","RECORD","AirTC_Avg"
"TS","RN","Deg C"
"","","Avg"
"2012-03-28 12:00:00",0,7.25
"2012-03-28 12:30:00",1,"NAN"
"""


def announce_file(deployment: Deployment, name: str, content: bytes, station: str) -> BatchCommitted:
    commit = archive_file(deployment.first, name, content, station, 1.0)
    deployment.publish(station, event_value(commit), event_header_list(commit))
    return commit


def follow(
    deployment: Deployment, *arguments: str, timeout_s: float = 2 * PATIENCE_S
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    command = "from b2stream.cli import main; main()"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("B2STREAM_")}
    return subprocess.run(
        [sys.executable, "-c", command, "follow", "--config", str(deployment.config), *arguments],
        env=environment | {"HOME": str(deployment.directory)},
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def test_events_from_the_beginning_as_text_and_as_json(deployment: Deployment) -> None:
    commits = deployment.archive(4)
    deployment.announce(commits)
    text = follow(deployment, "--from-beginning", "--count", "4")
    assert text.returncode == 0, text.stderr
    assert {line.split("  ")[2] for line in text.stdout.splitlines()} == {
        f"{each.station}/EC_L99_F01" for each in commits
    }
    lines = follow(deployment, "--from-beginning", "--json", "--count", "4").stdout.splitlines()
    events = {event["batch"]: event for event in map(json.loads, lines)}
    assert set(events) == {commit.batch for commit in commits}
    one = events[commits[0].batch]
    assert one["sha256"] == commits[0].sha256
    assert one["start"] == "2026-05-28T20:26:40.000000Z"
    assert one["size_bytes"] == commits[0].size_bytes


def test_a_station_and_a_series_limit_what_comes(deployment: Deployment) -> None:
    commits = deployment.archive(8)
    deployment.announce(commits)
    wanted = {commit.batch for commit in commits if commit.station == "DE-HoH"}
    of_the_logger = announce_file(deployment, "CR1000_Table1.dat", TOA5, "SE-Htm")
    for limits, batches in (
        (("--station", "DE-HoH"), wanted),
        (("--series", of_the_logger.series), {of_the_logger.batch}),
    ):
        ended = follow(deployment, "--from-beginning", "--json", *limits, "--count", str(len(batches)))
        assert {json.loads(line)["batch"] for line in ended.stdout.splitlines()} == batches


def test_it_ends_when_nothing_came_for_the_time_that_was_given(deployment: Deployment) -> None:
    ended = follow(deployment, "--timeout-s", "0.5")
    assert (ended.returncode, ended.stdout) == (0, "")


def test_a_group_goes_on_where_it_stopped(deployment: Deployment) -> None:
    deployment.announce(deployment.archive(6))
    seen: list[str] = []
    for _ in range(3):
        ended = follow(deployment, "--group", "mine", "--json", "--count", "2")
        assert ended.returncode == 0, ended.stderr
        seen += [json.loads(line)["batch"] for line in ended.stdout.splitlines()]
    assert sorted(seen) == sorted(commit.batch for commit in deployment.commits)


def test_replica_events_name_the_second_centre(deployment: Deployment) -> None:
    replicator = deployment.start()
    deployment.announce(deployment.archive(2))
    deployment.wait_until_drained()
    replicator.stop()
    lines = follow(deployment, "--replicas", "--from-beginning", "--json", "--count", "2").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert {event["centre"] for event in events} == {"fzj"}
    assert {event["commit"]["batch"] for event in events} == {commit.batch for commit in deployment.commits}


def test_downloads_are_verified_and_a_second_run_fetches_nothing(deployment: Deployment, tmp_path: Path) -> None:
    commits = deployment.archive(3)
    deployment.announce(commits)
    folder = tmp_path / "mirror"
    for _ in range(2):
        ended = follow(deployment, "--from-beginning", "--download", str(folder), "--count", "3")
        assert ended.returncode == 0, ended.stderr
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {path for commit in commits for path in (commit.path, commit.manifest_path)}
    for commit in commits:
        assert (folder / commit.path).read_bytes() == deployment.contents[commit.path]


def test_a_flipped_byte_is_refused_named_and_ends_in_exit_code_1_while_the_rest_is_fetched(
    deployment: Deployment, zones: tuple[EmbeddedZone, EmbeddedZone], tmp_path: Path
) -> None:
    commits = deployment.archive(3)
    file = deployment.vault_file(zones[0], commits[1].path)
    content = bytearray(file.read_bytes())
    content[7] ^= 1
    file.write_bytes(content)
    deployment.announce(commits)
    folder = tmp_path / "mirror"
    ended = follow(deployment, "--from-beginning", "--download", str(folder), "--count", "3")
    assert ended.returncode == 1
    assert commits[1].batch[:12] in ended.stderr
    assert f"{commits[1].name} of {commits[1].station}" in ended.stderr
    assert not (folder / commits[1].path).exists()
    assert (folder / commits[0].path).exists()
    assert (folder / commits[2].path).exists()


def test_three_lines_of_python_give_a_frame(deployment: Deployment) -> None:
    commit = announce_file(deployment, "CR1000_Table1.dat", TOA5, "SE-Htm")
    batch = next(b2stream.follow(config=deployment.config, from_beginning=True))
    table = b2stream.frame(batch)
    assert table.attrs["batch"] == commit.batch
    assert table.index[0].isoformat() == "2012-03-28T11:00:00+00:00"
    assert table["AirTC_Avg"].tolist()[0] == 7.25
    assert table.attrs["units"]["AirTC_Avg"] == "Deg C"


def test_python_without_from_beginning_sees_only_what_comes_after(deployment: Deployment) -> None:
    before = deployment.archive(2)
    deployment.announce(before)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: next(b2stream.follow(deployment.config)))

        def has_come() -> bool:  # when it begins to listen shows in what it hears alone
            deployment.announce(deployment.archive(1))
            return first.done()

        until(has_come, "a batch of those that come")
    assert first.result().event.batch not in {commit.batch for commit in before}


def test_a_batch_counts_as_done_only_when_the_next_is_asked_for(deployment: Deployment) -> None:
    [commit] = deployment.archive(1)
    deployment.announce([commit])
    first = next(b2stream.follow(deployment.config, group="g"))  # dropped while it is worked on, as in a crash
    [again] = b2stream.follow(deployment.config, group="g", count=1)
    assert again.event.batch == first.event.batch == commit.batch
    [later] = deployment.archive(1)
    deployment.announce([later])
    [after] = b2stream.follow(deployment.config, group="g", count=1)
    assert after.event.batch == later.batch


def test_python_opens_nothing_of_a_damaged_object(
    deployment: Deployment, zones: tuple[EmbeddedZone, EmbeddedZone]
) -> None:
    commit = announce_file(deployment, "CR1000_Table1.dat", TOA5, "SE-Htm")
    file = deployment.vault_file(zones[0], commit.path)
    file.write_bytes(file.read_bytes().replace(b"7.25", b"7.35"))
    batch = next(b2stream.follow(config=deployment.config, from_beginning=True))
    with pytest.raises(DamagedObject, match=r"CR1000_Table1\.dat of SE-Htm"):
        b2stream.rows(batch)


def test_it_ends_quietly_when_interrupted_and_when_nobody_reads_any_more(deployment: Deployment) -> None:
    deployment.announce(deployment.archive(6))
    command = "from b2stream.cli import main; main()"
    arguments = [sys.executable, "-c", command, "follow", "--config", str(deployment.config), "--from-beginning"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        for _ in range(6):
            assert b"EC_L99_F01" in following.stdout.readline()
        following.send_signal(signal.SIGINT)
        assert following.wait(PATIENCE_S) == 130
        assert b"Traceback" not in following.stderr.read()
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        following.stdout.readline()
        following.stdout.close()
        deployment.announce(deployment.archive(2))
        assert following.wait(PATIENCE_S) == 0
        assert following.stderr.read() == b""


def test_a_wrong_configuration_is_exit_code_4_and_no_topic_is_named(deployment: Deployment) -> None:
    deployment.config.write_text(deployment.config.read_text().replace(deployment.community, "nobody"))
    ended = follow(deployment, "--timeout-s", "1")
    assert ended.returncode == 4
    assert "topics create" in ended.stderr
    assert Admin(deployment.bootstrap).topic(COMMITS.full_name(deployment.community)).partitions == PARTITIONS
