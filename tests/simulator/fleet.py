"""The stations of the simulation: a small fleet of batches, made once, and what their gateways send of them."""

from dataclasses import dataclass, replace
from functools import lru_cache

from b2stream.batches.identity import batch_id
from b2stream.contracts import schemas
from b2stream.contracts.envelopes import Headers, abandonment_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchAbandoned, BatchClosed
from b2stream.contracts.stations import StationDescription
from tests.unit.processor.signers import NEW, OURS, as_message, described
from tests.unit.processor.stations import Sent, StationBatch

SIGNS = "HTM"
STATIONS = ("SE-Htm", SIGNS, "FI-Hyy")
DESCRIPTIONS: dict[str, StationDescription] = {SIGNS: described(SIGNS, OURS.key())}
BEFORE: dict[str, StationDescription] = {SIGNS: described(SIGNS, NEW.key())}
"""What is known of the station that signs until its key is published."""
_CONTENTS = ((b"first,", b"second"), (b"alone",), (b"a", b"b" * 40, b"c"), ())


def _fleet() -> list[StationBatch]:
    found = []
    for at, station in enumerate(STATIONS):
        for series in ("wind", "gas"):
            for number in range(2):
                content = _CONTENTS[(at + number + (series == "gas")) % len(_CONTENTS)]
                stream = series == "gas" and bool(content)
                found.append(StationBatch(station, series, number, content, rows_per_block=2, is_stream=stream))
    return found


FLEET = _fleet()


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a gateway, and what the judge has to know of it."""

    sent: Sent
    batch: str
    attempt: str
    what: str  # `block 0`, `close`, …


@lru_cache(maxsize=4096)
def identity(number: int) -> str:
    """The batch id of a batch of the fleet."""
    record = FLEET[number].record("0" * 32)
    return batch_id(record.station, record.series, record.stem + record.extension, record.raw_sha256)


def attempt_name(number: int, attempt: int) -> str:
    """The name of an attempt of a batch."""
    return f"{number:016x}{attempt:016x}"


@lru_cache(maxsize=4096)
def data_object(number: int) -> bytes:
    """What must lie in the archive."""
    return FLEET[number].data_object()


@lru_cache(maxsize=16384)
def block(number: int, attempt: int, sequence: int, other: bool = False) -> Message:
    """A block; `other`: with other bytes than it should have."""
    batch, name = FLEET[number], attempt_name(number, attempt)
    if other:
        content = list(batch.content)
        content[sequence] += b"!"
        batch = replace(batch, content=tuple(content))
    what = f"block {sequence} with other bytes" if other else f"block {sequence}"
    return Message(batch.block(name, sequence), identity(number), name, what)


@lru_cache(maxsize=16384)
def close_record(number: int, attempt: int, supersedes: tuple[str, ...] = (), wrong_rows: bool = False) -> BatchClosed:
    """The station's own close."""
    batch, name = FLEET[number], attempt_name(number, attempt)
    changes: dict[str, object] = {"supersedes": supersedes}
    if wrong_rows:
        changes["rows"] = 999
    batch = batch.with_close(**changes)
    return OURS.record(batch, name) if batch.station == SIGNS else batch.record(name)


@lru_cache(maxsize=16384)
def close(number: int, attempt: int, supersedes: tuple[str, ...] = (), wrong_rows: bool = False) -> Message:
    """The same as a message."""
    record = close_record(number, attempt, supersedes, wrong_rows)
    return Message(as_message(record), identity(number), record.attempt, "close")


@lru_cache(maxsize=4096)
def forged_close(number: int, attempt: int) -> Message:
    """A close of a station that signs, by somebody who has no key of it."""
    record = replace(close_record(number, attempt), series_number=77)
    return Message(as_message(record), identity(number), record.attempt, "forged close")


def abandonment(number: int, attempt: int, last_offset: int) -> tuple[bytes, bytes, Headers]:
    """Key, value and headers of an abandonment that another processor writes."""
    station, name = FLEET[number].station, attempt_name(number, attempt)
    record = BatchAbandoned(station=station, attempt=name, last_offset=last_offset)
    value = Framing().frame(schemas.current("BatchAbandoned"), record.to_body())
    return station.encode(), value, abandonment_headers(station, name, last_offset)
