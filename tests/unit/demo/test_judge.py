"""The judge with its oracle: silent about a whole archive, and for each invariant it names an archive that breaks it."""

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fastavro
import pytest

from b2stream.batches.examining import Examination
from b2stream.batches.identity import id24, sha256_hex
from b2stream.batches.manifest import InLog, build_manifest
from b2stream.contracts import schemas
from b2stream.contracts.framing import Framed
from b2stream.sandbox.demo.check import pids
from b2stream.sandbox.demo.check.canonical import irods_checksum
from tests.faults.judge.oracle import Acknowledged, Look, Oracle
from tests.faults.judge.recorder import differences
from tests.unit.batches import samples
from tests.unit.batches.log_runner import data_object
from tests.unit.demo.acknowledged import LATER_S, TOPIC_ID, Log
from tests.unit.demo.archives import Archive, Committed, committed, table
from tests.unit.handles.stub import PASSWORD, PREFIX, USER, StubHandleServer

DEAD = "f" * 32  # an attempt that no close belongs to
Break = Callable[[Archive, Log], None]


@pytest.fixture
def log(archive: Archive) -> Log:
    """The log of a whole and correct archive."""
    return Log.of(archive)


def test_a_whole_archive_passes_and_every_invariant_was_compared(log: Log, tmp_path: Path) -> None:
    findings = log.findings(tmp_path)
    assert findings.found == []
    compared = {f"{invariant} {what}": number for (invariant, what), number in findings.compared.items()}
    assert compared["I1 acknowledged messages, each looked for"] == 8
    assert compared["I2 committed batches whose sequences run from 0 without a hole"] == 8  # four at each centre
    assert compared["I3 rows published, and archived as published"] == 2 * 18
    assert compared["I5 objects that were there when they were announced"] == 8
    assert compared["I8 committed offsets, each at the time of a look"] == 1
    assert compared["I9 committed batches whose close was looked for among the acknowledged ones"] == 8
    assert {invariant for invariant, _ in findings.compared} >= {"I1", "I2", "I3", "I4", "I5", "I7", "I8", "I9"}


def drop_batch(archive: Archive, log: Log) -> None:
    batch = archive.batches[2]
    for centre in (archive.first, archive.second):
        centre.remove(batch.path, batch.manifest_path)


def forget_a_message(archive: Archive, log: Log) -> None:
    """A block was acknowledged, and its attempt never came to an end of any kind."""
    log.block("SE-Htm", "f" * 32, 0, b"never closed")


def bury_one_block_of_three(archive: Archive, log: Log) -> None:
    """An attempt is dead, and two of its blocks have no letter."""
    for sequence in range(3):
        log.block("SE-Htm", DEAD, sequence, b"block %d" % sequence)
    log.bury(9)


def bury_another_stations(archive: Archive, log: Log) -> None:
    """Two stations have an attempt of one name; there is a letter for the other's block."""
    log.block("SE-Htm", DEAD, 0, b"never closed")
    log.block("XX-Oth", DEAD, 0, b"never closed")
    log.bury(9)


def bury_another_topics(archive: Archive, log: Log) -> None:
    """The letter is of a message at the same offset of another topic."""
    log.block("SE-Htm", DEAD, 0, b"never closed")
    log.bury(8, topic_id="another topic")


def supersede_another_stations(archive: Archive, log: Log) -> None:
    log.block("SE-Htm", DEAD, 0, b"never closed")
    log.close(replace(archive.batches[3].close, supersedes=(DEAD,)))


def conflict_with_what_is_committed(archive: Archive, log: Log) -> None:
    """A block of a committed attempt, of a sequence that the batch has, with other bytes than it has there."""
    log.block(archive.batches[0].close.station, archive.batches[0].close.attempt, 0, b"other bytes")


def conflict_with_what_is_buried(archive: Archive, log: Log) -> None:
    log.block("SE-Htm", DEAD, 0, b"some bytes")
    log.block("SE-Htm", DEAD, 0, b"other bytes")
    log.bury(8)


def commit_twice(archive: Archive, log: Log) -> None:
    """The same batch lies in another month, too."""
    batch = archive.batches[0]
    for centre in (archive.first, archive.second):
        for path, content in ((batch.path, batch.content), (batch.manifest_path, batch.manifest)):
            centre.put(path.replace("/07/", "/08/"), content)


def forget_a_block(archive: Archive, log: Log) -> None:
    """A batch is committed though one of its two blocks was never acknowledged."""
    message, value = log.messages[0]
    log.messages[0] = (replace(message, sequence=1), value)


def publish_other_rows(archive: Archive, log: Log) -> None:
    """What was acknowledged is another file than the one that was archived."""
    other = committed("SE-Htm", "one.csv", table(5, "!"), 5, "EC", None, 0)
    message, _ = log.messages[0]
    log.messages[0] = (message, _value_of(log, other.block))


def flip_byte(archive: Archive, log: Log) -> None:
    archive.second.flip(archive.batches[1].path, 3)


def announce_too_early(archive: Archive, log: Log) -> None:
    """The first commit event was there before the objects were."""
    log.announce(archive.batches[3], at_s=log.now_s - 2 * LATER_S)


def announce_what_is_not_there(archive: Archive, log: Log) -> None:
    batch = archive.batches[1]
    archive.first.remove(batch.path)


def keep_one_copy(archive: Archive, log: Log) -> None:
    batch = archive.batches[1]
    archive.second.remove(batch.path, batch.manifest_path)


def acknowledge_too_early(archive: Archive, log: Log) -> None:
    """The offset was committed a second before the batch was announced."""
    log.looks.append(Look(log.now_s - 1, TOPIC_ID, {0: 4}))


def acknowledge_out_of_order(archive: Archive, log: Log) -> None:
    """A batch at the log's end was announced and acknowledged; the one before it came later."""
    log.said.commits[1]["appended_s"] += 10
    log.looks.append(Look(log.now_s + 5, TOPIC_ID, {0: 8}))


def commit_without_a_close(archive: Archive, log: Log) -> None:
    """Something committed the batch of an attempt whose close came from another station."""
    message, value = log.messages[5]
    log.messages[5] = (replace(message, station="XX-Oth"), value)


def change_the_close(archive: Archive, log: Log) -> None:
    """The manifest's close has other words than the one that its station published."""
    close = replace(archive.batches[2].close, input_format="opaque")
    del log.messages[5:]
    log.close(close)
    log.block("26NA", archive.batches[3].close.attempt, 0, archive.batches[3].block)
    log.close(archive.batches[3].close)


@pytest.mark.parametrize(
    ("act", "invariant", "told"),
    [
        (drop_batch, "I1", "2 acknowledged messages (BatchClosed, MeasurementBlock) of attempt"),
        (forget_a_message, "I1", "1 acknowledged messages (MeasurementBlock) of attempt " + "f" * 32),
        (bury_one_block_of_three, "I1", f"2 acknowledged messages (MeasurementBlock) of attempt {DEAD}"),
        (bury_another_stations, "I1", f"SE-Htm: 1 acknowledged messages (MeasurementBlock) of attempt {DEAD}"),
        (bury_another_topics, "I1", f"SE-Htm: 1 acknowledged messages (MeasurementBlock) of attempt {DEAD}"),
        (supersede_another_stations, "I1", f"SE-Htm: 1 acknowledged messages (MeasurementBlock) of attempt {DEAD}"),
        (conflict_with_what_is_committed, "I1", "1 acknowledged messages (MeasurementBlock) of attempt"),
        (conflict_with_what_is_buried, "I1", f"1 acknowledged messages (MeasurementBlock) of attempt {DEAD}"),
        (commit_twice, "I1", "is committed 2 times"),
        (forget_a_block, "I2", "the close says 1 blocks, the acknowledged ones have sequences [1]"),
        (publish_other_rows, "I3", "the bytes are not the published ones"),
        (flip_byte, "I3", "the bytes are not the published ones"),
        (flip_byte, "I4", "is registered, its bytes have"),
        (announce_too_early, "I5", "before it was made"),
        (announce_what_is_not_there, "I5", "an event names this object, and it is not there"),
        (keep_one_copy, "I7", "it is at csc only"),
        (acknowledge_too_early, "I8", "offset 4 of partition 0 was committed, and 4 messages before it"),
        (acknowledge_out_of_order, "I8", "offset 8 of partition 0 was committed, and 2 messages before it"),
        (commit_without_a_close, "I9", "no close of its station that Kafka acknowledged"),
        (change_the_close, "I9", "the manifest's close is not the acknowledged one: input_format"),
    ],
)
def test_a_broken_archive_is_named(
    archive: Archive, log: Log, tmp_path: Path, act: Break, invariant: str, told: str
) -> None:
    act(archive, log)
    named = [str(one) for one in log.findings(tmp_path).found]
    assert any(one.startswith(invariant + " ") and told in one for one in named), named


def test_I6_data_objects_without_a_pid_record_and_records_without_an_object_are_named(log: Log, tmp_path: Path) -> None:
    secret = tmp_path / "handle.password"
    secret.write_text(PASSWORD)
    with StubHandleServer() as server:
        server.records[f"{PREFIX}/of-nothing"] = (f"{PREFIX}/of-nothing", [])
        log.handle = {"url": server.url, "prefix": PREFIX, "user": USER, "password": {"file": str(secret)}}
        log.handle |= {"ca_file": "", "shared": False}
        named = [str(one) for one in log.findings(tmp_path).found]
    assert [one[:3] for one in named] == ["I6 "] * 5
    assert sum("is not registered" in one for one in named) == 4
    assert sum(f"{PREFIX}/of-nothing is registered".lower() in one.lower() for one in named) == 1


def test_I6_a_pid_record_with_another_checksum_than_its_content_has_is_named(
    archive: Archive, log: Log, tmp_path: Path
) -> None:
    secret = tmp_path / "handle.password"
    secret.write_text(PASSWORD)
    with StubHandleServer() as server:
        for batch in archive.batches:
            _register(server, archive, batch)
        wrong = _register(server, archive, archive.batches[1], content=b"other bytes")
        log.handle = {"url": server.url, "prefix": PREFIX, "user": USER, "password": {"file": str(secret)}}
        log.handle |= {"ca_file": "", "shared": False}
        findings = log.findings(tmp_path)
    (told,) = [str(one) for one in findings.found if "EUDAT/CHECKSUM" in str(one)]
    assert told.startswith("I6 ")
    assert wrong in told
    assert findings.compared["I6", pids.COUNTED] == len(archive.batches)


@pytest.mark.parametrize("rows_are_published", [True, False])
def test_I3_a_stream_of_several_blocks_is_compared_row_by_row(
    archive: Archive, log: Log, tmp_path: Path, rows_are_published: bool
) -> None:
    """Two of its values are missing (NaN), which is equal to missing."""
    stream = samples.sent(samples.cut(samples.table(40), [10, 25]))
    batch = stream_batch(stream, first_offset=8)
    archive.commit(batch)
    if not rows_are_published:
        others = samples.sent(samples.cut(samples.table(40, seed=2), [10, 25]))
        stream = replace(stream, bodies=others.bodies)
    for sequence, body in enumerate(stream.bodies):
        log.block(stream.close.station, stream.close.attempt, sequence, body)
    log.close(stream.close)
    log.announce(batch)
    named = [str(one) for one in log.findings(tmp_path).found if "is of no source file" not in str(one)]
    assert any("the container's records are not the published ones" in one for one in named) is not rows_are_published
    assert any("are not those that the close speaks of" in one for one in named) is not rows_are_published
    assert len(named) == (0 if rows_are_published else 3)  # what the close speaks of is compared at both centres


def stream_batch(stream: samples.Sent, *, first_offset: int) -> Committed:
    """The stream as it is committed, with blocks and close one after the other in the log."""
    examination = Examination(stream.close)
    framed = [Framed(schemas.current("MeasurementBlock"), memoryview(body)) for body in stream.bodies]
    for each in framed:
        examination.take(each)
    last = first_offset + len(framed) - 1
    in_log = InLog(TOPIC_ID, 0, ((first_offset, last),), last + 1, samples.START_US)
    manifest = build_manifest(stream.close, examination.result(), in_log)
    return Committed(stream.close, data_object(stream.close, framed), manifest, b"")


def test_I12_what_a_log_that_is_gone_had_acknowledged_must_still_be_there(
    archive: Archive, log: Log, tmp_path: Path
) -> None:
    drop_batch(archive, log)
    named = [str(one) for one in log.findings(tmp_path, topic_id="a new topic").found]
    assert any(one.startswith("I12 SE-Htm") and "2 acknowledged messages" in one for one in named), named


def test_I12_a_log_that_is_gone_and_whose_batches_are_all_there_is_no_finding(log: Log, tmp_path: Path) -> None:
    findings = log.findings(tmp_path, topic_id="a new topic")
    assert findings.found == []
    assert findings.compared["I12", "acknowledged messages of a log that is gone, each looked for"] == 8


def test_I1_a_message_that_is_buried_or_superseded_is_not_lost(archive: Archive, log: Log, tmp_path: Path) -> None:
    forget_a_message(archive, log)
    log.bury(8)
    assert log.findings(tmp_path).found == []


def test_I1_copies_of_a_block_that_is_committed_or_buried_are_not_lost(
    archive: Archive, log: Log, tmp_path: Path
) -> None:
    batch = archive.batches[0]
    log.block(batch.close.station, batch.close.attempt, 0, batch.block)
    for _ in range(2):
        log.block("SE-Htm", DEAD, 0, b"never closed")
    log.bury(9)
    assert log.findings(tmp_path).found == []


def test_I1_an_attempt_that_sent_a_committed_batch_again_is_not_lost(
    archive: Archive, log: Log, tmp_path: Path
) -> None:
    batch = archive.batches[0]
    log.block(batch.close.station, DEAD, 0, batch.block)
    log.close(replace(batch.close, attempt=DEAD))
    assert log.findings(tmp_path).found == []


def test_I1_an_attempt_that_its_own_station_superseded_is_not_lost(archive: Archive, log: Log, tmp_path: Path) -> None:
    log.block(archive.batches[3].close.station, DEAD, 0, b"never closed")
    log.close(replace(archive.batches[3].close, supersedes=(DEAD,)))
    assert log.findings(tmp_path).found == []


@pytest.mark.parametrize("count", [3, 2])
def test_I1_one_letter_of_a_large_dead_batch_settles_the_blocks_that_lie_in_the_archive(
    archive: Archive, log: Log, tmp_path: Path, count: int
) -> None:
    for sequence in range(3):
        log.block("SE-Htm", DEAD, sequence, b"block %d" % sequence)
    dead = [{"offset": 8 + each, "headers": [], "value": log.messages[8 + each][1]} for each in range(count)]
    out, path = io.BytesIO(), f".dead/{DEAD}-8.avro"
    fastavro.writer(out, schemas.current("DeadBlock").parsed, dead)
    archive.first.put(path, out.getvalue())
    log.bury(8, dead_batch=path)
    named = [str(one) for one in log.findings(tmp_path).found if "acknowledged messages" in str(one)]
    assert len(named) == (3 - count)
    assert all(one.endswith("[0] 10") for one in named), named


@pytest.mark.parametrize("topic_id", [TOPIC_ID, "a new topic"])
def test_I8_an_offset_sampled_ahead_of_the_archive_is_named_also_where_the_log_is_gone(
    archive: Archive, log: Log, tmp_path: Path, topic_id: str
) -> None:
    drop_batch(archive, log)
    log.looks.append(Look(log.now_s + 2, TOPIC_ID, {0: 6}, "events"))
    named = [one for one in log.findings(tmp_path, topic_id, "events").found if one.invariant == "I8"]
    assert "offset 6 of partition 0 was committed, and 2 messages before it" in named[-1].what


@pytest.mark.parametrize("events_id", ["", "the events' topics now"])
def test_I8_of_a_log_that_is_gone_nothing_is_said_where_the_events_are_gone_too(
    log: Log, tmp_path: Path, events_id: str
) -> None:
    log.said.commits.clear()
    log.looks.append(Look(log.now_s - 5, TOPIC_ID, {0: 6}, "the events' topics then"))
    findings = log.findings(tmp_path, "a new topic", events_id)
    assert not [one for one in findings.found if one.invariant == "I8"]


def test_I8_what_someone_accepted_as_lost_may_be_passed_from_then_on_and_is_lost_all_the_same(
    log: Log, tmp_path: Path
) -> None:
    log.block("SE-Htm", DEAD, 0, b"never closed")
    accepted = {"topic_id": TOPIC_ID, "partition": 0, "first_lost": 8, "next": 9, "appended_s": log.now_s + 2}
    log.said.accepted.append(accepted)
    log.looks.append(Look(log.now_s + 3, TOPIC_ID, {0: 9}))
    assert [one.invariant for one in log.findings(tmp_path).found] == ["I1"]


def test_I8_what_someone_accepted_later_may_not_have_been_passed_before(log: Log, tmp_path: Path) -> None:
    log.block("SE-Htm", DEAD, 0, b"never closed")
    accepted = {"topic_id": TOPIC_ID, "partition": 0, "first_lost": 8, "next": 9, "appended_s": log.now_s + 4}
    log.said.accepted.append(accepted)
    log.looks.append(Look(log.now_s + 3, TOPIC_ID, {0: 9}))
    assert sorted(one.invariant for one in log.findings(tmp_path).found) == ["I1", "I8"]


def test_I8_a_message_is_not_done_with_before_it_is_buried(archive: Archive, log: Log, tmp_path: Path) -> None:
    forget_a_message(archive, log)
    log.bury(8)
    log.looks.append(Look(log.now_s - 1, TOPIC_ID, {0: 0}))
    log.looks.append(Look(log.now_s - 0.5, TOPIC_ID, {0: 9}))
    (found,) = log.findings(tmp_path).found
    assert (found.invariant, found.station) == ("I8", "SE-Htm")


def test_I1_what_was_acknowledged_and_is_gone_from_the_log_or_was_changed_there_is_named(log: Log) -> None:
    kept = [message for message, _ in log.messages]
    now = {each.place: each.sha256 for each in kept}
    assert differences(kept, now) == []
    del now[kept[2].place]
    now[kept[3].place] = "0" * 64
    gone, changed = differences(kept, now)
    assert "[0] 2: it was acknowledged, and the log holds it no longer" in gone
    assert "[0] 3: it was acknowledged, and the log holds other bytes there" in changed


def test_the_oracle_is_found_again_in_its_folder(log: Log, tmp_path: Path) -> None:
    Oracle(tmp_path).keep(log.messages[:3])
    Oracle(tmp_path).keep(log.messages[3:])
    again = Oracle(tmp_path)
    assert [again.value(each) for each in again.messages] == [value for _, value in log.messages]
    assert again.next_offsets(TOPIC_ID) == {0: 8}
    found = again.at(TOPIC_ID, 0, 5)
    assert isinstance(found, Acknowledged)
    assert found.sha256 == log.messages[5][0].sha256


def test_no_line_of_the_pipeline_is_loaded_into_the_judge() -> None:
    script = "import sys, tests.faults.judge.__main__; print(*(n for n in sys.modules if n.startswith('b2stream')))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    parents = {"b2stream", "b2stream.sandbox", "b2stream.sandbox.demo"}
    assert [name for name in loaded if name not in parents and not name.startswith("b2stream.sandbox.demo.check")] == []


def _register(server: StubHandleServer, archive: Archive, batch: Committed, content: bytes | None = None) -> str:
    """The PID record of a batch, with its checksum or that of other content; returns the PID."""
    pid = f"{PREFIX}/{id24(sha256_hex(batch.content))}"
    checksum = irods_checksum(sha256_hex(batch.content if content is None else content))
    values = {"EUDAT/CHECKSUM": checksum}
    for kind, centre in (("URL", archive.first), ("EUDAT/REPLICA", archive.second)):
        values[kind] = f"irods://{centre.zone.host}:{centre.zone.port}{centre.root}/{batch.path}"
    entries = [{"type": kind, "data": {"format": "string", "value": value}} for kind, value in values.items()]
    server.records[pid.casefold()] = (pid, entries)
    return pid


def _value_of(log: Log, body: bytes) -> bytes:
    value = log.messages[0][1]
    return value[:10] + body
