"""Scrub: let the centres read what they store again, first what nobody has looked at for longest, at a rate that disturbs nobody.

When an object was last looked at stands in the log (`ObjectEvent`, fixity check); no state of its own is kept. A mismatch is an event
and a metric at once.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from b2stream import __version__
from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import Clock
from b2stream.batches.paths import MANIFEST_SUFFIX
from b2stream.contracts import topics
from b2stream.contracts.records import ObjectEvent
from b2stream.errors import Retryable, Stuck
from b2stream.handles.describing import checksum_dates
from b2stream.programs.audit.index import Index
from b2stream.programs.audit.log import FIXITY_CHECK
from b2stream.programs.audit.reannouncing import Announcer

SOFTWARE = f"b2stream-scrub {__version__}"
_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Checked:
    """One object that was read again. `trouble` says what is wrong with it."""

    centre: str
    path: str
    size_bytes: int
    trouble: str = ""


class Pace:
    """Waits so that no more than `bytes_per_s` are read on the whole; an object counts when it was read."""

    def __init__(self, bytes_per_s: float, clock: Clock) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._free_at_s = clock.monotonic()

    def spend(self, size_bytes: int) -> None:
        """Wait until these bytes are paid for. Raises Retryable when the program is stopping."""
        now_s = self._clock.monotonic()
        self._free_at_s = max(self._free_at_s, now_s) + size_bytes / self._bytes_per_s
        while (left_s := self._free_at_s - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left_s, _LONGEST_PAUSE_S))


def oldest_first(index: Index, centre: str) -> Iterator[tuple[str, str | None, int, str | None, str]]:
    """(path, committed SHA-256, size in bytes, batch, status) of a centre's objects; those that nobody looked at come first."""
    query = (
        "SELECT o.path, coalesce(e.sha256, o.sha256) AS sha256, o.size_bytes, e.batch, o.status FROM object o "
        "LEFT JOIN checked c ON c.centre = o.centre AND c.path = o.path LEFT JOIN expected e ON e.path = o.path "
        "WHERE o.centre = :centre GROUP BY o.path ORDER BY coalesce(c.at_us, 0), o.modified_s, o.path"
    )
    for row in index.rows(query, centre=centre):
        yield row["path"], row["sha256"], row["size_bytes"], row["batch"], row["status"]


@dataclass
class Scrub:
    """Looks at one centre's objects. `checked(outcome)` is called for each, e.g. to count it."""

    store: ObjectStore
    index: Index
    announcer: Announcer
    pace: Pace
    who: str
    policy: str | None = None
    now_s: Callable[[], float] = time.time
    checked: Callable[[Checked], None] = lambda _: None

    def run(self) -> Iterator[Checked]:
        """Every object once, oldest check first. Raises Retryable where nobody answers or the program is stopping."""
        for path, sha256, size_bytes, batch, status in list(oldest_first(self.index, self.store.centre)):
            self.pace.spend(size_bytes)
            trouble = self._trouble(path, sha256, status)
            if not trouble and not path.endswith(MANIFEST_SUFFIX):
                with contextlib.suppress(
                    Stuck
                ):  # a centre may let us read and not describe: the event tells all the same
                    self._note_date(path)
            done = Checked(self.store.centre, path, size_bytes, trouble)
            self._tell(done, sha256, batch)
            self.checked(done)
            yield done

    def _trouble(self, path: str, sha256: str | None, status: str) -> str:
        if status != "good":
            return f"its replica is {status}"
        try:
            found = self.store.recompute_sha256(path)
        except Retryable:
            raise
        except Stuck as error:
            return error.detail
        return "" if found == sha256 else f"its bytes hash to {found}, committed was {sha256}"

    def _note_date(self, path: str) -> None:
        """Set B2SAFE's attribute that says when each replica of a data object was last checked."""
        present = self.store.attributes(path)
        dates = checksum_dates(present.resources, int(self.now_s() * 1e6), present)
        if dates:
            self.store.set_attributes(path, dates)

    def _tell(self, done: Checked, sha256: str | None, batch: str | None) -> None:
        now_us = int(self.now_s() * 1e6)
        station = done.path.partition("/")[0]
        event = ObjectEvent(
            event=FIXITY_CHECK,
            outcome="fail" if done.trouble else "success",
            batch=batch,
            station=station,
            path=done.path,
            centre=done.centre,
            at_us=now_us,
            sha256=sha256,
            size_bytes=done.size_bytes,
            detail=done.trouble or "recomputed at the centre",
            who=self.who,
            software=SOFTWARE,
            policy=self.policy,
        )
        identity = f"{done.centre}/{done.path}/{FIXITY_CHECK}/{now_us}"
        self.announcer.publish(topics.EVENTS, event, station, identity, done.path).result()
