"""What a journal need not know for ever: attempts whose batch has both receipts, after `gateway.keep_receipts_days`.

Of each name one short row stays (about 0.6 KB): by it an unchanged file is known to be unchanged, and a corrected one names what it
replaces. So do the ends of the series' chains. What was never answered stays whole, however old (I1).
"""

import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

DAY_S = 86_400.0

log = logging.getLogger(__name__)

# The latest attempt of each name with both receipts, closed before `?`; everything of that name up to it is settled.
_SETTLED = """
CREATE TEMP TABLE settled AS
SELECT name, max(place) AS place FROM attempts JOIN receipts USING (batch)
WHERE state = 'closed' AND committed_at_us IS NOT NULL AND replicated_at_us IS NOT NULL AND closed_at_us < ?
GROUP BY name
"""
_REMEMBER = """
INSERT OR REPLACE INTO archived
SELECT name, batch, json_extract(close, '$.raw_sha256'), json_extract(close, '$.relation'), json_extract(close, '$.series'),
       json_extract(close, '$.rows'), json_extract(close, '$.raw_size_bytes'), json_extract(close, '$.opaque_reason'), id24, pid, path
FROM settled JOIN attempts USING (name, place) JOIN receipts USING (batch)
"""
# Refused content stays in the dead letters, and a superseded attempt in the close that replaced it.
_FORGET_OLDER = """
DELETE FROM attempts WHERE place < (SELECT place FROM settled WHERE settled.name = attempts.name)
AND (refused_reason IS NOT NULL OR superseded
     OR (committed_at_us IS NOT NULL AND batch IN (SELECT batch FROM receipts WHERE replicated_at_us IS NOT NULL)))
"""
# Behind it an older one that was never answered would pass for the file's latest content.
_FORGET_SETTLED = """
DELETE FROM attempts WHERE place IN (SELECT place FROM settled)
AND NOT EXISTS (SELECT 1 FROM attempts AS older WHERE older.name = attempts.name AND older.place < attempts.place)
"""


def forget(db: sqlite3.Connection, closed_before_us: int) -> int:
    """Within a transaction of the journal; gives the number of attempts that are forgotten."""
    db.execute(_SETTLED, (closed_before_us,))
    db.execute(_REMEMBER)
    count = db.execute(_FORGET_OLDER).rowcount + db.execute(_FORGET_SETTLED).rowcount
    db.execute("DELETE FROM receipts WHERE batch NOT IN (SELECT batch FROM attempts)")
    db.execute("DROP TABLE settled")
    return count


class Forgetful(Protocol):
    """What is needed of the journal."""

    def forget(self, older_than_s: float) -> int: ...


@dataclass(slots=True)
class Forgetting:
    """Lets the journal forget, at the start and once a day."""

    journal: Forgetful
    keep_days: float
    monotonic: Callable[[], float] = time.monotonic
    _next: float = field(default=float("-inf"))

    def now_and_then(self) -> None:
        if self.monotonic() < self._next:
            return
        self._next = self.monotonic() + DAY_S
        count = self.journal.forget(self.keep_days * DAY_S)
        if count:
            log.info("the journal forgot what is archived twice", extra={"facts": {"attempts": count}})
