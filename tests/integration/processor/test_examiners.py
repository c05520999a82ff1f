"""Batches examined in a process of its own: the same result, and nothing that happens to that process is the end of anything."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from b2stream.batches.assembling import Attempt, Piece
from b2stream.contracts import schemas
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed
from b2stream.errors import Poison, Retryable
from b2stream.programs.processor.bodies import SpooledBodies
from b2stream.programs.processor.examining.examiners import SMALLEST_BYTES, Elsewhere, Here
from b2stream.programs.processor.spool import Spool
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.waiting import until

ONE = attempt_name(1)
LARGE = StationBatch(content=tuple(bytes([letter]) * 100_000 for letter in b"abcdefgh"), columns=3)
LARGE_STREAM = replace(LARGE, is_stream=True, rows_per_block=8_000)
SMALL = StationBatch()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(str(tmp_path), 1 << 30)
    yield spool
    spool.close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    examiner = Elsewhere(Framing(), 1)
    yield examiner
    examiner.close()


def spooled(
    spool: Spool, batch: StationBatch, framing: Framing | None = None, order: slice = slice(None)
) -> tuple[BatchClosed, SpooledBodies]:
    """A closed batch whose blocks lie in the spool, in this order of arrival."""
    attempt = Attempt(ONE, batch.station, 0)
    numbered = list(enumerate(batch.bodies()))[order]
    for offset, (sequence, body) in enumerate(numbered):
        value = (framing or Framing()).frame(schemas.current("MeasurementBlock"), body)
        attempt.add(Piece(sequence, offset, *spool.append(f"{batch.series}-{ONE}", value)))
    return batch.record(ONE), SpooledBodies(spool, f"{batch.series}-{ONE}", attempt, len(batch.content))


@pytest.mark.parametrize("batch", [LARGE, LARGE_STREAM], ids=["file", "stream"])
@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["in sequence", "backwards"])
def test_the_result_is_the_same_as_in_a_thread(
    batch: StationBatch, order: slice, spool: Spool, elsewhere: Elsewhere
) -> None:
    close, bodies = spooled(spool, batch, order=order)
    assert bodies.attempt.size_bytes > SMALLEST_BYTES
    assert elsewhere.examine(close, bodies) == Here(Framing()).examine(close, bodies)


def test_what_is_not_true_is_refused_with_the_same_reason_and_detail(spool: Spool, elsewhere: Elsewhere) -> None:
    close, bodies = spooled(spool, LARGE.with_close(rows=7))
    with pytest.raises(Poison) as here:
        Here(Framing()).examine(close, bodies)
    with pytest.raises(Poison) as there:
        elsewhere.examine(close, bodies)
    assert (there.value.reason, there.value.detail) == (here.value.reason, here.value.detail)
    assert there.value.reason == "close_mismatch"


def test_ids_of_a_registry_are_known_there_without_asking_it(spool: Spool, elsewhere: Elsewhere) -> None:
    schema = schemas.current("MeasurementBlock")
    asked = []

    def text_by_id(number: int) -> str:
        asked.append(number)
        return schema.text

    framing = Framing(text_by_id, lambda _schema: 7)
    close, bodies = spooled(spool, LARGE, framing)
    framing.unframe(next(bodies()))  # as every block is when it arrives
    examiner = Elsewhere(framing, 1)
    try:
        assert examiner.examine(close, bodies).raw_sizes == (100_000,) * 8
    finally:
        examiner.close()
    assert asked == [7]


def test_what_nobody_foresaw_concerns_that_batch_alone(spool: Spool, elsewhere: Elsewhere) -> None:
    close, bodies = spooled(spool, LARGE)
    spool.forget(bodies.key)
    with pytest.raises(RuntimeError, match="FileNotFoundError"):
        elsewhere.examine(close, bodies)
    close, bodies = spooled(spool, LARGE)
    assert elsewhere.examine(close, bodies).raw_sizes == (100_000,) * 8


def test_I11_a_process_that_dies_is_replaced_and_its_batch_is_tried_again(spool: Spool, elsewhere: Elsewhere) -> None:
    close, bodies = spooled(spool, LARGE)
    (worker,) = children()
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(Retryable):
        elsewhere.examine(close, bodies)
    assert elsewhere.examine(close, bodies).raw_sizes == (100_000,) * 8
    assert children() != [worker]


def test_signals_to_the_whole_group_are_for_the_processor_alone(spool: Spool, elsewhere: Elsewhere) -> None:
    close, bodies = spooled(spool, LARGE)
    elsewhere.examine(close, bodies)  # it has begun to work, so it heeds no signal any more
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(children()[0], number)
    assert elsewhere.examine(close, bodies).raw_sizes == (100_000,) * 8


def test_small_batches_are_not_sent_away(spool: Spool) -> None:
    nobody = Elsewhere(Framing(), 0)
    close, bodies = spooled(spool, SMALL)
    assert nobody.examine(close, bodies).raw_sizes == tuple(len(piece) for piece in SMALL.content)


def test_who_waits_for_a_process_does_not_wait_for_ever_when_the_processor_ends(spool: Spool) -> None:
    close, bodies = spooled(spool, LARGE)
    nobody = Elsewhere(Framing(), 0)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(nobody.examine, close, bodies) for _ in range(2)]
        nobody.close()
        for each in waiting:
            with pytest.raises(Retryable):
                each.result(60)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["idle", "frozen at first"])
def test_processes_end_with_the_one_that_started_them_however_it_ended(end: signal.Signals) -> None:
    holder = """
import sys
from b2stream.contracts.framing import Framing
from b2stream.programs.processor.examining.examiners import Elsewhere
examiner = Elsewhere(Framing(), 2)
print("holding", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", holder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"holding\n"
        workers = children(process.pid)
        assert len(workers) == 2
        process.send_signal(end)
        process.send_signal(signal.SIGKILL)
    until(lambda: not any(is_alive(worker) for worker in workers), "an examining process lives on")


def children(pid: int | None = None) -> list[int]:
    """Examining processes that a process started."""
    parent = pid or os.getpid()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it ended
        if int(fields[1]) == parent and fields[0] != "Z" and b"processor.examining.process" in command:
            found.append(int(folder.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether it runs; one that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
