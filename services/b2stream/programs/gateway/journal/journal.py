"""The journal: what this gateway planned, published, and knows to be archived. One SQLite file per station and folder.

Each step is written before its effect is relied on, so that a gateway killed at any moment goes on where it was: `cut` (blocks may
have been published), `closing` (all blocks are acknowledged, the close is final), `closed` (the close is acknowledged), `void` (given up
before its close; a later close supersedes it).
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from b2stream.batches.manifest import batch_of
from b2stream.contracts.records import BatchClosed
from b2stream.programs.gateway.closing import close_digest, place
from b2stream.programs.gateway.cutting import Cut
from b2stream.programs.gateway.journal.file import JournalFile
from b2stream.programs.gateway.journal.forgetting import forget
from b2stream.programs.gateway.journal.lock import JournalFailed, JournalInUse, JournalLock
from b2stream.programs.gateway.journal.rows import (
    Archived,
    Attempt,
    Content,
    ReceiptWriter,
    archived_of,
    attempt_of,
    close_text,
    cuts_text,
    outcome_of,
)
from b2stream.programs.gateway.watch import Signature

__all__ = [
    "Archived",
    "Attempt",
    "Content",
    "Journal",
    "JournalFailed",
    "JournalInUse",
    "JournalLock",
    "ReceiptWriter",
    "now_us",
]

_ATTEMPT = """
SELECT attempts.*, receipts.replicated_at_us, receipts.id24, receipts.pid, receipts.url, receipts.path, receipts.second_url
FROM attempts LEFT JOIN receipts USING (batch)
"""
_LATEST = "SELECT max(place) FROM attempts WHERE state IN ('closing', 'closed') GROUP BY name"
_OUTCOMES = """
SELECT name, state, retry, refused_reason, lost_reason, committed_at_us, replicated_at_us
FROM attempts LEFT JOIN receipts USING (batch)
"""

MOST_SUPERSEDED = 256
"""Attempts that one close names, 33 bytes each in `contracts.records.LONGEST_CLOSE_BYTES`."""


def now_us() -> int:
    """This computer's clock; it never decides what a batch is, only when to look again."""
    return time.time_ns() // 1000


class Journal:
    """Opens or makes the journal. Raises JournalFailed, ConfigurationError where it belongs to another station."""

    def __init__(self, path: Path, station: str | None = None, *, clock: Callable[[], int] = now_us) -> None:
        self.file = JournalFile(path, station)
        self._clock = clock

    @property
    def station(self) -> str | None:
        """The station that this journal belongs to."""
        return self.file.fact("station")

    def close_file(self) -> None:
        """Close the file."""
        self.file.close()

    # What is known of a file

    def signatures(self) -> dict[str, Signature]:
        """By name, how each file looked when all of it was published."""
        rows = self.file.read("SELECT * FROM files")
        return {
            row["name"]: Signature(row["size_bytes"], row["modified_ns"], row["changed_ns"], int(row["inode"]))
            for row in rows
        }

    def unchanged(self, name: str, signature: Signature) -> None:
        """The file looks other than before, but its content is what was published last."""
        with self.file.written() as connection:
            _note_signature(connection, name, signature)

    def unfinished(self) -> set[str]:
        """Names of files whose blocks are being published."""
        return {row["name"] for row in self.file.read("SELECT name FROM attempts WHERE state = 'cut'")}

    def open_attempt(self, name: str) -> Attempt | None:
        """The attempt of a file whose blocks are being published."""
        return self._one(_ATTEMPT + "WHERE name = ? AND state = 'cut' ORDER BY place DESC", (name,))

    def latest(self, name: str) -> Attempt | None:
        """The latest attempt with a close under a name; None also where it is archived and forgotten."""
        return self._one(_ATTEMPT + "WHERE name = ? AND state IN ('closing', 'closed') ORDER BY place DESC", (name,))

    def published(self, name: str) -> Content | None:
        """The latest content published under a name."""
        attempt = self.latest(name)
        return self._archived_content(name) if attempt is None else attempt.content

    def accepted(self, name: str) -> Content | None:
        """The same, passing over content that was refused: what a new content replaces."""
        condition = "WHERE name = ? AND state IN ('closing', 'closed') AND "
        accepted = "(refused_reason IS NULL OR committed_at_us IS NOT NULL) ORDER BY place DESC"
        attempt = self._one(_ATTEMPT + condition + accepted, (name,))
        return self._archived_content(name) if attempt is None else attempt.content

    def superseded_by_next(self, name: str, resent_batch: str | None) -> tuple[str, ...]:
        """Attempts that the next close under this name makes void: unfinished ones, and of a batch sent again those without a commit.

        The latest ones where there are more than a close has room for; the close after it names the others.
        """
        unfinished = (
            "SELECT attempt, place FROM attempts WHERE name = ? AND state IN ('cut', 'void') AND superseded = 0"
        )
        again = (
            "SELECT attempt, place FROM attempts WHERE batch = ? AND state IN ('closing', 'closed') AND superseded = 0"
        )
        latest = f"{unfinished} UNION {again} ORDER BY place DESC LIMIT {MOST_SUPERSEDED}"  # both are ours
        rows = self.file.read(latest, (name, resent_batch))
        return tuple(row["attempt"] for row in reversed(rows))

    # Steps of an attempt

    def plan(self, draft: BatchClosed, cuts: tuple[Cut, ...], tries: int = 0) -> None:
        """Before the first block: a new attempt; an unfinished one of the same file is given up."""
        with self.file.written() as connection:
            connection.execute(
                "UPDATE attempts SET state = 'void', cuts = NULL WHERE name = ? AND state = 'cut'", (draft.name,)
            )
            connection.execute(
                "INSERT INTO attempts (attempt, name, batch, state, close, cuts, tries) VALUES (?, ?, ?, 'cut', ?, ?, ?)",
                (draft.attempt, draft.name, batch_of(draft), close_text(draft), cuts_text(cuts), tries),
            )

    def give_up(self, attempt: str) -> None:
        """An unfinished attempt will not be finished: its file changed."""
        with self.file.written() as connection:
            connection.execute(
                "UPDATE attempts SET state = 'void', cuts = NULL WHERE attempt = ? AND state = 'cut'", (attempt,)
            )

    def begin_close(
        self, attempt: Attempt, signature: Signature, sign: Callable[[BatchClosed], BatchClosed] = lambda close: close
    ) -> BatchClosed:
        """All blocks are acknowledged: give the close its place in the series, and sign it. From now on this close and no other is
        published."""
        with self.file.written() as connection:
            head = connection.execute(
                "SELECT number, digest FROM series WHERE series = ?", (attempt.close.series,)
            ).fetchone()
            close = sign(place(attempt.close, None if head is None else (head["number"], head["digest"])))
            connection.execute(
                "INSERT INTO series VALUES (?, ?, ?) "
                "ON CONFLICT (series) DO UPDATE SET number = excluded.number, digest = excluded.digest",
                (close.series, close.series_number, close_digest(close)),
            )
            connection.execute(
                "UPDATE attempts SET state = 'closing', close = ? WHERE attempt = ?",
                (close_text(close), close.attempt),
            )
            connection.executemany(
                "UPDATE attempts SET superseded = 1 WHERE attempt = ?", [(each,) for each in close.supersedes]
            )
            connection.execute("UPDATE attempts SET retry = 0 WHERE name = ?", (attempt.name,))
            _note_signature(connection, attempt.name, signature)
        return close

    def end_close(self, attempt: str, topic_id: str, offset: int) -> None:
        """The close is acknowledged."""
        with self.file.written() as connection:
            connection.execute(
                "UPDATE attempts SET state = 'closed', topic_id = ?, close_offset = ?, closed_at_us = ?, cuts = NULL "
                "WHERE attempt = ?",
                (topic_id, offset, self._clock(), attempt),
            )

    def closing(self) -> list[Attempt]:
        """Attempts whose close may or may not have been published."""
        return self._many(_ATTEMPT + "WHERE state = 'closing' ORDER BY place")

    # What came back

    def write_receipts(self, apply: Callable[[ReceiptWriter], None]) -> None:
        """Write what was read from commits, replicas and letters, and how far that was, in one transaction."""
        with self.file.written() as connection:
            apply(ReceiptWriter(connection, self._clock()))

    def position(self, topic: str, topic_id: str) -> int | None:
        """How far a topic was read; None where never, or where the topic is another one of the same name."""
        for row in self.file.read("SELECT * FROM positions WHERE topic = ? AND topic_id = ?", (topic, topic_id)):
            return int(row["next_offset"])
        return None

    def passed(self, attempt: str) -> None:
        """The processors are past this close and no commit event is there yet."""
        with self.file.written() as connection:
            connection.execute(
                "UPDATE attempts SET passed_at_us = ? WHERE attempt = ? AND passed_at_us IS NULL",
                (self._clock(), attempt),
            )

    def current(self) -> list[Attempt]:
        """The latest attempt with a close of each name."""
        return self._many(_ATTEMPT + f"WHERE place IN ({_LATEST}) ORDER BY place")

    def outstanding(self) -> list[Attempt]:
        """Of these, the ones without a commit."""
        return self._many(_ATTEMPT + f"WHERE place IN ({_LATEST}) AND committed_at_us IS NULL ORDER BY place")

    def outcomes(self) -> dict[str, str]:
        """By name, what became of the latest content: as `Attempt.outcome`, without reading the closes."""
        rows = self.file.read(_OUTCOMES + f"WHERE place IN ({_LATEST})")
        forgotten = {row["name"]: "replicated" for row in self.file.read("SELECT name FROM archived")}
        return forgotten | {row["name"]: outcome_of(row) for row in rows}

    def batches(self) -> list[Attempt]:
        """Of each content of each name the latest attempt, unfinished ones included, in the order of publishing."""
        latest = "SELECT max(place) FROM attempts WHERE state != 'void' GROUP BY name, batch"
        return self._many(_ATTEMPT + f"WHERE place IN ({latest}) ORDER BY place")

    def archived(self) -> list[Archived]:
        """Files of which nothing else is known any more, by name."""
        rows = self.file.read("SELECT * FROM archived WHERE name NOT IN (SELECT name FROM attempts) ORDER BY name")
        return [archived_of(row) for row in rows]

    def forget(self, older_than_s: float) -> int:
        """Forget attempts that were closed so long ago and have both receipts; gives how many."""
        with self.file.written() as connection:
            return forget(connection, self._clock() - round(older_than_s * 1e6))

    def ask_retry(self, name: str) -> None:
        """Someone wants this file sent again."""
        with self.file.written() as connection:
            connection.execute(
                "UPDATE attempts SET retry = 1 WHERE name = ? AND state IN ('closing', 'closed')", (name,)
            )

    # Reading

    def _archived_content(self, name: str) -> Content | None:
        for row in self.file.read("SELECT * FROM archived WHERE name = ?", (name,)):
            return archived_of(row).content
        return None

    def _many(self, query: str, values: tuple[Any, ...] = ()) -> list[Attempt]:
        return [attempt_of(row) for row in self.file.read(query, values)]

    def _one(self, query: str, values: tuple[Any, ...]) -> Attempt | None:
        for row in self.file.read(query + " LIMIT 1", values):
            return attempt_of(row)
        return None


def _note_signature(connection: sqlite3.Connection, name: str, signature: Signature) -> None:
    connection.execute(
        "INSERT INTO files VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET size_bytes = excluded.size_bytes, "
        "modified_ns = excluded.modified_ns, changed_ns = excluded.changed_ns, inode = excluded.inode",
        # An inode may be an unsigned 64-bit number, which SQLite has not: it is text.
        (name, signature.size_bytes, signature.modified_ns, signature.changed_ns, str(signature.inode)),
    )
