"""What a station publishes: the blocks and the close of a batch, as a gateway would, or not quite."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from b2stream.batches.container import container_chunks
from b2stream.contracts import blocks, schemas
from b2stream.contracts.blocks import Block, Label, Variable
from b2stream.contracts.envelopes import Headers, block_headers, close_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import CONTAINER_AVRO, CONTAINER_FILE, BatchClosed

START_US = 1_780_000_000_000_000
SCHEMA = schemas.current("MeasurementBlock")


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as it is handed to Kafka."""

    key: bytes
    value: bytes
    headers: Headers


@dataclass(frozen=True)
class StationBatch:
    """A batch of `rows_per_block` rows in each of its blocks; equal fields give equal bytes, on every attempt."""

    station: str = "SE-Htm"
    series: str = "EC_L99_F01"
    number: int = 1
    content: tuple[bytes, ...] = (b"first,", b"second,", b"third")
    rows_per_block: int = 4
    is_stream: bool = False
    start_us: int | None = START_US
    columns: int = 1
    changes: dict[str, Any] = field(default_factory=dict)  # fields of the close that say something else

    def with_close(self, **changes: Any) -> "StationBatch":
        """The same batch with a close that says something else."""
        return replace(self, changes={**self.changes, **changes})

    @property
    def stem(self) -> str:
        return str(self.changes.get("stem", f"{self.station}_{self.series}_{self.number:05d}"))

    def bodies(self) -> list[bytes]:
        """Avro bodies of the blocks, in sequence."""
        return [blocks.encode(self._block(at, piece)) for at, piece in enumerate(self.content)]

    def data_object(self) -> bytes:
        """What must lie in the archive in the end."""
        if not self.is_stream:
            return b"".join(self.content)
        assert self.start_us is not None
        return b"".join(container_chunks(SCHEMA, self.station, self.series, self.start_us, self.bodies()))

    def block(self, attempt: str, sequence: int) -> Sent:
        """One block as a message."""
        value = Framing().frame(SCHEMA, self.bodies()[sequence])
        return Sent(self.station.encode(), value, block_headers(self.station, self.series, attempt, sequence))

    def blocks(self, attempt: str) -> list[Sent]:
        """All blocks in sequence."""
        return [self.block(attempt, sequence) for sequence in range(len(self.content))]

    def close(self, attempt: str) -> Sent:
        """The close as a message."""
        value = Framing().frame(schemas.current("BatchClosed"), self.record(attempt).to_body())
        return Sent(self.station.encode(), value, close_headers(self.station, self.series, attempt))

    def sent(self, attempt: str) -> list[Sent]:
        """Blocks, then the close: an attempt as it should be."""
        return [*self.blocks(attempt), self.close(attempt)]

    def record(self, attempt: str) -> BatchClosed:
        """The close."""
        content = hashlib.sha256(b"".join(self.bodies())).hexdigest()
        data_object = self.data_object()
        rows = self.rows_per_block * len(self.content)
        facts: dict[str, Any] = {
            "station": self.station,
            "series": self.series,
            "stem": self.stem,
            "extension": "" if self.is_stream else ".csv",
            "name": None if self.is_stream else f"{self.stem}.csv",
            "attempt": attempt,
            "count": len(self.content),
            "rows": rows,
            "start_us": self.start_us if rows else None,
            "stop_us": None if self.start_us is None or not rows else self.start_us + (rows - 1) * 50_000,
            "container_format": CONTAINER_AVRO if self.is_stream else CONTAINER_FILE,
            "schema_fingerprint": SCHEMA.fingerprint,
            "content_digest": content,
            "raw_sha256": hashlib.sha256(data_object).hexdigest(),
            "raw_size_bytes": len(data_object),
            "series_number": self.number,
            "previous": None,
            "input_format": "test",
        }
        return BatchClosed(**{**facts, **self.changes})

    def _block(self, at: int, piece: bytes) -> Block:
        rows = self.rows_per_block
        seconds = (np.arange(rows, dtype=np.float64) + at * rows) * np.float64(0.05)
        digits = int.from_bytes(hashlib.sha256(piece).digest()[:2], "little")
        return Block(
            station=self.station,
            series=self.series,
            start_us=self.start_us if rows else None,
            offsets_s=seconds,
            variables=tuple(
                Variable("co2" if not at else f"co2_{at}", "umol mol-1", np.full(rows, 400.0) + digits / 1000)
                for at in range(self.columns)
            ),
            labels=(Label("flag", ["ok"] * rows),),
            raw=None if self.is_stream else piece,
        )


def attempt_name(number: int) -> str:
    """The name of an attempt."""
    return f"{number:032x}"
