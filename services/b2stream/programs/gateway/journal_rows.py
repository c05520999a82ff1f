"""The journal's tables, and their rows as Python sees them."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from b2stream.contracts.records import BatchClosed
from b2stream.programs.gateway.cutting import Cut

SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE files (
    name TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL, modified_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL, inode TEXT NOT NULL
);
CREATE TABLE series (series TEXT PRIMARY KEY, number INTEGER NOT NULL, digest TEXT NOT NULL);
CREATE TABLE attempts (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    batch TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('cut', 'closing', 'closed', 'void')),
    close TEXT NOT NULL,
    cuts TEXT,
    tries INTEGER NOT NULL,
    superseded INTEGER NOT NULL DEFAULT 0,
    retry INTEGER NOT NULL DEFAULT 0,
    topic_id TEXT, close_offset INTEGER, closed_at_us INTEGER,
    lost_reason TEXT, lost_at_us INTEGER,
    refused_reason TEXT, refused_detail TEXT,
    passed_at_us INTEGER
);
CREATE INDEX attempts_by_name ON attempts (name, place);
CREATE INDEX attempts_by_batch ON attempts (batch, place);
CREATE TABLE receipts (
    batch TEXT PRIMARY KEY,
    committed_at_us INTEGER, id24 TEXT, pid TEXT, url TEXT, path TEXT,
    replicated_at_us INTEGER, second_url TEXT
);
CREATE TABLE positions (topic TEXT PRIMARY KEY, topic_id TEXT NOT NULL, next_offset INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt as the journal has it, with the receipts of its batch. Times in microseconds since 1970, by this computer's clock."""

    attempt: str
    name: str
    batch: str
    state: str
    close: BatchClosed
    cuts: tuple[Cut, ...]
    tries: int
    retry: bool
    topic_id: str | None
    close_offset: int | None
    closed_at_us: int | None
    lost_reason: str | None
    lost_at_us: int | None
    refused_reason: str | None
    refused_detail: str | None
    passed_at_us: int | None
    committed_at_us: int | None
    replicated_at_us: int | None
    id24: str | None
    pid: str | None
    url: str | None
    path: str | None
    second_url: str | None

    @property
    def outcome(self) -> str:
        """sending (also: to be sent again), sent, lost, refused, committed or replicated."""
        names = ("state", "retry", "refused_reason", "lost_reason", "committed_at_us", "replicated_at_us")
        return outcome_of({name: getattr(self, name) for name in names})


def outcome_of(row: Mapping[str, Any] | sqlite3.Row) -> str:
    if row["replicated_at_us"] is not None:
        return "replicated"
    if row["committed_at_us"] is not None:
        return "committed"
    if row["retry"]:
        return "sending"
    if row["refused_reason"] is not None:
        return "refused"
    if row["lost_reason"] is not None:
        return "lost"
    return "sent" if row["state"] == "closed" else "sending"


def attempt_of(row: sqlite3.Row) -> Attempt:
    values = {key: row[key] for key in Attempt.__dataclass_fields__}
    values["close"] = BatchClosed.from_json(json.loads(row["close"]))
    values["cuts"] = tuple(Cut(*pair) for pair in json.loads(row["cuts"] or "[]"))
    values["retry"] = bool(row["retry"])
    return Attempt(**values)


def close_text(close: BatchClosed) -> str:
    return json.dumps(close.to_json(), ensure_ascii=False)


def cuts_text(cuts: tuple[Cut, ...]) -> str:
    return json.dumps([(each.end_row, each.end_byte) for each in cuts])


class ReceiptWriter:
    """What may be written while receipts are read; within one transaction of the journal."""

    def __init__(self, db: sqlite3.Connection, now_us: int) -> None:
        self._db = db
        self._now_us = now_us

    def knows(self, batch: str) -> bool:
        """Whether this gateway sent a batch."""
        return self._db.execute("SELECT 1 FROM attempts WHERE batch = ?", (batch,)).fetchone() is not None

    def committed(self, batch: str, at_us: int, id24: str, pid: str | None, url: str, path: str) -> None:
        """A commit event."""
        self._db.execute(
            "INSERT INTO receipts (batch, committed_at_us, id24, pid, url, path) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (batch) DO UPDATE SET committed_at_us = excluded.committed_at_us, id24 = excluded.id24, "
            "pid = excluded.pid, url = excluded.url, path = excluded.path",
            (batch, at_us, id24, pid, url, path),
        )

    def replicated(self, batch: str, at_us: int, second_url: str) -> None:
        """A replica event; the commit event that it contains was written first."""
        self._db.execute(
            "UPDATE receipts SET replicated_at_us = ?, second_url = ? WHERE batch = ?", (at_us, second_url, batch)
        )

    def letter(self, attempt: str, batch: str, reason: str, detail: str, *, poison: bool) -> bool:
        """A dead letter that names an attempt or a batch; False where it is none of ours."""
        columns = "refused_reason = ?, refused_detail = ?" if poison else "lost_reason = ?, lost_at_us = ?"
        values = (reason, detail if poison else self._now_us)
        unset = "refused_reason IS NULL" if poison else "lost_reason IS NULL"
        which = "attempt = ?" if attempt else "place = (SELECT max(place) FROM attempts WHERE batch = ?)"
        found = self._db.execute(f"SELECT 1 FROM attempts WHERE {which}", (attempt or batch,)).fetchone()  # noqa: S608
        self._db.execute(f"UPDATE attempts SET {columns} WHERE {which} AND {unset}", (*values, attempt or batch))  # noqa: S608
        return found is not None

    def read_up_to(self, topic: str, topic_id: str, next_offset: int) -> None:
        """Everything of a topic before this offset is written."""
        self._db.execute(
            "INSERT INTO positions VALUES (?, ?, ?) "
            "ON CONFLICT (topic) DO UPDATE SET topic_id = excluded.topic_id, next_offset = excluded.next_offset",
            (topic, topic_id, next_offset),
        )
