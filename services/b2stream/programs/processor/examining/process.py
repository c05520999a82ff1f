"""A process that examines batches for a processor: `python -m b2stream.programs.processor.examining.process DESCRIPTOR`.

It has no connection to any server and writes nothing. It ends when the other end of its pipe is closed, which is so
however the processor ended; signals to the whole group are for the processor alone.
"""

import contextlib
import signal
import sys
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection

from b2stream.allocation import keep_freed_memory
from b2stream.batches.examining import Examination, Examined
from b2stream.contracts import schemas
from b2stream.contracts.framing import Framing
from b2stream.errors import Poison
from b2stream.programs.processor.examining.examiners import Answer, Task
from b2stream.programs.processor.spool import read_blocks


class _Orphaned(Exception):
    """The processor is gone."""


def main(descriptor: int) -> None:
    """Answer tasks until the processor closes its end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    keep_freed_memory()
    pipe: Connection = Connection(descriptor)
    with contextlib.suppress(EOFError, OSError, _Orphaned):
        while True:
            task: Task = pipe.recv()
            pipe.send(_answer(pipe, task))


def _answer(pipe: Connection, task: Task) -> Answer:
    try:
        return Answer(examined=_examined(pipe, task))
    except Poison as poison:
        return Answer(poison=(poison.detail, poison.reason))
    except _Orphaned:
        raise
    except Exception:  # it concerns this batch alone, and the processor says so
        return Answer(failed=traceback.format_exc())


def _examined(pipe: Connection, task: Task) -> Examined:
    framing = Framing(lambda number: schemas.released(task.schemas_by_id[number]).text)
    examination = Examination(task.close)
    for value in _watching(pipe, read_blocks(task.path, zip(task.positions, task.sizes_bytes, strict=True))):
        examination.take(framing.unframe(value))
    return examination.result()


def _watching(pipe: Connection, values: Iterator[bytes]) -> Iterator[bytes]:
    """A large batch takes seconds: nobody shall find this process alive so long after the processor died."""
    for value in values:
        yield value
        if pipe.poll():  # nothing is asked before the answer is there: it is the end
            raise _Orphaned


if __name__ == "__main__":
    main(int(sys.argv[1]))
