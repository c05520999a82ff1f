"""The processor's memory (I10): a file of 1 GB, and 10,000 open attempts with 1,024 file descriptors. Opt-in: `make memory`.

What is measured is the kernel's own high-water mark of resident memory (VmHWM), read once the work is done.
"""

import hashlib
import http.client
import os
import random
import re
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from b2stream.contracts import blocks, schemas
from b2stream.contracts.blocks import Block, Variable
from b2stream.contracts.envelopes import block_headers, close_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.partitions import partition_of
from b2stream.sandbox.ports import free_port
from b2stream.sandbox.processes import Process
from tests.integration.processor.conftest import PARTITIONS, Deployment
from tests.unit.processor.stations import SCHEMA, START_US, StationBatch, attempt_name
from tests.waiting import until

LIMIT_BYTES = 300 << 20
PIECE_BYTES = 256 << 10
PIECES = 4096
ROWS = 500
LOOK_EVERY_S = 0.1  # whoever is asked more often is measured with the work of answering

pytestmark = [
    pytest.mark.skipif(os.environ.get("B2STREAM_FAULTS") != "all", reason="takes minutes; `make memory` runs it"),
    pytest.mark.timeout(900),
]


def peak_bytes(process: Process) -> int:
    """The most resident memory that the process ever had, and each of those that examine for it."""
    pids = [str(process.pid)]
    for thread in Path(f"/proc/{process.pid}/task").iterdir():
        pids += (thread / "children").read_text(encoding="ascii").split()
    peaks = [re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii")) for pid in pids]
    return sum(int(peak[1]) << 10 for peak in peaks if peak is not None)


def metric(port: int, name: str) -> float:
    """One number of the processor's metrics page, -1 while there is no such page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        page = connection.getresponse().read().decode()
    except OSError:
        return -1.0
    finally:
        connection.close()
    found = re.search(rf"^{name} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else -1.0


def piece(number: int) -> Block:
    """One block of the large file: 256 KiB of it, 500 rows of ten variables."""
    raw = random.Random(number).randbytes(PIECE_BYTES)
    values = np.frombuffer(raw[: ROWS * 10 * 8], dtype="<i8").astype(np.float64).reshape(10, ROWS) / 2**40
    seconds = (np.arange(ROWS, dtype=np.float64) + number * ROWS) / np.float64(2000.0)
    variables = tuple(Variable(f"v{at}", "1", values[at]) for at in range(10))
    return Block("SE-Htm", "large", START_US, seconds, variables, (), raw)


def send_large_file(deployment: Deployment, attempt: str) -> str:
    """Publish a file of 1 GiB in 4,096 blocks and its close; the file's SHA-256."""
    content, file = hashlib.sha256(), hashlib.sha256()
    partition = partition_of("SE-Htm", PARTITIONS)
    last: Future[Any] | None = None
    for number in range(PIECES):
        block = piece(number)
        assert block.raw is not None
        body = blocks.encode(block)
        content.update(body)
        file.update(block.raw)
        headers = block_headers("SE-Htm", "large", attempt, number)
        last = deployment.producer.publish(
            deployment.topic, partition, b"SE-Htm", Framing().frame(SCHEMA, body), headers
        )
    assert last is not None
    last.result(120)
    close = StationBatch(
        station="SE-Htm",
        series="large",
        changes={
            "stem": f"large-{attempt[-3:]}",
            "count": PIECES,
            "rows": PIECES * ROWS,
            "start_us": START_US,
            "stop_us": START_US + round((PIECES * ROWS - 1) / 2000.0 * 1e6),
            "content_digest": content.hexdigest(),
            "raw_sha256": file.hexdigest(),
            "raw_size_bytes": PIECES * PIECE_BYTES,
        },
    ).record(attempt)
    value = Framing().frame(schemas.current("BatchClosed"), close.to_body())
    headers = close_headers("SE-Htm", "large", attempt)
    deployment.producer.publish(deployment.topic, partition, b"SE-Htm", value, headers).result(120)
    return file.hexdigest()


@pytest.mark.parametrize("spool_bytes", [8 << 30, 1 << 20], ids=["from the spool", "read again from the log"])
def test_I10_a_file_of_1_GB_needs_less_than_300_MB(deployment: Deployment, spool_bytes: int) -> None:
    deployment.configure(processor={"spool_bytes": spool_bytes}, first={"timeout_s": 60.0})
    sha256 = send_large_file(deployment, attempt_name(1))
    started = time.monotonic()
    process = deployment.start()
    until(deployment.is_all_acknowledged, timeout_s=600.0, poll_s=LOOK_EVERY_S)
    elapsed_s = time.monotonic() - started
    (event,) = deployment.events()
    assert (event.sha256, event.size_bytes) == (sha256, PIECES * PIECE_BYTES)
    peak = peak_bytes(process)
    print(f"1 GiB, spool of {spool_bytes >> 20} MiB: peak {peak >> 20} MiB in {elapsed_s:.0f} s")
    assert peak < LIMIT_BYTES


def test_I10_ten_thousand_open_attempts_need_less_than_300_MB_and_1024_descriptors(deployment: Deployment) -> None:
    port = free_port()
    deployment.configure(monitoring={"port": port})
    batches = {attempt_name(at): StationBatch(f"ST-{at % 97:03d}", f"s{at // 97}", at) for at in range(10_000)}
    deployment.send(*(batch.block(name, 0) for name, batch in batches.items()))
    process = deployment.start(limit_files=1024)
    until(lambda: metric(port, "b2stream_processor_open_attempts") == 10_000, timeout_s=300.0, poll_s=LOOK_EVERY_S)
    open_files = len(os.listdir(f"/proc/{process.pid}/fd"))
    closing = dict(list(batches.items())[:100])
    deployment.send(*([*batch.blocks(name)[1:], batch.close(name)] for name, batch in closing.items()))
    until(lambda: len({event.batch for event in deployment.events()}) == 100, timeout_s=120.0, poll_s=LOOK_EVERY_S)
    peak = peak_bytes(process)
    print(f"10,000 open attempts: peak {peak >> 20} MiB, {open_files} file descriptors")
    assert metric(port, "b2stream_processor_open_attempts") == 9_900
    assert peak < LIMIT_BYTES
    assert open_files < 200
