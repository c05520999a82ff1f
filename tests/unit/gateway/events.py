"""Commit events, replica events and letters for a close, as processor and replicator would write them."""

from b2stream.batches.identity import id24
from b2stream.batches.manifest import batch_of, paths_of
from b2stream.contracts import schemas
from b2stream.contracts.canonical import canonical_json
from b2stream.contracts.envelopes import event_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.letters import Letter, letter_headers
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import BatchClosed, BatchCommitted, BatchRepeated, BatchReplicated, Record
from b2stream.programs.gateway.journal.journal import ReceiptWriter


def commit_of(close: BatchClosed, copies: int | None = 2) -> BatchCommitted:
    paths = paths_of(close)
    return BatchCommitted(
        batch=batch_of(close),
        station=close.station,
        series=close.series,
        stem=close.stem,
        name=close.name,
        id24=id24(close.raw_sha256),
        rows=close.rows,
        start_us=close.start_us,
        stop_us=close.stop_us,
        input_format=close.input_format,
        container_format=close.container_format,
        centre="csc",
        url=f"irods://csc/{paths.data_object}",
        path=paths.data_object,
        size_bytes=close.raw_size_bytes,
        sha256=close.raw_sha256,
        manifest_path=paths.manifest,
        manifest_size_bytes=1,
        manifest_sha256="0" * 64,
        content_digest=close.content_digest,
        relation=close.relation,
        series_number=close.series_number,
        attempt=close.attempt,
        topic_id="topic-1",
        partition=0,
        close_offset=1,
        closed_at_us=1,
        committed_at_us=2,
        software="test",
        copies=copies,
    )


def replica_of(close: BatchClosed) -> BatchReplicated:
    url = f"irods://fzj/{paths_of(close).data_object}"
    return BatchReplicated(commit=commit_of(close), centre="fzj", url=url, replicated_at_us=3, software="test")


def repeat_of(close: BatchClosed) -> BatchRepeated:
    return BatchRepeated(
        batch=batch_of(close),
        station=close.station,
        series=close.series,
        series_number=close.series_number,
        close=canonical_json({**close.to_json(), "signature": close.signature}).decode(),
        topic_id="topic-1",
        partition=0,
        close_offset=1,
    )


def write_commit(writer: ReceiptWriter, close: BatchClosed) -> None:
    """What the journal is told where a close's own commit event was read."""
    event = commit_of(close)
    writer.committed(event.batch, event.attempt, 1, id24=event.id24, pid="21.T1/x", url=event.url, path=event.path)


def value_of(record: Record) -> bytes:
    return Framing().frame(schemas.current(record.SCHEMA), record.to_body())


def message(topic: str, offset: int, station: str, value: bytes, letter: Letter | None = None) -> LogMessage:
    headers = letter_headers(letter) if letter else event_headers("BatchCommitted", "id", station, source="test")
    return LogMessage(topic, 0, offset, station.encode(), value, headers, 1)


def letter_of(close: BatchClosed, reason: str, *, poison: bool, by: str = "attempt") -> Letter:
    attempt = close.attempt if by == "attempt" else ""
    batch = batch_of(close) if by == "batch" else ""
    return Letter("topic-1", 0, 7, close.station, reason, "in words", poison, attempt, batch)
