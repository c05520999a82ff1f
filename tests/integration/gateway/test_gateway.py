"""The gateway program on a real Kafka: files in, batches in the log, receipts back."""

import json
import shutil
import signal
import sys
from pathlib import Path

import pytest

from b2stream.contracts import topics
from b2stream.contracts.envelopes import event_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.letters import Letter
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchClosed
from b2stream.kafka import Producer, read_range
from tests.integration.gateway.stations import PARTITIONS, StationStand
from tests.unit.gateway.events import commit_of, letter_of, message, replica_of, value_of
from tests.unit.gateway.stands import STATION, judge, toa5
from tests.waiting import PATIENCE_S, until

CONTENTS = {"met.dat": toa5(2000), "blob.bin": bytes(range(256)) * 2000, "empty.csv": b""}


@pytest.fixture
def filled(station: StationStand) -> StationStand:
    for name, content in CONTENTS.items():
        (station.folder / name).write_bytes(content)
    return station


def answer(station: StationStand, topic: topics.Topic, value: bytes, letter: Letter | None = None) -> None:
    """Publish what a processor or replicator would."""
    producer = Producer(station.bootstrap, "test")
    headers = message("", 0, STATION, b"", letter).headers if letter else event_headers("x", "x", "x", source="test")
    partition = partition_of(STATION, PARTITIONS)
    producer.publish(topic.full_name(station.community), partition, STATION.encode(), value, headers).result(PATIENCE_S)
    producer.close()


def closes(station: StationStand) -> list[BatchClosed]:
    return station.log().closes()


def test_I3_a_folder_is_published_once_byte_for_byte(filled: StationStand) -> None:
    first = filled.run("--once", "--wait", "sent")
    assert (first.returncode, first.stdout) == (0, "3 files: 3 sent\n"), first.stderr
    assert {batch.close.name: batch.raw for batch in judge(filled.log()).values()} == CONTENTS
    end = filled.end_offset()
    assert filled.run("--once", "--wait", "sent").returncode == 0
    assert filled.end_offset() == end, "the second run published something"


def test_every_icos_file_goes_through_byte_for_byte(station: StationStand, icos_data: Path) -> None:
    files = {path.name: path.read_bytes() for path in icos_data.iterdir() if path.is_file()}
    for name, content in files.items():
        (station.folder / name).write_bytes(content)
    done = station.run("--once", "--wait", "sent")
    assert done.returncode == 0, done.stderr
    assert {batch.close.name: batch.raw for batch in judge(station.log()).values()} == files


def test_receipts_come_back_and_once_ends_when_the_last_is_there(filled: StationStand) -> None:
    assert filled.run("--once", "--wait", "sent").returncode == 0
    waiting = filled.start("--once", "--wait", "replicated")
    for close in closes(filled):
        answer(filled, topics.COMMITS, value_of(commit_of(close)))
    until(lambda: filled.outcomes() == 3 * ["committed"], "the commits arrive")
    assert waiting.poll() is None
    for close in closes(filled):
        answer(filled, topics.REPLICAS, value_of(replica_of(close)))
    assert waiting.wait(PATIENCE_S) == 0
    listed = filled.run("receipts", "--json")
    assert listed.returncode == 0
    assert {each["state"] for each in json.loads(listed.stdout)["files"]} == {"replicated"}


def test_a_poison_letter_is_a_refusal_until_retry(filled: StationStand) -> None:
    assert filled.run("--once", "--wait", "sent").returncode == 0
    sent = closes(filled)
    for close in sent:
        if close.name == "blob.bin":
            answer(filled, topics.DEAD_LETTERS, b"original", letter_of(close, "bad_block", poison=True))
        else:
            answer(filled, topics.COMMITS, value_of(commit_of(close)))
    refused = filled.run("--once")
    assert refused.returncode == 1
    assert "refused: blob.bin: bad_block: in words" in refused.stdout
    assert len(closes(filled)) == 3, "what was refused is not sent again by itself"
    assert filled.run("retry", "blob.bin").returncode == 0
    assert filled.run("--once", "--wait", "sent").returncode == 0
    (again,) = [close for close in closes(filled) if close.name == "blob.bin" and close not in sent]
    assert again.supersedes == tuple(close.attempt for close in sent if close.name == "blob.bin")


def test_nothing_that_is_not_there_in_time_is_waited_for_for_ever(filled: StationStand) -> None:
    done = filled.run("--once", "--timeout", "1", B2STREAM_GATEWAY_SETTLE_S="0")
    assert done.returncode == 3
    assert done.stdout == "3 files: 3 sent\n"


def test_a_topic_that_was_made_anew_gets_everything_again_that_has_no_commit(filled: StationStand) -> None:
    first = filled.start()
    until(lambda: filled.outcomes() == 3 * ["sent"], "everything is sent")
    (committed, *others) = closes(filled)
    answer(filled, topics.COMMITS, value_of(commit_of(committed)))
    until(lambda: filled.outcomes() == ["committed", "sent", "sent"], "the commit arrives")
    first.terminate()
    assert first.wait(PATIENCE_S) == 0
    filled.admin.delete_topic(filled.topic)
    filled.make_topics()
    second = filled.start()
    until(lambda: len(closes(filled)) == 2, "what has no commit is sent again")
    second.terminate()
    assert second.wait(PATIENCE_S) == 0
    again = closes(filled)
    assert {close.name for close in again} == {close.name for close in others}
    assert {close.raw_sha256 for close in again} == {close.raw_sha256 for close in others}


def test_another_number_of_partitions_stops_the_gateway_before_it_publishes(filled: StationStand) -> None:
    done = filled.run("--once", B2STREAM_KAFKA_PARTITIONS="5")
    assert done.returncode == 4
    assert "has 3 partitions, kafka.partitions is 5" in done.stderr
    assert filled.end_offset() == 0


def test_a_topic_with_the_stations_own_clock_stops_the_gateway(filled: StationStand) -> None:
    filled.admin.delete_topic(filled.topic)
    filled.admin.create_topic(filled.topic, PARTITIONS, 1, {"message.timestamp.type": "CreateTime"})
    done = filled.run("--once")
    assert done.returncode == 4
    assert "LogAppendTime" in done.stderr


def test_missing_topics_are_an_error_that_names_the_cure(filled: StationStand) -> None:
    done = filled.run("--once", B2STREAM_GENERAL_COMMUNITY="nobody")
    assert done.returncode == 4
    assert "b2stream topics create" in done.stderr


def test_a_second_gateway_on_the_same_journal_is_refused(filled: StationStand) -> None:
    filled.start()
    until(lambda: len(closes(filled)) == 3, "the first publishes")
    second = filled.run("--once")
    assert second.returncode == 1
    assert "Another gateway works with this journal" in second.stderr


def test_I10_a_large_opaque_file_needs_little_memory(station: StationStand) -> None:
    """300 MiB stand for any size: above the parsing limit a file stays on disk, whatever its length."""
    size_bytes = 300 << 20
    with (station.folder / "large.bin").open("wb") as large:
        large.truncate(size_bytes)
    # Linux: not ru_maxrss, which a process inherits from the one that started it (here pytest, grown by other tests).
    code = (
        "import pathlib, resource, sys; from b2stream.cli import main\n"
        "status = pathlib.Path('/proc/self/status')\n"
        "try: main()\n"
        "finally:\n"
        "    peak = status.read_text().split('VmHWM:')[1].split()[0] if status.exists() else None\n"
        "    print(peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    done = station.run("--once", "--wait", "sent", timeout_s=250, command=[sys.executable, "-c", code])
    assert done.returncode == 0, done.stderr
    end = station.end_offset()
    (last,) = read_range(station.bootstrap, station.topic, station.partition, end - 1, end - 1, client_id="judge")
    assert BatchClosed.from_framed(Framing().unframe(last.value)).raw_size_bytes == size_bytes
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    assert int(done.stderr.splitlines()[-1]) * unit_bytes < 200 << 20


def test_sigterm_ends_a_gateway_at_rest_with_0(station: StationStand) -> None:
    process = station.start()
    (station.folder / "a.bin").write_bytes(b"1")
    until(lambda: len(closes(station)) == 1, "a file is published")
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


def test_what_is_written_moved_and_corrected_while_it_runs_is_published(station: StationStand) -> None:
    station.start()
    (station.folder / "a.dat.part").write_bytes(toa5(10))
    (station.folder / "a.dat.part").rename(station.folder / "a.dat")
    until(lambda: len(closes(station)) == 1, "the first content")
    (station.folder / "a.dat").write_bytes(toa5(20))
    until(lambda: len(closes(station)) == 2, "the correction")
    shutil.copy(station.folder / "a.dat", station.folder / "b.dat")
    until(lambda: len(closes(station)) == 3, "the copy under another name")
    first, second, third = closes(station)
    assert (first.rows, second.rows, third.rows) == (10, 20, 20)
    assert first.relation is None
    assert second.relation is not None
    assert third.relation is None
    judge(station.log())
