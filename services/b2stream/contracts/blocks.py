"""A block's record, read in place and written without a loop over numbers.

An Avro array of double is a count and then contiguous little-endian float64 (Avro 1.12 specification, "Binary encoding"), so
`numpy.frombuffer` reads it where it lies: over 1 GB/s where fastavro needs a Python object per number (40-50 MB/s).
fastavro stays the reference: property tests compare both ways.
"""

import io
from dataclasses import dataclass

import fastavro
import numpy as np
from numpy.typing import NDArray

from b2stream.contracts import schemas
from b2stream.contracts.canonical import EARLIEST_US, LATEST_US
from b2stream.contracts.framing import Framed
from b2stream.errors import Poison

Floats = NDArray[np.float64]

_END = b"\x00"
_DOUBLE = np.dtype("<f8")
_LONGEST_S = (LATEST_US - EARLIEST_US) / 1e6
_MOST_UNSIGNED = 2**64 - 1
_LAST_SHIFT = 63  # ten bytes of seven bits


@dataclass(frozen=True, slots=True)
class Variable:
    """A column of numbers: one value per row, NaN for missing, in `unit` as the station writes it."""

    name: str
    unit: str
    values: Floats


@dataclass(frozen=True, slots=True)
class Label:
    """A column that is not numbers; a quality flag `judges` variables and lists the values that mean `bad`."""

    name: str
    values: list[str]
    judges: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows of one series. Row i's instant is `start_us` (UTC, microseconds) plus `offsets_s[i]` seconds."""

    station: str
    series: str
    start_us: int | None
    offsets_s: Floats
    variables: tuple[Variable, ...]
    labels: tuple[Label, ...]
    raw: bytes | memoryview | None

    @property
    def rows(self) -> int:
        return len(self.offsets_s)


def encode(block: Block) -> bytes:
    """Avro body of a block under the current schema."""
    out = bytearray()
    _put_text(out, block.station)
    _put_text(out, block.series)
    if block.start_us is None:
        out += b"\x00"
    else:
        out += b"\x02"
        _put_long(out, block.start_us)
    _put_doubles(out, block.offsets_s)
    _put_count(out, len(block.variables))
    for variable in block.variables:
        _put_text(out, variable.name)
        _put_text(out, variable.unit)
        _put_doubles(out, variable.values)
    out += _END
    _put_count(out, len(block.labels))
    for label in block.labels:
        _put_text(out, label.name)
        for texts in (label.values, label.judges, label.bad):
            _put_texts(out, texts)
    out += _END
    if block.raw is None:
        out += b"\x00"
    else:
        out += b"\x02"
        _put_long(out, len(block.raw))
        out += block.raw
    return bytes(out)


def decode(framed: Framed) -> Block:
    """Read a block; its arrays and `raw` are views into the message. Raises Poison (`not_this_record`, `damaged_avro`, `bad_block`)."""
    if framed.schema.name != "MeasurementBlock":
        raise Poison(f"{framed.schema.name} where MeasurementBlock is expected", reason="not_this_record")
    try:
        if framed.schema.fingerprint == schemas.current("MeasurementBlock").fingerprint:
            block = _decode_current(framed.body)
        else:
            block = _decode_other(framed)
    except Poison:
        raise
    except (
        Exception
    ) as error:  # truncated or random bytes end in IndexError, struct.error, ValueError, UnicodeDecodeError, …
        raise Poison(f"MeasurementBlock: {error!r}", reason="damaged_avro") from error
    _check(block)
    return block


def _check(block: Block) -> None:
    rows = block.rows
    columns: tuple[Variable | Label, ...] = (*block.variables, *block.labels)
    for column in columns:
        if len(column.values) != rows:
            detail = f"column {column.name!r} has {len(column.values)} values for {rows} rows"
            raise Poison(detail, reason="bad_block")
    if block.start_us is None and rows:
        raise Poison("there are rows, but no start", reason="bad_block")
    if block.start_us is None:
        return
    instants = [block.start_us]
    if rows:
        edges_s = float(block.offsets_s.min()), float(block.offsets_s.max())  # both NaN where one offset is
        if not all(abs(edge_s) <= _LONGEST_S for edge_s in edges_s):
            raise Poison(f"an offset is not a number of seconds: {edges_s}", reason="bad_block")
        instants += [block.start_us + round(edge_s * 1e6) for edge_s in edges_s]
    if not all(EARLIEST_US <= instant <= LATEST_US for instant in instants):
        raise Poison("an instant is outside the years 1 to 9999", reason="bad_block")


def _decode_current(body: memoryview) -> Block:
    cursor = _Cursor(body)
    station, series = cursor.text(), cursor.text()
    start_us = cursor.long() if cursor.branch() else None
    offsets_s = cursor.doubles()
    variables: list[Variable] = []
    for count in cursor.items():
        variables += [Variable(cursor.text(), cursor.text(), cursor.doubles()) for _ in range(count)]
    labels: list[Label] = []
    for count in cursor.items():
        labels += [
            Label(cursor.text(), cursor.texts(), tuple(cursor.texts()), tuple(cursor.texts())) for _ in range(count)
        ]
    raw = cursor.bytes() if cursor.branch() else None
    if cursor.at != len(body):
        raise Poison(f"{len(body) - cursor.at} bytes too many", reason="damaged_avro")
    return Block(station, series, start_us, offsets_s, tuple(variables), tuple(labels), raw)


def _decode_other(framed: Framed) -> Block:
    """A block of another release: fastavro resolves the two schemas."""
    current = schemas.current("MeasurementBlock").parsed
    source = io.BytesIO(framed.body)
    value = fastavro.schemaless_reader(source, framed.schema.parsed, current)
    if source.tell() != len(framed.body):
        raise Poison(f"{len(framed.body) - source.tell()} bytes too many", reason="damaged_avro")
    return Block(
        value["station"],
        value["series"],
        value["start"],
        np.array(value["offsets"], dtype=np.float64),
        tuple(
            Variable(each["name"], each["unit"], np.array(each["values"], np.float64)) for each in value["variables"]
        ),
        tuple(
            Label(each["name"], each["values"], tuple(each["judges"]), tuple(each["bad"])) for each in value["labels"]
        ),
        value["raw"],
    )


class _Cursor:
    """Reads Avro primitives from front to back; every length is checked against what is left."""

    def __init__(self, body: memoryview) -> None:
        self._body = body
        self.at = 0

    def long(self) -> int:
        first = self._body[self.at]
        if first < 0x80:  # most are small
            self.at += 1
            return (first >> 1) ^ -(first & 1)
        shift = number = 0
        while True:
            byte = self._body[self.at]
            self.at += 1
            number |= (byte & 0x7F) << shift
            if number > _MOST_UNSIGNED or shift > _LAST_SHIFT:
                raise Poison("a number has more than 64 bits", reason="damaged_avro")
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)
            shift += 7

    def branch(self) -> bool:
        """Which branch of a union with null first: False is null."""
        number = self.long()
        if number not in (0, 1):
            raise Poison(f"union branch {number}", reason="damaged_avro")
        return bool(number)

    def bytes(self) -> memoryview:
        return self._take(self.long())

    def text(self) -> str:
        return str(self._take(self.long()), "utf-8")

    def items(self) -> "_Items":
        return _Items(self)

    def texts(self) -> list[str]:
        found: list[str] = []
        for count in self.items():
            found += [self.text() for _ in range(count)]
        return found

    def doubles(self) -> Floats:
        start, count = self.at, self.long()
        end = self.at + 8 * count
        if count > 0 and end < len(self._body) and self._body[end] == 0:  # one piece, as this module writes it
            values = np.frombuffer(self._body, _DOUBLE, count, self.at)
            self.at = end + 1
            return values
        self.at = start
        parts = [np.frombuffer(self._take(8 * count), _DOUBLE) for count in self.items()]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.empty(0)

    def _take(self, size: int) -> memoryview:
        if size < 0 or size > len(self._body) - self.at:
            raise Poison(f"{size} bytes are announced, {len(self._body) - self.at} are left", reason="damaged_avro")
        taken = self._body[self.at : self.at + size]
        self.at += size
        return taken


class _Items:
    """The counts of an Avro array's blocks, up to the closing zero; a negative count has a size in bytes behind it."""

    def __init__(self, cursor: _Cursor) -> None:
        self._cursor = cursor
        self._seen = 0

    def __iter__(self) -> "_Items":
        return self

    def __next__(self) -> int:
        count = self._cursor.long()
        if count == 0:
            raise StopIteration
        if count < 0:
            count = -count
            self._cursor.long()
        self._seen += count
        return count


def _put_long(out: bytearray, number: int) -> None:
    zigzag = (number << 1) ^ (number >> 63)
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)


def _put_text(out: bytearray, text: str) -> None:
    data = text.encode()
    _put_long(out, len(data))
    out += data


def _put_texts(out: bytearray, texts: list[str] | tuple[str, ...]) -> None:
    _put_count(out, len(texts))
    for text in texts:
        _put_text(out, text)
    out += _END


def _put_doubles(out: bytearray, values: Floats) -> None:
    _put_count(out, len(values))
    out += np.ascontiguousarray(values, dtype="<f8").tobytes()
    out += _END


def _put_count(out: bytearray, count: int) -> None:
    """An array of n items is one Avro block of n, or none; `_END` closes it."""
    if count:
        _put_long(out, count)
