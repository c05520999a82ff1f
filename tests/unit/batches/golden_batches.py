"""Two small batches whose bytes are frozen: plain numbers, no random generator that a new release could change.

`python -m tests.unit.batches.golden_batches` writes the golden files again; only a new container, manifest or summary
version is a reason to do so.
"""

from pathlib import Path

import numpy as np

from b2stream.batches.examining import Examination
from b2stream.batches.manifest import InLog, build_manifest
from b2stream.contracts import schemas
from b2stream.contracts.blocks import Block, Label, Variable
from b2stream.contracts.framing import Framed
from b2stream.contracts.records import Relation
from tests.unit.batches.log_runner import data_object
from tests.unit.batches.samples import START_US, TOPIC_ID, Sent, cut, sent

FOLDER = Path(__file__).parent / "golden"
ROWS = 40
IN_LOG = InLog(TOPIC_ID, 3, ((10, 12), (20, 20)), 21, START_US + 2_000_000)


def rows() -> Block:
    count = np.arange(ROWS, dtype=np.float64)
    co2 = 410 + (count * count % 7) / 8
    co2[5] = np.nan
    return Block(
        station="SE-Htm",
        series="EC_L99_F01",
        start_us=START_US,
        offsets_s=count * 60,
        variables=(Variable("CO2", "µmol mol-1", co2), Variable("T_SONIC", "K", 280 + count / 3)),
        labels=(Label("CO2 QC Flag", ["4" if at % 9 == 8 else "2" for at in range(ROWS)], ("CO2",), ("4",)),),
        raw=None,
    )


FILE = b"".join(b"%d,%d\r\n" % (at, at * at) for at in range(ROWS))
STREAM = sent(cut(rows(), [15, 30]), attempt=1, previous="f" * 64)
A_FILE = sent(
    cut(rows(), [15, 30]),
    attempt=2,
    file=FILE,
    name="Tag 1 ~ 100%.csv",
    stem="Tag%201%20%7E%20100%25",
    relation=Relation("replaces", "e" * 64),
    signature="c2lnbmF0dXJl",
)


def framed(batch: Sent) -> list[Framed]:
    return [Framed(schemas.current("MeasurementBlock"), memoryview(body)) for body in batch.bodies]


def container() -> bytes:
    return data_object(STREAM.close, framed(STREAM))


def manifest(batch: Sent) -> bytes:
    examination = Examination(batch.close)
    for each in framed(batch):
        examination.take(each)
    return build_manifest(batch.close, examination.result(), IN_LOG)


if __name__ == "__main__":
    (FOLDER / "stream.avro").write_bytes(container())
    (FOLDER / "stream.manifest.json").write_bytes(manifest(STREAM))
    (FOLDER / "file.manifest.json").write_bytes(manifest(A_FILE))
