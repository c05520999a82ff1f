"""What a close promises against what its blocks are: the one place where a batch is accepted or refused.

Blocks are taken in sequence, once, in bounded memory; nothing here knows whether they come from the spool or from the log.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from b2stream.batches.container import container_header, sync_marker
from b2stream.batches.container import frame as container_frame
from b2stream.batches.summary import Column, Summary, SummaryBuilder, instants_us, numbered
from b2stream.contracts import blocks, schemas
from b2stream.contracts.framing import Framed
from b2stream.contracts.records import CONTAINER_AVRO, CONTAINER_FILE, BatchClosed
from b2stream.errors import Poison

MOST_COLUMNS = 20_000
"""A batch with more columns, all of its blocks together, would need a manifest and a memory without limit (I10)."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A batch whose blocks are what its close promises.

    `variables` are (name, unit, finite readings) in order of appearance; `raw_sizes` are the sizes of the pieces of the
    file, block by block, empty for a container.
    """

    summary: Summary
    variables: list[tuple[str, str, int]]
    labels: list[str]
    raw_sizes: tuple[int, ...] = ()


class Examination:
    """Examines one attempt. `take` each block in sequence, then ask for the `result`."""

    def __init__(self, close: BatchClosed) -> None:
        if close.container_format not in (CONTAINER_FILE, CONTAINER_AVRO):
            raise Poison(f"container format {close.container_format}", reason="unknown_container")
        self._close = close
        self._summary = SummaryBuilder(close.window_s)
        self._content = hashlib.sha256()
        self._object = hashlib.sha256()
        self._size_bytes = 0
        self._raw_sizes: list[int] = []
        self._count = 0
        self._rows = 0
        self._start_us: int | None = None
        self._stop_us: int | None = None
        self._variables: dict[tuple[Column, int], int] = {}
        self._columns: tuple[Column, ...] = ()
        self._keys: list[tuple[Column, int]] = []  # of these columns
        self._labels: dict[str, None] = {}
        self._sync = b""
        if close.container_format == CONTAINER_AVRO:
            if close.start_us is None:
                raise Poison("a container of blocks needs a start", reason="bad_close")
            self._sync = sync_marker(close.station, close.series, close.start_us)
            self._put(container_header(schemas.released(close.schema_fingerprint), self._sync))

    def take(self, framed: Framed) -> None:
        """The next block in sequence. Raises Poison where it cannot belong to this close."""
        close = self._close
        if framed.schema.fingerprint != close.schema_fingerprint:
            raise Poison(
                f"a block has schema {framed.schema.fingerprint}, the close says {close.schema_fingerprint}",
                reason="two_schemas",
            )
        block = blocks.decode(framed)
        if (block.station, block.series) != (close.station, close.series):
            detail = f"a block is of {block.station}/{block.series}, the close of {close.station}/{close.series}"
            raise Poison(detail, reason="wrong_series")
        self._content.update(framed.body)
        if close.container_format == CONTAINER_AVRO:
            for piece in container_frame(framed.body, self._sync):
                self._put(piece)
        elif block.raw is None:
            raise Poison("a block of a file has no piece of the file", reason="no_raw")
        else:
            self._put(block.raw)
            self._raw_sizes.append(len(block.raw))
        self._count += 1
        self._rows += block.rows
        if block.rows:
            instants = instants_us(block)
            self._note(block, instants)
            self._summary.take(block, instants)

    def result(self) -> Examined:
        """Compare everything with the close. Raises Poison (reason `close_mismatch`), naming each difference."""
        close = self._close
        found = {
            "count": self._count,
            "rows": self._rows,
            "start_us": self._start_us,
            "stop_us": self._stop_us,
            "content_digest": self._content.hexdigest(),
            "raw_sha256": self._object.hexdigest(),
            "raw_size_bytes": self._size_bytes,
        }
        differences = [
            f"{name} is {value}, the close says {getattr(close, name)}"
            for name, value in found.items()
            if value != getattr(close, name)
        ]
        if differences:
            raise Poison("; ".join(differences), reason="close_mismatch")
        variables = [(name, unit, count) for ((name, unit), _), count in self._variables.items()]
        return Examined(self._summary.summary(), variables, list(self._labels), tuple(self._raw_sizes))

    def _put(self, piece: bytes | memoryview) -> None:
        self._object.update(piece)
        self._size_bytes += len(piece)

    def _note(self, block: blocks.Block, instants: NDArray[np.int64]) -> None:
        first, last = int(instants.min()), int(instants.max())
        self._start_us = first if self._start_us is None else min(self._start_us, first)
        self._stop_us = last if self._stop_us is None else max(self._stop_us, last)
        columns = tuple((variable.name, variable.unit) for variable in block.variables)
        if columns != self._columns:
            self._columns, self._keys = columns, numbered(columns)
        for key, variable in zip(self._keys, block.variables, strict=True):
            finite = int(np.count_nonzero(np.isfinite(variable.values)))
            self._variables[key] = self._variables.get(key, 0) + finite
        for label in block.labels:
            self._labels[label.name] = None
        if len(self._variables) + len(self._labels) > MOST_COLUMNS:
            raise Poison(f"more than {MOST_COLUMNS} columns", reason="too_many_columns")
