"""The whole demo, as a user starts it: real programs, real Kafka, two centres; and it fails when it must."""

import hashlib
import os
import re
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from b2stream.sandbox.zone.process import EmbeddedZone
from tests.acceptance.conftest import Demo, Start

ON_LINUX = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
SMALLEST = ("--size", "tiny")
AT_ONCE = 2

pytestmark = pytest.mark.timeout(1800)


def vault_files(demo: Demo) -> set[tuple[str, int]]:
    """All files of both archives, staging left out, by path and inode: a copy or a replacement is another inode."""
    return {
        (str(file.relative_to(demo.directory)), file.stat().st_ino)
        for role in ("first", "second")
        for file in (demo.directory / role / "vault").rglob("*")
        if file.is_file() and ".staging" not in file.parts
    }


@ON_LINUX
def test_simulated_stations_arrive_whole_through_two_troubles_and_I12_again_with_kafka_and_journals_lost(
    start: Start,
) -> None:
    demo = start(*SMALLEST, "--amnesia", "--json")
    assert demo.wait() == 0, demo.said()
    said = demo.document()
    assert "Kafka is wiped" in demo.said()
    assert "4 commit events published" in demo.said()
    assert "✓ nothing is missing, extra, altered or broken" in demo.said()
    assert demo.said().count("signed by the station (key") == 2, "one data object is verified at both centres"
    assert "the one of 4 data objects that chance chose to be verified" in demo.said()
    assert said["good"] is True
    assert said["check"]["findings"] == []
    assert said["files"] == said["new_files"] == 4
    assert min(said["peak_lag"].values()) >= 1  # both troubles were seen on screen
    assert "is frozen (SIGSTOP)" in demo.said()
    assert "is killed (SIGKILL)" in demo.said()
    compared = said["check"]["compared"]
    assert compared["I1"]["rows known"] > 36_000
    assert set(compared) == {"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I9"}
    assert compared["I9"]["signatures that hold"] == 4
    assert sum(line["verified"] for line in said["check"]["series"]) == 4
    assert demo.left_behind() == []
    _with_kafka_and_all_journals_lost_everything_is_sent_again_and_nothing_copied(demo, start)


def _with_kafka_and_all_journals_lost_everything_is_sent_again_and_nothing_copied(first: Demo, start: Start) -> None:
    archived = vault_files(first)
    shutil.rmtree(first.directory / "kafka")
    for journal in (first.directory / "stations").glob("*/.b2stream"):
        shutil.rmtree(journal)
    second = start(*SMALLEST, "--no-faults", "--json")
    assert second.wait() == 0, second.said()
    assert second.document()["check"]["compared"]["I5"]["batches looked for among commit events"] == 4
    assert vault_files(second) == archived


def test_icos_files_go_through_whole_and_a_second_run_makes_no_second_copy(start: Start, icos_data: Path) -> None:
    files = [path for path in icos_data.iterdir() if path.is_file()]
    before = {path.name: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files}
    first = start("--data", str(icos_data), "--no-faults", "--json")
    assert first.wait() == 0, first.said()
    said = first.document()
    assert said["files"] == len(files)
    assert sum(line["verified"] for line in said["check"]["series"]) == len(files)
    assert said["check"]["compared"]["I1"]["rows known"] == 36_000 + 2_679 + 9 + 347 + 96 + 96 + 98 + 24 + 24 + 8 + 8
    archived = vault_files(first)
    assert len(archived) == 4 * len(files)

    second = start("--data", str(icos_data), "--json")
    assert second.wait() == 0, second.said()
    again = second.document()
    assert (again["files"], again["new_files"]) == (len(files), 0)
    kept = again["check"]["compared"]["I4"]["objects that an earlier run left, each the same as then"]
    assert kept == 4 * len(files)
    assert vault_files(second) == archived
    after = {path.name: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files}
    assert after == before  # the user's files are only read


def test_a_broken_archive_fails_the_demo_which_names_the_place(start: Start) -> None:
    told = {
        "flip-byte": r"I3 SE-Sim \S+ at fzj \S+: the bytes are not those of the source file: the first difference is",
        "drop-batch": r"I1 SE-Sim \S+ at csc: the file is in no committed batch",
    }
    demos = {
        sabotage: start(*SMALLEST, "--no-faults", directory=sabotage, B2STREAM_DEMO_SABOTAGE=sabotage)
        for sabotage in told
    }
    for sabotage, demo in demos.items():
        assert demo.wait() == 1, demo.said()
        assert re.search(told[sabotage], demo.said()), demo.said()
        assert "FAILED" in demo.said()


@ON_LINUX
def test_a_demo_that_is_interrupted_or_killed_at_any_moment_leaves_no_process_behind(start: Start) -> None:
    moments = [("kafka: ", signal.SIGINT), ("is frozen", signal.SIGINT), ("independent check:", signal.SIGINT)]
    if os.environ.get("B2STREAM_FAULTS") == "all":
        moments += [("files of 3 stations", signal.SIGINT), ("is killed", signal.SIGINT)]
    moments += [("is frozen", signal.SIGKILL)]

    def end_at(number: int) -> None:
        moment, ending = moments[number]
        demo = start(*SMALLEST, directory=f"demo-{number}")
        demo.wait_for(moment)
        assert demo.processes()
        demo.process.send_signal(ending)
        assert demo.wait() == (130 if ending == signal.SIGINT else -ending), demo.said()
        assert demo.left_behind() == [], f"{ending.name} at {moment!r}"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(end_at, range(len(moments))))


@ON_LINUX
def test_what_the_user_runs_already_is_used_and_left_alone(
    start: Start, kafka_bootstrap: str, community: str, tmp_path: Path
) -> None:
    with (
        EmbeddedZone(tmp_path / "mine", "mineZone", password="from a file") as first,
        EmbeddedZone(tmp_path / "theirs", "theirsZone", password="from the environment") as second,
    ):
        secret = tmp_path / "secret"
        secret.touch(mode=0o600)
        secret.write_text("from a file\n")
        demo = start(
            *(*SMALLEST, "--kafka", kafka_bootstrap, "--community", community, "--first-password-file", str(secret)),
            *("--first", f"irods://rods@127.0.0.1:{first.port}{first.home}/a/b"),
            *("--second", f"irods://rods@127.0.0.1:{second.port}{second.home}/c"),
            B2STREAM_SECOND_PASSWORD="from the environment",
        )
        assert demo.wait() == 0, demo.said()
        assert "fzj is your own and is left alone" in demo.said()
        assert "All 4 files are whole, once, at both centres" in demo.said()
        assert first.pid
        assert second.pid
        assert not (demo.directory / "kafka").exists()
        assert not (demo.directory / "first").exists()
        assert "from a" not in (demo.directory / "plan.json").read_text()
        assert demo.left_behind() == []


@ON_LINUX
def test_two_demos_do_not_work_in_one_directory_and_ctrl_c_ends_the_one_at_its_start(start: Start) -> None:
    demo = start(*SMALLEST)
    demo.wait_for("files of 3 stations")
    other = start(*SMALLEST)
    assert other.wait() == 4
    assert "Another demo works in this directory" in other.said()
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 130
    assert demo.left_behind() == []
