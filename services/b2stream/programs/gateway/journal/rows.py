"""The journal's tables, and their rows as Python sees them."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from b2stream.contracts.records import BatchClosed, Relation
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
    passed_at_us INTEGER,
    committed_at_us INTEGER
);
CREATE INDEX attempts_by_name ON attempts (name, place);
CREATE INDEX attempts_by_batch ON attempts (batch, place);
CREATE TABLE receipts (
    batch TEXT PRIMARY KEY, id24 TEXT, pid TEXT, url TEXT, path TEXT, replicated_at_us INTEGER, second_url TEXT
);
CREATE TABLE positions (topic TEXT PRIMARY KEY, topic_id TEXT NOT NULL, next_offset INTEGER NOT NULL);
CREATE TABLE archived (
    name TEXT PRIMARY KEY, batch TEXT NOT NULL, raw_sha256 TEXT NOT NULL, relation TEXT,
    series TEXT NOT NULL, row_count INTEGER NOT NULL, size_bytes INTEGER NOT NULL, opaque_reason TEXT,
    id24 TEXT, pid TEXT, path TEXT
);
"""
"""`attempts.committed_at_us` is the answer to this very close; where the batch lies, and whether its second copy does, is one for all
attempts of a batch. `archived` is what stays of names whose attempts are forgotten."""

FROM_VERSION_1 = """
ALTER TABLE attempts ADD COLUMN committed_at_us INTEGER;
UPDATE attempts SET committed_at_us = (SELECT committed_at_us FROM receipts WHERE receipts.batch = attempts.batch);
ALTER TABLE receipts RENAME TO receipts_1;
CREATE TABLE receipts (
    batch TEXT PRIMARY KEY, id24 TEXT, pid TEXT, url TEXT, path TEXT, replicated_at_us INTEGER, second_url TEXT
);
INSERT INTO receipts SELECT batch, id24, pid, url, path, replicated_at_us, second_url FROM receipts_1;
DROP TABLE receipts_1;
CREATE TABLE archived (
    name TEXT PRIMARY KEY, batch TEXT NOT NULL, raw_sha256 TEXT NOT NULL, relation TEXT,
    series TEXT NOT NULL, row_count INTEGER NOT NULL, size_bytes INTEGER NOT NULL, opaque_reason TEXT,
    id24 TEXT, pid TEXT, path TEXT
);
UPDATE facts SET value = '2' WHERE name = 'version';
"""


@dataclass(frozen=True, slots=True)
class Content:
    """One content of a file: its batch, its digest, and how it stands to an earlier one."""

    batch: str
    raw_sha256: str
    relation: Relation | None


@dataclass(frozen=True, slots=True)
class Archived:
    """What is still known of a file whose attempts are forgotten: it has both receipts."""

    name: str
    series: str
    row_count: int
    size_bytes: int
    opaque_reason: str | None
    content: Content
    id24: str | None
    pid: str | None
    path: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt as the journal has it, with where its batch lies. Times in microseconds since 1970, by this computer's clock."""

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
    def content(self) -> Content:
        return Content(self.batch, self.close.raw_sha256, self.close.relation)

    @property
    def outcome(self) -> str:
        """sending (also: to be sent again), sent, lost, refused, committed or replicated (every copy that its policy demands is there)."""
        names = ("state", "retry", "refused_reason", "lost_reason", "committed_at_us", "replicated_at_us")
        return outcome_of({name: getattr(self, name) for name in names})


def outcome_of(row: Mapping[str, Any] | sqlite3.Row) -> str:
    if row["committed_at_us"] is not None:
        return "committed" if row["replicated_at_us"] is None else "replicated"
    if row["retry"]:
        return "sending"
    if row["refused_reason"] is not None:
        return "refused"
    if row["lost_reason"] is not None:
        return "lost"
    return "sent" if row["state"] == "closed" else "sending"


def attempt_of(row: sqlite3.Row) -> Attempt:
    values = {key: row[key] for key in Attempt.__dataclass_fields__}
    close = json.loads(row["close"])
    values["close"] = BatchClosed.from_json(close, close.pop("signature", None))
    values["cuts"] = tuple(Cut(*pair) for pair in json.loads(row["cuts"] or "[]"))
    values["retry"] = bool(row["retry"])
    return Attempt(**values)


def archived_of(row: sqlite3.Row) -> Archived:
    relation = row["relation"] and Relation(**json.loads(row["relation"]))
    content = Content(row["batch"], row["raw_sha256"], relation)
    values = {key: row[key] for key in Archived.__dataclass_fields__ if key != "content"}
    return Archived(content=content, **values)


def close_text(close: BatchClosed) -> str:
    """With its signature: a close that is published again must be signed with the key that it names."""
    return json.dumps({**close.to_json(), "signature": close.signature}, ensure_ascii=False)


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

    def committed(
        self, batch: str, attempt: str, at_us: int, *, id24: str, pid: str | None, url: str, path: str
    ) -> bool:
        """A commit event. It answers the close of the attempt that it names, and no later one of the same batch; as `answered`."""
        self._db.execute(
            "INSERT INTO receipts (batch, id24, pid, url, path) VALUES (?, ?, ?, ?, ?) ON CONFLICT (batch) DO UPDATE "
            "SET id24 = excluded.id24, pid = excluded.pid, url = excluded.url, path = excluded.path",
            (batch, id24, pid, url, path),
        )
        return self.answered(batch, attempt, at_us)

    def answered(self, batch: str, attempt: str, at_us: int) -> bool:
        """The close of this attempt is recorded and its batch is durable, now or before (a repeat); False where that was known."""
        update = "UPDATE attempts SET committed_at_us = ? WHERE batch = ? AND attempt = ? AND committed_at_us IS NULL"
        return self._db.execute(update, (at_us, batch, attempt)).rowcount > 0

    def replicated(self, batch: str, at_us: int, second_url: str) -> None:
        """A replica event; the commit event that it contains was written first."""
        self._db.execute(
            "UPDATE receipts SET replicated_at_us = ?, second_url = ? WHERE batch = ?", (at_us, second_url, batch)
        )

    def only_copy(self, batch: str, at_us: int) -> None:
        """A commit event under a policy of one copy: all is done. A replica that comes all the same has its own receipt."""
        update = "UPDATE receipts SET replicated_at_us = ? WHERE batch = ? AND replicated_at_us IS NULL"
        self._db.execute(update, (at_us, batch))

    def letter(self, attempt: str, batch: str, reason: str, detail: str, *, poison: bool) -> bool:
        """A dead letter that names an attempt or a batch; False where it is none of ours. The first one of each kind stays.

        One damaged block gives two kinds of letters: poison for itself, and others for the hole that it left. Poison wins, also where
        it is read so late that the content was sent again for the hole: it can never succeed.
        """
        which = "attempt = ?" if attempt else "place = (SELECT max(place) FROM attempts WHERE batch = ?)"
        named = attempt or batch
        found = self._db.execute(f"SELECT * FROM attempts WHERE {which}", (named,)).fetchone()  # noqa: S608
        if found is None:
            return False
        if not poison:
            update = "UPDATE attempts SET lost_reason = ?, lost_at_us = ? WHERE place = ? AND lost_reason IS NULL"
            self._db.execute(update, (reason, self._now_us, found["place"]))
        elif found["refused_reason"] is None:
            self._db.execute(
                "UPDATE attempts SET refused_reason = ?, refused_detail = ? WHERE refused_reason IS NULL AND "
                # Those sent again by themselves; one that somebody asked for (tries = 0) has a chance of its own.
                "(place = ? OR (place > ? AND batch = ? AND tries > 0))",
                (reason, detail, found["place"], found["place"], found["batch"]),
            )
        return True

    def read_up_to(self, topic: str, topic_id: str, next_offset: int) -> None:
        """Everything of a topic before this offset is written."""
        self._db.execute(
            "INSERT INTO positions VALUES (?, ?, ?) "
            "ON CONFLICT (topic) DO UPDATE SET topic_id = excluded.topic_id, next_offset = excluded.next_offset",
            (topic, topic_id, next_offset),
        )
